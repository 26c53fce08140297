"""The commands, registered by being imported."""

from stillmotion_cli.commands import batch, console, doctor, generate, insight, jobs, spending, stack, use, waiting

__all__ = ["batch", "console", "doctor", "generate", "insight", "jobs", "spending", "stack", "use", "waiting"]
