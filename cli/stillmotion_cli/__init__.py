"""The `stillmotion` command: a terminal's way to a Stillmotion stack, over its HTTP API alone."""
