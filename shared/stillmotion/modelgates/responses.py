"""What ModelGates' answers say, beyond the job in them: accepted or not, why not, and when to come back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, NoReturn

from stillmotion.errors import (
    ProviderOutOfCredits,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnauthorized,
    ProviderUnavailable,
    SubmitOutcomeUnknown,
)
from stillmotion.modelgates.job import ProviderJob, read_accepted
from stillmotion.modelgates.wording import words_of_answer

MAX_RETRY_AFTER_SECONDS = 3600.0
# 307 and 308 ask for the same call elsewhere; other redirects may follow one that was carried out (RFC 9110, 15.4).
_NOT_ACCEPTED = frozenset({307, 308, 400, 401, 402, 403, 404, 405, 406, 409, 410, 411, 413, 414, 415, 421, 422, 431})


def decoded(raw: bytes) -> Any:
    """The JSON value, or ``None`` where there is none."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def submitted(status: int, headers: Mapping[str, str], raw: bytes) -> ProviderJob:
    """The job that an answer to ``POST /videos`` holds, or the error it stands for."""
    data = decoded(raw)
    if 200 <= status < 300:
        job = read_accepted(data)
        return (
            job
            if job is not None
            else raise_outcome_unknown(f"HTTP {status} without a job in it", words_of_answer(data))
        )
    said = words_of_answer(data)
    wait = retry_after(headers)
    if status == 429:
        raise ProviderThrottled(
            "ModelGates asks to slow down. Nothing was submitted.", provider_message=said, retry_after=wait
        )
    if status == 503:
        raise ProviderUnavailable(
            "ModelGates is not available. Nothing was submitted.", provider_message=said, retry_after=wait
        )
    if status == 401:
        raise ProviderUnauthorized(
            "ModelGates does not accept the API key. Put the right key into the stack's secret; nothing was submitted.",
            provider_message=said,
        )
    if status == 402:
        raise ProviderOutOfCredits(
            "The ModelGates account has no credits left. Top it up and send the request again; nothing was submitted.",
            provider_message=said,
        )
    if status in _NOT_ACCEPTED:
        raise ProviderRejected(
            f"ModelGates refused the request (HTTP {status}): {said or 'no reason given'}. "
            "This is final: change the request; nothing was submitted.",
            provider_message=said,
        )
    raise_outcome_unknown(f"HTTP {status}", said)


def raise_outcome_unknown(what: str, said: str | None = None) -> NoReturn:
    """Raise SubmitOutcomeUnknown: the request was sent, and its outcome cannot be known."""
    raise SubmitOutcomeUnknown(
        f"ModelGates may or may not have accepted the job: {what}. It is not sent again, so that it is never paid "
        "for twice; look it up in the ModelGates account and settle the job by hand.",
        provider_message=said,
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """``Retry-After`` in seconds, given as such or as a date (RFC 9110, 10.2.3); at most an hour."""
    value = headers.get("Retry-After")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time()
        except (TypeError, ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS) if seconds == seconds else None
