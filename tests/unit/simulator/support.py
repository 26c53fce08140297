"""A plain HTTP client of the simulator, and what it sends."""

import json
from dataclasses import dataclass, field
from typing import Any

import urllib3

from local.simulator import Simulator

KEY = "mg-local-key"
LITE = "google/veo-3.1-lite"


@dataclass
class Client:
    """Talks to a simulator as a client of the real service would, without retries and without following redirects."""

    sim: Simulator
    key: str | None = KEY
    pool: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False, maxsize=20))

    def call(
        self, method: str, address: str, body: Any = None, *, timeout: float = 10.0, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        """Send a request; `body` goes as JSON unless it is bytes."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key is not None:
            sent.setdefault("Authorization", f"Bearer {self.key}")
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        url = address if address.startswith("http") else self.sim.url + address
        return self.pool.request(method, url, body=content, headers=sent, timeout=timeout, redirect=False)

    def submit(self, **fields: Any) -> urllib3.BaseHTTPResponse:
        """Submit a clip; what is not given is a valid request."""
        return self.call("POST", "/api/v1/videos", {"model": LITE, "prompt": "hills at dawn", **fields})

    def accepted(self, **fields: Any) -> dict[str, Any]:
        """Submit and return the job."""
        answer = self.submit(**fields)
        assert answer.status == 202, answer.data
        return answer.json()

    def poll(self, job: dict[str, Any]) -> dict[str, Any]:
        """Return the job as it is now."""
        answer = self.call("GET", job["polling_url"])
        assert answer.status == 200, answer.data
        return answer.json()

    def completed(self, **fields: Any) -> dict[str, Any]:
        """Submit and return the completed job."""
        job = self.poll(self.accepted(**fields))
        assert job["status"] == "completed", job
        return job

    def clip(self, job: dict[str, Any], index: int = 0) -> bytes:
        """Download an output by its own address."""
        answer = self.call("GET", job["unsigned_urls"][index])
        assert answer.status == 200, answer.data
        return answer.data


def frame(url: str, kind: str = "first_frame") -> dict[str, Any]:
    """Make an item of `frame_images`."""
    return {"type": "image_url", "image_url": {"url": url}, "frame_type": kind}
