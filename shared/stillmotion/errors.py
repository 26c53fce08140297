"""Every way a job can go wrong, one name each.

The class name is the error's code: the same word is used in the API's problem document, in the job record,
in events and as the ``Error`` of a failed execution (a Lambda task reports its exception's class name).

    StillmotionError
    ├── Refused                    nothing was paid, the caller can mend it
    │   ├── InvalidRequest         a field is missing, malformed or unknown
    │   ├── BodyTooLarge           more than API Gateway and Lambda let through
    │   ├── UnknownModel           no such model
    │   ├── UnsupportedByModel     the model does not offer what was asked
    │   ├── ImageNotUsable         an image address does not deliver an image
    │   ├── IdempotencyConflict    the key was used for another request
    │   ├── SpendLimitReached      the stack's own spending limit
    │   ├── JobNotFound            no such job, or not the caller's
    │   ├── BatchNotFound          no such batch, or not the caller's
    │   └── JobStateConflict       the job's state does not allow it
    ├── ProviderError              ModelGates refused or could not be reached
    │   ├── ProviderRejected       400, 403, 404, 413: final
    │   ├── ProviderUnauthorized   401: our key
    │   ├── ProviderOutOfCredits   402
    │   ├── ProviderThrottled      429, not accepted, may be sent again
    │   ├── ProviderUnavailable    503 or no connection, not accepted, may be sent again
    │   ├── SubmitInProgress       another call is submitting this job right now
    │   └── SubmitOutcomeUnknown   the answer was lost: never sent again
    ├── InternalError              an unexpected error in a step: see its log
    └── JobFailed                  accepted, but ended without a video
        ├── GenerationFailed · GenerationCancelled · GenerationExpired
        ├── PollingTimedOut        may still finish at the provider
        ├── DownloadFailed · NotAVideo
        ├── BatchStopped           too many items of a batch failed
        └── StorageFailed          S3, DynamoDB or EventBridge did not take it
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self
from urllib.parse import quote, unquote

MAX_CARRIED_CHARACTERS = 20_000
"""Limit of an error in a state machine, which cuts a cause off at 32,768 (*AWS Step Functions quotas*)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request: where, what was given, and what is allowed.

    ``pointer`` is a JSON pointer as a URI fragment (RFC 6901), for example ``#/frame_images/0/frame_type``.
    """

    pointer: str
    detail: str
    given: Any = None
    allowed: Any = None

    @property
    def place(self) -> str:
        """The pointer as people read it."""
        return shown_pointer(self.pointer)

    def as_dict(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


def shown_pointer(given: str) -> str:
    """A pointer as people read it, without RFC 6901's escapes: ``/metadata/größe``."""
    return unquote(given.removeprefix("#")).replace("~1", "/").replace("~0", "~") or "/"


def pointer(*parts: object) -> str:
    """The JSON pointer to a place in the request, as a URI fragment (RFC 6901)."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return "#" + "".join("/" + quote(part, safe="~!$&'()*+,;=:@?", errors="replace") for part in escaped)


_STOP_AGAIN = re.compile(r"(?:(?<=[^.\s]\.)|(?<=[!?…])|(?<=\.\.\.))\.(?=\s|$)")


def with_single_stops(text: str) -> str:
    """A text with one full stop where an inserted message brought a second one."""
    return _STOP_AGAIN.sub("", text)


class StillmotionError(Exception):
    """The root of the tree; ``detail`` says what happened, what was given and what to do next."""

    http_status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        provider_message: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        detail = with_single_stops(detail)
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)
        self.provider_message = provider_message
        self.retry_after = retry_after

    @property
    def code(self) -> str:
        return type(self).__name__

    def as_record(self) -> dict[str, Any]:
        """The error as the job record and events carry it: ``code, message, retryable`` and what else is known."""
        record: dict[str, Any] = {"code": self.code, "message": self.detail, "retryable": self.retryable}
        if self.provider_message is not None:
            record["provider_message"] = self.provider_message
        if self.faults:
            record["faults"] = [fault.as_dict() for fault in self.faults]
        return record

    def for_workflow(self) -> Self:
        """The same error with its record as JSON for its text, so that a state machine passes every fact on."""
        carried = type(self)(self.detail)
        record = self.as_record()
        while len(json.dumps(record)) > MAX_CARRIED_CHARACTERS and record.get("faults"):
            record["faults"] = record["faults"][: len(record["faults"]) // 2]
        carried.args = (json.dumps(record, ensure_ascii=False),)
        return carried


class InternalError(StillmotionError):
    title = "Stillmotion failed"


class Refused(StillmotionError):
    http_status = 400
    title = "The request was refused"


class InvalidRequest(Refused):
    title = "The request is not valid"


class BodyTooLarge(Refused):
    http_status = 413
    title = "The request's body is too large"


class UnknownModel(Refused):
    http_status = 422
    title = "There is no such model"


class UnsupportedByModel(Refused):
    http_status = 422
    title = "The model does not offer this"


class PriceUnknown(Refused):
    http_status = 422
    title = "The price cannot be known, and there is a limit"


class ImageNotUsable(Refused):
    http_status = 422
    title = "An image cannot be used"


class IdempotencyConflict(Refused):
    http_status = 422
    title = "The idempotency key belongs to another request"


class SpendLimitReached(Refused):
    http_status = 402
    title = "The spending limit is reached"


class OperatorsOnly(Refused):
    http_status = 403
    title = "Only an operator of the stack may do this"


class JobNotFound(Refused):
    http_status = 404
    title = "There is no such job"


class BatchNotFound(Refused):
    http_status = 404
    title = "There is no such batch"


class JobStateConflict(Refused):
    http_status = 409
    title = "The job's state does not allow this"


class ProviderError(StillmotionError):
    http_status = 502
    title = "ModelGates did not take the request"


class ProviderRejected(ProviderError):
    http_status = 422
    title = "ModelGates refused the request"


class ProviderUnauthorized(ProviderError):
    title = "ModelGates does not accept the API key"


class ProviderOutOfCredits(ProviderError):
    http_status = 402
    title = "The ModelGates account has no credits"


class ProviderThrottled(ProviderError):
    http_status = 503
    title = "ModelGates asks to slow down"
    retryable = True


class ProviderUnavailable(ProviderError):
    http_status = 503
    title = "ModelGates cannot be reached"
    retryable = True
    answered: int | None = None
    """The HTTP status of a query, where there was an answer to it."""


class SubmitInProgress(ProviderError):
    http_status = 503
    title = "The job is being submitted"
    retryable = True


class SubmitOutcomeUnknown(ProviderError):
    title = "It is not known whether ModelGates accepted the job"


class JobFailed(StillmotionError):
    http_status = 502
    title = "The job ended without a video"


class GenerationFailed(JobFailed):
    title = "The generation failed"


class GenerationCancelled(JobFailed):
    title = "The generation was cancelled"


class GenerationExpired(JobFailed):
    title = "The generation or its output expired"


class PollingTimedOut(JobFailed):
    title = "The job did not finish in time"
    retryable = True


class DownloadFailed(JobFailed):
    answered: int | None = None
    """The HTTP status that refused the content, where one did."""
    title = "The video could not be downloaded"
    retryable = True


class NotAVideo(JobFailed):
    title = "What was delivered is not a video"


class BatchStopped(JobFailed):
    title = "The batch was stopped"


class StorageFailed(JobFailed):
    http_status = 503
    title = "AWS storage did not take it"
    retryable = True
    aws_code: str = ""
    """The code that AWS answered with, or the kind of failure where it did not answer."""
    refused: bool = False
    """Whether AWS would refuse the same call again."""


def _tree(root: type[StillmotionError]) -> dict[str, type[StillmotionError]]:
    found = {root.__name__: root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


ERRORS: dict[str, type[StillmotionError]] = _tree(StillmotionError)
"""Every error class by its code."""


def from_workflow(error: str, cause: str) -> StillmotionError:
    """The error behind a state's ``Error`` and ``Cause``.

    A Lambda task's cause is JSON with ``errorMessage``; ours carries the record that
    :meth:`StillmotionError.for_workflow` wrote. Errors that are not ours (a Lambda time-out, a bug) become
    :class:`InternalError` with only their name in the text: their message may hold secrets, so it stays in the logs.
    """
    carried = _carried(cause)
    # Lambda names an error by its class. A local cloud may not; then the record in the cause names it.
    kind = ERRORS.get(error) or ERRORS.get(str(carried.get("code")))
    if kind is None:
        return InternalError(
            f"A step of the workflow ended with {error}. Look at the execution's history and the function's log."
        )
    try:
        faults = [Fault(**fault) for fault in carried.get("faults", ())]
        return kind(carried["message"], faults=faults, provider_message=carried.get("provider_message"))
    except (KeyError, TypeError):
        return kind(f"{kind.title}. Look at the execution's history and the function's log.")


def _carried(cause: str) -> dict[str, Any]:
    """The record in a task's cause, empty when there is none."""
    try:
        found = json.loads(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


class EndedAtOnce(Exception):
    """The job is on record, and ended at once; ``error`` says why."""

    def __init__(self, job_id: str, error: StillmotionError) -> None:
        super().__init__(error.detail)
        self.job_id = job_id
        self.error = error
