"""AWS Signature Version 4 for `requests`, and calls of the deployed API with and without it."""

import time
from collections.abc import Mapping
from typing import Any

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from stillmotion_cli.stack import Stack

# API Gateway itself gives up after 29 s.
TIMEOUT = 150
RUNNING = ("queued", "submitting", "confirming", "in_progress", "delivering")


class Signature(requests.auth.AuthBase):
    """Signs a request as it is about to be sent: with a user's access key and its secret, or as the local cloud's root,
    who is the stack's operator."""

    def __init__(self, stack: Stack, key: str = "test", secret: str = "test") -> None:
        self._region, self._credentials = stack.region, Credentials(key, secret)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        signed = AWSRequest(method=request.method, url=request.url, data=request.body)
        SigV4Auth(self._credentials, "execute-api", self._region).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request


class Api:
    """The API's routes, called as they stand: whatever is answered is given back."""

    def __init__(self, stack: Stack, *credentials: str) -> None:
        self._base = stack.api_url
        self._signature = Signature(stack, *credentials)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        signed: bool = True,
    ) -> requests.Response:
        """One call; `body` is sent as JSON."""
        return requests.request(
            method,
            self._base + path,
            json=body,
            headers=dict(headers or {}),
            auth=self._signature if signed else None,
            timeout=TIMEOUT,
            allow_redirects=False,
        )

    def wait_until_quiet(self, seconds: float = 90) -> None:
        """Return once no job is under way."""
        deadline = time.monotonic() + seconds
        while busy := [job["id"] for status in RUNNING for job in self._list(status)]:
            assert time.monotonic() < deadline, f"still under way after {seconds:.0f} s: {busy}"
            time.sleep(0.5)

    def _list(self, status: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", f"/videos?status={status}").json()["data"]
        return found
