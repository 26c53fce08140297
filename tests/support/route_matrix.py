"""Every route of the API by every kind of caller, written down: what each is answered.

A stranger is another caller of the same stack. What a route is about is the owner's, made anew for each call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

UNSIGNED = 403
"""API Gateway's answer to a call without a signature, on every route."""
NEW_VIDEO: Any = object()
"""Stands for a request that works."""
NEW_BATCH: Any = object()
"""Stands for an order of a shared manifest."""


@dataclass(frozen=True, slots=True)
class Row:
    """One call. ``about`` is the state of the owner's thing whose id takes the place of ``{id}``."""

    method: str
    path: str
    owner: int
    stranger: int
    operator: int
    about: str | None = None
    body: Any = None

    @property
    def route(self) -> tuple[str, str]:
        return self.method, self.path.partition("?")[0]

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.about or ''}".strip()


MATRIX = (
    # method, path, owner, stranger, operator, what it is about, body
    Row("POST", "/videos", 202, 202, 202, None, NEW_VIDEO),
    Row("POST", "/videos?dry_run=true", 200, 200, 200, None, NEW_VIDEO),
    Row("GET", "/videos", 200, 200, 200, "completed"),
    Row("GET", "/videos?status=completed", 200, 200, 200, "completed"),
    Row("GET", "/videos/{id}", 200, 404, 200, "completed"),
    Row("GET", "/videos/{id}", 200, 404, 200, "timed_out"),
    Row("GET", "/videos/{id}", 200, 404, 200, "submit_unknown"),
    Row("DELETE", "/videos/{id}", 200, 404, 200, "in_progress"),
    Row("DELETE", "/videos/{id}", 409, 404, 409, "completed"),
    Row("DELETE", "/videos/{id}?purge=true", 200, 404, 200, "completed"),
    Row("DELETE", "/videos/{id}?purge=true", 409, 404, 409, "in_progress"),
    Row("POST", "/videos/{id}/resume", 202, 404, 202, "timed_out"),
    Row("POST", "/videos/{id}/resume", 409, 404, 409, "completed"),
    Row("POST", "/videos/{id}/settle", 403, 404, 200, "submit_unknown", {"abandon": True}),
    Row("POST", "/videos/{id}/settle", 403, 404, 409, "completed", {"abandon": True}),
    Row("POST", "/videos/{id}/settle", 400, 400, 400, "submit_unknown", {"abandon": "perhaps"}),
    Row("POST", "/batches", 202, 202, 202, None, NEW_BATCH),
    Row("GET", "/batches/{id}", 200, 404, 200, "batch"),
    Row("GET", "/limits", 200, 200, 200, "completed"),
    Row("PUT", "/limits", 403, 403, 200, None, {"principal": "*", "daily_usd": "0"}),
    Row("GET", "/usage", 200, 200, 200, "completed"),
    Row("GET", "/usage?by=caller", 200, 200, 200, "completed"),
    Row("GET", "/models", 200, 200, 200),
    Row("POST", "/uploads", 201, 201, 201, None, {"content_type": "image/png"}),
    Row("GET", "/openapi.json", 200, 200, 200),
    Row("GET", "/docs", 200, 200, 200),
)
