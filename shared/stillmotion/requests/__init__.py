"""What callers ask for: the video request, its media, the drop folder, uploads."""
