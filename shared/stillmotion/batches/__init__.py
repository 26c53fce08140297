"""Thousands of videos by one manifest."""
