"""The commands, registered by being imported."""

from stillmotion_cli.commands import batch, generate, jobs, stack, waiting

__all__ = ["batch", "generate", "jobs", "stack", "waiting"]
