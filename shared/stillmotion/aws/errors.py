"""The one translation of AWS SDK errors into ours; every adapter calls AWS inside of :func:`storage_errors`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from stillmotion.errors import StorageFailed

INVALID_NAME = "InvalidName"
"""The code for a name that no bucket, key or resource can have; the SDK sends nothing then."""
CONDITION_FAILED = "ConditionalCheckFailedException"
MISSING = frozenset({"404", "NoSuchKey"})
CHANGED = frozenset({"412", "PreconditionFailed"})
_TEMPORARY = frozenset(
    {
        *("SlowDown", "RequestTimeout", "RequestTimeTooSkewed", "ExpiredToken", "ExpiredTokenException"),
        *("Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException"),
        *("ProvisionedThroughputExceededException", "RequestLimitExceeded"),
    }
)
"""Temporary refusals that come with a status below 500."""


@contextmanager
def storage_errors(failure: str, advice: str = "Try again.") -> Iterator[None]:
    """Turn every SDK error into a :class:`StorageFailed` that says ``"{failure} ({code}). {advice}"``.

    Its ``aws_code`` and ``refused`` say which error it was, for callers that expect some of them.

    Raises:
        StorageFailed: AWS refused the call or did not answer.
    """
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        failed = StorageFailed(f"{failure} ({code_of(error)}). {advice}")
        failed.aws_code, failed.refused = code_of(error), _refused(error)
        raise failed from error


def code_of(error: BaseException | None) -> str:
    """The code that AWS answered with, or the kind of failure where it did not answer."""
    if isinstance(error, ParamValidationError):
        return INVALID_NAME
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__


def _refused(error: ClientError | BotoCoreError) -> bool:
    """Whether the same call would be refused again."""
    if isinstance(error, ParamValidationError):
        return True
    if not isinstance(error, ClientError) or code_of(error) in _TEMPORARY:
        return False
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return 400 <= status < 500 and status not in (408, 429)
