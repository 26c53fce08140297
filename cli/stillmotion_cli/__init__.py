"""The `stillmotion` command: a terminal client for a Stillmotion stack, which uses its HTTP API alone."""
