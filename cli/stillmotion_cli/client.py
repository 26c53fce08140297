"""The HTTP API of a stack, called with AWS Signature Version 4."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import boto3
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from stillmotion_cli.errors import ApiProblem, CommandError, Unreachable
from stillmotion_cli.stack import Stack

type Job = dict[str, Any]

# API Gateway gives up after 29 seconds; waiting longer than that brings nothing.
TIMEOUT = urllib3.Timeout(connect=5, read=35)
READ_ATTEMPTS = 5


class ApiClient:
    """Submits and reads jobs. A submit is sent once, whatever happens; reads are repeated when that can help."""

    def __init__(
        self,
        stack: Stack,
        session: boto3.Session | None = None,
        http: urllib3.PoolManager | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._base = stack.api_url.rstrip("/")
        self._region = stack.region
        self._session = session or stack.session()
        self._http = http or urllib3.PoolManager(timeout=TIMEOUT, retries=False)
        self._sleep = sleep

    def submit(self, request: Mapping[str, Any]) -> Job:
        """POST /videos. Returns the record of the accepted job.

        An answer that got lost leaves open whether a job was paid for, so this never tries twice by itself.
        """
        return self._job("POST", "/videos", json.dumps(request).encode())

    def job(self, job_id: str) -> Job:
        """GET /videos/{id}, tried again when the connection or the service falters."""
        for attempt in range(1, READ_ATTEMPTS + 1):
            try:
                return self._job("GET", f"/videos/{quote(job_id, safe='')}")
            except CommandError as error:
                if attempt == READ_ATTEMPTS or not _may_pass(error):
                    raise
                self._sleep(0.25 * 2**attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _job(self, method: str, path: str, body: bytes | None = None) -> Job:
        status, content = self._send(method, path, body)
        document = _parse(content)
        if 200 <= status < 300 and "id" in document:
            return document
        raise _problem(status, document, content)

    def _send(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        url = self._base + path
        headers = self._signed_headers(method, url, body)
        try:
            response = self._http.request(method, url, body=body, headers=headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(_no_answer(method, url, error)) from error
        return response.status, response.data

    def _signed_headers(self, method: str, url: str, body: bytes | None) -> dict[str, str]:
        credentials = self._session.get_credentials()
        if credentials is None:
            raise Unreachable("No AWS credentials found to sign the request with. Try: aws sts get-caller-identity")
        headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if body else {})
        request = AWSRequest(method=method, url=url, data=body, headers=headers)
        SigV4Auth(credentials.get_frozen_credentials(), "execute-api", self._region).add_auth(request)
        return dict(request.headers.items())


def _parse(content: bytes) -> Job:
    try:
        document = json.loads(content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _problem(status: int, document: Job, content: bytes) -> ApiProblem:
    """An ApiProblem also where API Gateway itself answered, which knows no problem documents."""
    plain = document.get("message") or document.get("Message") or content[:300].decode(errors="replace")
    return ApiProblem(
        status=status,
        code=str(document.get("code") or "UnexpectedAnswer"),
        title=str(document.get("title") or ""),
        detail=str(document.get("detail") or plain),
        errors=[fault for fault in document.get("errors") or [] if isinstance(fault, dict)],
    )


def _may_pass(error: CommandError) -> bool:
    return isinstance(error, Unreachable) or (
        isinstance(error, ApiProblem) and (error.status == 429 or error.status >= 500)
    )


def _no_answer(method: str, url: str, error: Exception) -> str:
    message = f"No answer to {method} {url}: {error}"
    if method == "POST" and not isinstance(error, urllib3.exceptions.NewConnectionError):
        message += "\nThe request may have been accepted and paid for: look for the job before you submit it again."
    return message
