"""What a failed call to AWS is called."""

from __future__ import annotations

from botocore.exceptions import ClientError


def code_of(error: BaseException | None) -> str:
    """The code that AWS answered with, or the kind of failure where it did not answer."""
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__
