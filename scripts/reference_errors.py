"""The page about errors, from shared/stillmotion/errors.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stillmotion.errors import StillmotionError

HEAD = """\
# Errors

One name each: `code` of the problem document, `error.code` of the record and of events, `Error` of the failed
execution. The HTTP status is that of a problem document; errors that end a job after it was accepted
appear in its record instead.
*Retryable* says that the same call, or a resumption, may do better without any change.

| name | status | title | retryable | what to do |
|---|---|---|---|---|
"""
ADVICE = {
    "BatchNotFound": "check the id; a batch of another caller is not found either",
    "BatchStopped": "read `failed_by_reason`, correct the rows, order the batch again by its `batch_id`",
    "BodyTooLarge": "upload the picture and name it by its `s3://` address",
    "DownloadFailed": "resume the job",
    "GenerationCancelled": "nothing, or make a new job",
    "GenerationExpired": "resume it where the record says `resumable`; else make a new job, which is paid anew",
    "GenerationFailed": "read `provider_message`; change the prompt, the picture or the model",
    "IdempotencyConflict": "use a new key for a request that differs",
    "ImageNotUsable": "give an address that answers 200 with an image directly, or upload the picture",
    "InternalError": "read the function's log; report it",
    "InvalidRequest": "correct what `errors` points to",
    "JobNotFound": "check the id; a job of another caller is not found either",
    "JobStateConflict": "look at the job's status first",
    "NotAVideo": "resume the job; if it stays, report it to ModelGates",
    "OperatorsOnly": "ask a role or user that the parameter `OperatorRoleArns` names, or add yours to it",
    "PollingTimedOut": "resume the job: nothing is paid anew",
    "PriceUnknown": "ask for what has a price, or take the limit away",
    "ProviderOutOfCredits": "add credits to the ModelGates account",
    "ProviderRejected": "read `provider_message`",
    "ProviderThrottled": "wait: the workflow submits it again, for about an hour",
    "ProviderUnauthorized": "put a valid ModelGates key into the stack's secret",
    "ProviderUnavailable": "try again after `Retry-After`",
    "SpendLimitReached": "wait for midnight UTC, ask for less, or raise the limit",
    "StorageFailed": "try again after `Retry-After`; resume the job where the record says `resumable`",
    "SubmitInProgress": "wait: another call is submitting this job",
    "SubmitOutcomeUnknown": "look the job up in the ModelGates account, then settle it",
    "UnknownModel": "choose one of `GET /models`",
    "UnsupportedByModel": "choose one of the values that `errors` lists, or another model",
}
"""What to do about each error, by its code."""


def page() -> str:
    """The page's text."""
    from stillmotion.errors import ERRORS

    leaves = [kind for _, kind in sorted(ERRORS.items()) if not kind.__subclasses__()]
    return HEAD + "".join(_row(kind) for kind in leaves)


def _row(kind: type[StillmotionError]) -> str:
    code = kind.__name__
    cells = (f"`{code}`", str(kind.http_status), kind.title, "yes" if kind.retryable else "no", ADVICE[code])
    return f"| {' | '.join(cells)} |\n"
