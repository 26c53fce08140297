"""The JSON of jobs and webhooks, and the signed addresses of outputs."""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from local.simulator.jobs import Job
from local.simulator.settings import Settings


class Signer:
    """Signs storage addresses, so that whoever has one may use it until it expires."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def address(self, job: Job, index: int) -> str:
        """Return the signed address of an output of a completed job."""
        expires = int(job.expires_at or 0)
        query = urlencode({"expires": expires, "signature": self._signature(job.id, index, str(expires))})
        return f"{job.base_url}/storage/{job.id}/{index}?{query}"

    def is_valid(self, job_id: str, index: int, expires: str, signature: str) -> bool:
        """Return whether the simulator made a signature; the expiry time is not checked."""
        return hmac.compare_digest(self._signature(job_id, index, expires).encode(), signature.encode())

    def _signature(self, job_id: str, index: int, expires: str) -> str:
        return hmac.new(self._secret, f"{job_id}/{index}/{expires}".encode(), hashlib.sha256).hexdigest()


def job_json(job: Job, settings: Settings, signer: Signer, now: float) -> dict[str, Any]:
    """Return a job as the API shows it at a time (unix seconds): fields appear as they become known."""
    path = f"/api/v1/videos/{job.id}"
    status = job.status(now)
    shown: dict[str, Any] = {
        "id": _shown_id(job),
        "polling_url": path if settings.relative_polling_url else job.base_url + path,
        "status": settings.status_words.get(status, status),
    }
    if status != "pending":
        shown["generation_id"] = job.generation_id
    if job.ending is None:
        return shown
    if job.ending.error is not None:
        shown["error"] = job.ending.error
    if job.ending.failure_reason is not None:
        shown["failure_reason"] = job.ending.failure_reason
    if job.ending.status == "completed":
        if settings.unsigned_urls:
            shown["unsigned_urls"] = content_addresses(job)
        if settings.signed_urls:
            shown["urls"] = [signer.address(job, index) for index in range(len(job.ending.clips))]
        shown["expires_at"] = int(job.expires_at or 0)
    shown["usage"] = _usage(job)
    return shown


def content_addresses(job: Job) -> list[str]:
    """Return the addresses of a job's outputs under the API's own root; they need the key."""
    outputs = len(job.ending.clips) if job.ending else 0
    return [f"{job.base_url}/api/v1/videos/{job.id}/content?index={index}" for index in range(outputs)]


def _shown_id(job: Job) -> str | int:
    return int(job.id) if job.settings.integer_ids else job.id


def _usage(job: Job) -> dict[str, Any]:
    completed = job.ending is not None and job.ending.status == "completed"
    return {"cost": float(job.charged_usd) if completed else None, "is_byok": False}


def webhook_json(job: Job) -> dict[str, Any]:
    """Return the payload with a job's terminal state; the job must have ended."""
    if job.ending is None:
        raise ValueError("only a job that has ended is reported")
    return {
        # A dead job has no event type of its own.
        "type": f"video.generation.{'failed' if job.ending.status == 'dead' else job.ending.status}",
        "created_at": datetime.fromtimestamp(job.ending.at, UTC).isoformat().replace("+00:00", "Z"),
        "data": {
            "id": _shown_id(job),
            "status": job.ending.status,
            "generation_id": job.generation_id,
            "model": job.plan.model,
            "unsigned_urls": content_addresses(job),
            "usage": _usage(job),
            "error": job.ending.error,
        },
    }
