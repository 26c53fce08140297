"""What operators and the sweep do with jobs that exist: cancel, settle, resume, purge, find what was missed."""
