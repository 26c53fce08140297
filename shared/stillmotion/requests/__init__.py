"""What callers ask for: the video request, its media, uploads."""
