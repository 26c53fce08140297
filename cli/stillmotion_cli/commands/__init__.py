"""The commands, registered by being imported."""

from stillmotion_cli.commands import generate, jobs, stack, waiting

__all__ = ["generate", "jobs", "stack", "waiting"]
