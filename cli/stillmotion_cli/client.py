"""The HTTP API of a stack, called with AWS Signature Version 4."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import boto3
import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from stillmotion_cli.discovery import aws_failure
from stillmotion_cli.errors import ApiProblem, NoCredentials, Unreachable
from stillmotion_cli.stack import Stack
from stillmotion_cli.transport import new_pool, repeat, retry_after, signed_headers
from stillmotion_cli.trust import file_name, require_signable

type Job = dict[str, Any]
type Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LastAnswer:
    """What an answer said beside its body; `retry_after` is in seconds."""

    status: int = 0
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ApiClient:
    """The API's routes as methods. Only calls that are safe to repeat are repeated.

    `on_pause` gets the reason and the seconds of every pause before a retry; `last` describes the last answer.
    """

    def __init__(
        self,
        stack: Stack,
        session: boto3.Session | None = None,
        http: urllib3.PoolManager | None = None,
        sleep: Callable[[float], None] = time.sleep,
        on_pause: Callable[[str, float], None] = lambda _reason, _seconds: None,
    ) -> None:
        self.stack = stack
        self.last = LastAnswer()
        self.sleep = sleep
        self._base = stack.api_url.rstrip("/")
        self._session = session
        self._http = http or new_pool(self._base)
        self._on_pause = on_pause

    def submit(self, request: Mapping[str, Any], key: str | None = None) -> Job:
        """POST /videos. Returns the record of the accepted job; status 200 in `last` if the key had one already.

        When the answer is lost, it is unknown whether a job was paid for, so without an idempotency key this never
        tries twice.
        """
        headers = {"Idempotency-Key": key} if key else {}
        return self._job("POST", "/videos", body=request, headers=headers, safe=bool(key))

    def dry_run(self, request: Mapping[str, Any]) -> Document:
        """POST /videos?dry_run=true: checked and priced, nothing spent."""
        return self._call("POST", "/videos?dry_run=true", body=request, safe=True)

    def job(self, job_id: str) -> Job:
        """GET /videos/{id}."""
        return self._job("GET", _path(job_id), safe=True)

    def jobs(self, **query: Any) -> Document:
        """GET /videos: one page, `data` and `next_token`. Filters that are None are left out."""
        return self._call("GET", "/videos" + _query(query), safe=True)

    def cancel(self, job_id: str) -> Job:
        """DELETE /videos/{id}."""
        return self._job("DELETE", _path(job_id), safe=False)

    def purge(self, job_id: str) -> Job:
        """DELETE /videos/{id}?purge=true. A second call finishes what a first one left."""
        return self._job("DELETE", _path(job_id) + "?purge=true", safe=True)

    def resume(self, job_id: str) -> Job:
        """POST /videos/{id}/resume."""
        return self._job("POST", _path(job_id) + "/resume", safe=False)

    def settle(self, job_id: str, provider_job_id: str | None, charged: bool = True) -> Job:
        """POST /videos/{id}/settle: adopt the job that ModelGates has under this id, or without an id give the job up.

        A job that is given up stays counted as spent where it may have been `charged`.
        """
        given_up = {"abandon": True, "charged": charged}
        order = given_up if provider_job_id is None else {"provider_job_id": provider_job_id}
        return self._job("POST", _path(job_id) + "/settle", body=order, safe=False)

    def models(self, **wish: Any) -> list[Document]:
        """GET /models: the models that match. Criteria that are None are left out."""
        found: list[Document] = self.offer(**wish).get("data") or []
        return found

    def offer(self, **wish: Any) -> Document:
        """GET /models, whole: the models, and the `choice` that the stack would make for this wish."""
        return self._call("GET", "/models" + _query(wish), safe=True)

    def usage(self, **query: Any) -> Document:
        """GET /usage: one page of what was spent, summed up. Filters that are None are left out."""
        return self._call("GET", "/usage" + _query(query), safe=True)

    def limits(self) -> Document:
        """GET /limits: what may be spent today, and is spent."""
        return self._call("GET", "/limits", safe=True)

    def change_limit(self, principal: str, daily_usd: str | None) -> Document:
        """PUT /limits: what a principal may spend a day; None removes what is set."""
        return self._call("PUT", "/limits", body={"principal": principal, "daily_usd": daily_usd}, safe=True)

    def start_batch(self, order: Mapping[str, Any]) -> Document:
        """POST /batches. For a running batch the answer is its record, so the call may be repeated when an answer is
        lost.
        """
        return self._job("POST", "/batches", body=order, safe=True)

    def batch(self, batch_id: str) -> Document:
        """GET /batches/{id}."""
        return self._job("GET", f"/batches/{quote(batch_id, safe='')}", safe=True)

    def upload_place(self, content_type: str) -> Document:
        """POST /uploads. A presigned upload stores nothing by itself, so this is safe to repeat."""
        return self._call("POST", "/uploads", body={"content_type": content_type}, safe=True)

    def _job(self, method: str, path: str, *, safe: bool, **sent: Any) -> Job:
        document = self._call(method, path, safe=safe, **sent)
        if "id" not in document or "status" not in document:
            raise _not_ours(self.last.status, json.dumps(document)[:300])
        file_name(document["id"])
        return document

    def _call(
        self,
        method: str,
        path: str,
        *,
        safe: bool,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Document:
        content = None if body is None else json.dumps(body).encode()

        def once() -> Document:
            status, answer = self._send(method, path, content, headers)
            document = _parse(answer)
            if not 200 <= status < 300:
                raise _problem(status, document or {}, answer, self.last.retry_after)
            if document is None:
                raise _not_ours(status, answer[:300].decode(errors="replace"))
            return document

        if not safe:
            return once()
        return repeat(once, on_pause=self._on_pause, sleep=self.sleep)

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """One signed call, sent once: the answer's status and body, the rest in `last`."""
        sent = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if body else {})
        answer = self.exchange(method, path, body, sent | dict(headers or {}))
        self.last = LastAnswer(answer.status, retry_after(answer.headers))
        return answer.status, answer.body

    def exchange(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """One signed call, sent once. `path` is encoded and may have a query; threads may call this side by side."""
        url = self._base + path
        signed = self._signed(method, url, body, headers)
        try:
            response = self._http.request(method, url, body=body, headers=signed, redirect=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._no_answer(method, url, error) from error
        return Answer(response.status, response.headers, response.data)

    def _signed(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> dict[str, str]:
        if not self.stack.is_local:
            require_signable(url)
        try:
            self._session = self._session or self.stack.session()
            credentials = self._session.get_credentials()
            if credentials is None:
                raise NoCredentials(
                    "No AWS credentials found to sign the request with. Sign in (aws configure, or aws sso login), "
                    "set AWS_PROFILE or give --profile. To see whose are used: aws sts get-caller-identity"
                )
            return signed_headers(credentials, self.stack.region, method, url, body, headers)
        except (BotoCoreError, ClientError) as error:
            raise aws_failure(error, self.stack.profile) from error

    def _no_answer(self, method: str, url: str, error: Exception) -> Unreachable:
        reason = str(error).rsplit(": ", 1)[-1] if "Connection refused" in str(error) else str(error)
        failure = Unreachable(f"No answer to {method} {url}: {reason}")
        if self.stack.is_local:
            failure.hint = "The local cloud may have been stopped. Restart it: make local-stop, then make local."
        else:
            failure.hint = "Check the network, and that the stack still exists; then try again."
        return failure


def _path(job_id: str) -> str:
    return f"/videos/{quote(job_id, safe='')}"


def _query(parameters: Mapping[str, Any]) -> str:
    """The query string: lists as repeated names, truth values in JSON's words, None left out."""
    pairs = []
    for name, value in parameters.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is not None:
                pairs.append((name, str(one).lower() if isinstance(one, bool) else str(one)))
    return f"?{urlencode(pairs, quote_via=quote)}" if pairs else ""


def _parse(content: bytes) -> Document | None:
    try:
        document = json.loads(content)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _not_ours(status: int, shown: str) -> ApiProblem:
    return ApiProblem(
        502,
        "UnexpectedAnswer",
        "This is not an answer of Stillmotion",
        f"HTTP {status}: {shown}",
        hint="Check that the stack's ApiUrl leads to it and no proxy is in between.",
    )


def _problem(status: int, document: Document, content: bytes, wait: float | None) -> ApiProblem:
    """An ApiProblem, also for API Gateway's own answers, whose documents have fewer fields."""
    plain = document.get("message") or document.get("Message") or content[:300].decode(errors="replace")
    from_gateway = str(document.get("type", "")).endswith(":Gateway")
    problem = ApiProblem(
        status=status,
        code=str(document.get("code") or "UnexpectedAnswer"),
        title=str(document.get("title") or ""),
        detail=str(document.get("detail") or plain),
        errors=[fault for fault in document.get("errors") or [] if isinstance(fault, dict)],
        provider_message=document.get("provider_message"),
        instance=document.get("instance"),
        retry_after=wait,
    )
    if from_gateway and status in (500, 502):
        problem.code = "UnexpectedAnswer"
    if problem.forbidden:
        problem.hint = (
            "The credentials need execute-api:Invoke for this API and must not have expired: aws sts "
            "get-caller-identity. A stack older than this command may not have the route: deploy it again."
        )
    elif wait is not None and problem.may_pass:
        problem.hint = f"Try again in {wait:.0f} s."
    return problem
