"""The commands, registered by being imported."""

from stillmotion_cli.commands import batch, console, generate, jobs, stack, waiting

__all__ = ["batch", "console", "generate", "jobs", "stack", "waiting"]
