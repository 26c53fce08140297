"""The use cases of one video, one module each."""
