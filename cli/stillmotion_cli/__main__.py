"""Lets `python -m stillmotion_cli` be the `stillmotion` command."""

from stillmotion_cli.main import run

run()
