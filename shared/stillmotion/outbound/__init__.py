"""Calls to addresses that others name: which may be fetched, and fetching them."""
