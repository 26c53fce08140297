"""Receiving a callback of ModelGates: it is counted, the id that it names is kept, and the waiting execution continues.

Nothing here reads or writes a job's record, and nothing that a callback says is believed: the execution asks
ModelGates.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from stillmotion.errors import StorageFailed
from stillmotion.modelgates.callback import (
    MAX_BODY_BYTES,
    named_provider_id,
    read_path,
    signature_holds,
    token_holds,
)
from stillmotion.ports import Callbacks, CallbackSecret, Waiting
from stillmotion.telemetry import count, logger

RECEIVED, NOT_FOUND, TRY_AGAIN = 204, 404, 503


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP call to the callback's address; header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Signing:
    """The signing secret of the ModelGates workspace, and the header that signatures come in (in lower case)."""

    secret: CallbackSecret
    header: str


class Receiving:
    """The use case of receiving callbacks."""

    def __init__(
        self, secret: CallbackSecret, callbacks: Callbacks, waiting: Waiting, signing: Signing | None = None
    ) -> None:
        self._secret = secret
        self._callbacks = callbacks
        self._waiting = waiting
        self._signing = signing

    def receive(self, call: Call) -> int:
        """Take a callback in; the answer's HTTP status.

        204 after it is recorded; 503 where that failed, so that ModelGates sends it again; for any other call always
        the same 404, without any call to AWS.
        """
        try:
            job_id = self._verified(call)
            if job_id is None:
                return NOT_FOUND
            self._record(job_id, named_provider_id(call.body))
        except StorageFailed as error:
            logger.error("callback not recorded", extra={"code": error.code, "reason": error.detail})
            return TRY_AGAIN
        return RECEIVED

    def _verified(self, call: Call) -> str | None:
        """The job of a call that ModelGates made; ``None`` for any other call."""
        named = read_path(call.path)
        if call.method != "POST" or named is None or call.query or len(call.body) > MAX_BODY_BYTES:
            return None
        job_id, token = named
        if not token_holds(token, job_id, self._secret.values()):
            return None
        if self._signing is not None:
            header = call.headers.get(self._signing.header, "")
            if not signature_holds(header, call.body, self._signing.secret.values(), time.time()):
                return None
        return job_id

    def _record(self, job_id: str, provider_id: str | None) -> None:
        before = self._callbacks.note(job_id, provider_id)
        logger.info("callback", extra={"job_id": job_id, "provider_job_id": provider_id, "counted": before is not None})
        if before is None:
            return
        if provider_id is not None and before.provider_id not in (None, provider_id):
            logger.error(
                "callbacks name two ids for one job",
                extra={"job_id": job_id, "provider_job_ids": [before.provider_id, provider_id]},
            )
            count("PossibleDoublePayments")
        if before.task_token is not None:
            try:
                self._waiting.wake(before.task_token)
            except StorageFailed as error:  # the callback is recorded, and the next poll sees it
                logger.warning("not woken", extra={"job_id": job_id, "reason": error.detail})
