"""The ModelGates video API itself: models, submit, poll, content, and the storage behind signed addresses."""

import hashlib
import hmac
import json
from typing import Any

from aiohttp import web

from local.simulator.answers import Answer, file_answer, json_answer, padded, redirect_answer, text_answer
from local.simulator.core import Core
from local.simulator.errors import ApiError, bad_parameter
from local.simulator.jobs import Job
from local.simulator.validation import Plan, check_request
from local.simulator.wire import job_json

LARGEST_BODY = 50 * 1024 * 1024
VIDEO_TYPE = "video/mp4"


class Api:
    """The calls of the API; each takes a request and returns an answer or raises ApiError."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def models(self, request: web.Request) -> Answer:
        """GET /api/v1/videos/models: no key needed."""
        return json_answer(200, {"data": self._core.catalogue.as_json()})

    async def key(self, request: web.Request) -> Answer:
        """GET /api/v1/key: 200 with the limit, what is left of it and what was used, or 401."""
        self._check_key(request)
        return json_answer(200, {"data": self._core.key()})

    async def submit(self, request: web.Request) -> Answer:
        """POST /api/v1/videos: 202 and the job, or 400, 401, 402, 403, 404, 413, 500 for what has no price."""
        self._check_key(request)
        body = _parsed(await _read_body(request))
        settings = self._core.settings
        plan = check_request(body, self._core.catalogue, strict=settings.strict_fields)
        self._check_previous(plan)
        self._check_moderation(plan)
        cost = self._core.charge(plan)
        job = self._core.book.open(plan, body, settings, f"{request.scheme}://{request.host}", cost)
        if settings.complete_on_submit:
            await self._core.book.settle(job)
        if settings.webhook_before_answer and job.ending is not None:
            await job.told.wait()
        return json_answer(settings.submit_status, self._shown(job))

    async def poll(self, request: web.Request) -> Answer:
        """GET /api/v1/videos/{id}: 200 and the job, or 401, 404."""
        self._check_key(request)
        job = self._job(request)
        await self._core.book.settle(job)
        return json_answer(200, self._shown(job))

    async def content(self, request: web.Request) -> Answer:
        """GET /api/v1/videos/{id}/content?index=i: the clip or a redirect, or 400, 401, 404, 409, 410."""
        self._check_key(request)
        job = self._job(request)
        await self._core.book.settle(job)
        if job.ending is None or job.ending.status != "completed":
            raise ApiError(409, f"The video is not available: the job is {job.status(self._core.clock.now())}")
        index = _index(request.query.get("index", "0"), len(job.ending.clips))
        if self._core.clock.now() >= (job.expires_at or 0):
            raise ApiError(410, "The output of this job has expired")
        if self._core.settings.content_redirect:
            return redirect_answer(302, self._core.signer.address(job, index))
        return self._clip(request, job, index)

    async def storage(self, request: web.Request) -> Answer:
        """GET /storage/{job}/{index}: the clip for whoever holds a signed address that has not expired."""
        if request.method == "HEAD" and not self._core.settings.storage_head:
            return Answer(405, {"Allow": "GET"})
        job = self._core.book.find(request.match_info["id"])
        index, expires = int(request.match_info["index"]), request.query.get("expires", "")
        signature = request.query.get("signature", "")
        if not self._core.signer.is_valid(request.match_info["id"], index, expires, signature):
            return _storage_refusal(403, "SignatureDoesNotMatch", "The signature does not match the address")
        if self._core.clock.now() >= int(expires):
            return _storage_refusal(403, "AccessDenied", "Request has expired")
        if job is None or job.ending is None or index >= len(job.ending.clips):
            return _storage_refusal(404, "NoSuchKey", "The specified key does not exist")
        return self._clip(request, job, index)

    def _shown(self, job: Job) -> dict[str, Any]:
        return job_json(job, self._core.settings, self._core.signer, self._core.clock.now())

    def _clip(self, request: web.Request, job: Job, index: int) -> Answer:
        if job.ending is None:
            raise ApiError(409, "The video is not available yet")
        settings = self._core.settings
        blob = padded(job.ending.clips[index], settings.pad_to_bytes)
        etag = f'"{hashlib.sha256(blob.data).hexdigest()[:32]}"'
        return file_answer(request, blob, VIDEO_TYPE, etag, ranges=settings.ranges)

    def _check_key(self, request: web.Request) -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        wanted = self._core.settings.api_key
        if scheme.lower() != "bearer" or not key.strip():
            raise ApiError(401, "No API key was given", known_user=False)
        if not hmac.compare_digest(key.strip().encode(), wanted.encode()):
            raise ApiError(401, "This API key is not known", known_user=False)

    def _job(self, request: web.Request) -> Job:
        job = self._core.book.find(request.match_info["id"])
        if job is None:
            raise ApiError(404, "No such job")
        return job

    def _check_previous(self, plan: Plan) -> None:
        if plan.previous_job_id is None:
            return
        job = self._core.book.find(plan.previous_job_id)
        if job is None or job.ending is None or job.ending.status != "completed":
            raise bad_parameter("previous_job_id", "is not a completed job")
        if job.plan.model != plan.model:
            raise bad_parameter("previous_job_id", f"is a job of another model, {job.plan.model}")

    def _check_moderation(self, plan: Plan) -> None:
        word = self._core.settings.moderation_word
        if word is not None and word.lower() in plan.prompt.lower():
            raise ApiError(
                403,
                "The prompt was refused by moderation",
                {"reasons": ["content_policy"], "flagged_input": plan.prompt[:100], "model_slug": plan.model},
            )


async def _read_body(request: web.Request) -> bytes:
    too_large = ApiError(413, f"The body is larger than {LARGEST_BODY} bytes")
    if (request.content_length or 0) > LARGEST_BODY:
        raise too_large
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise too_large
    return bytes(body)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError as error:
        raise ApiError(400, "The body is not valid JSON") from error
    if not isinstance(parsed, dict):
        raise ApiError(400, "The body must be a JSON object")
    return parsed


def _index(text: str, outputs: int) -> int:
    index = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1
    if not 0 <= index < outputs:
        raise bad_parameter("index", f"must be from 0 to {outputs - 1}")
    return index


def _storage_refusal(status: int, code: str, message: str) -> Answer:
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return text_answer(status, document, "application/xml")
