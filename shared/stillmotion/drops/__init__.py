"""Requests that are files dropped into the input bucket: the picture, its companions, its metadata."""
