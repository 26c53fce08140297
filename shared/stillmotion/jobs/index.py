"""Lists of jobs, newest first, in pages that neither skip nor repeat while new jobs arrive.

A page ends at a position in time, and the next one begins strictly before it. The page token holds that position and a
fingerprint of its query. It gives no rights: what may be read follows from the caller and the query of each call, and a
token of another query is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from heapq import merge
from typing import Any

from stillmotion.errors import Fault, InvalidRequest
from stillmotion.jobs.lifecycle import Status

SHARDS = 4
"""Index partitions for each owner and each status: writes are spread over them, and a page reads all of them."""

_SHARED = "shared"
MAX_EVALUATED = 2000
_POSITION = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z#vid_[0-9a-z]{26}")


@dataclass(frozen=True, slots=True)
class Query:
    """What to list: jobs of the ``owner`` (the caller) and jobs without an owner; for an ``operator`` all jobs of a
    ``status``. ``created_after`` is ISO-8601."""

    owner: str | None
    status: Status | None = None
    model: str | None = None
    created_after: str | None = None
    operator: bool = False

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def partitions(self) -> list[str]:
        """The index partitions to read: those of a status, or those that hold what this caller may see."""
        scopes = sorted(self._scopes) if self.status is None else [str(self.status)]
        return [f"{scope}#{shard}" for scope in scopes for shard in range(SHARDS)]

    @property
    def _scopes(self) -> set[str]:
        return {_SHARED, _scope_of(self.owner)}

    def admits(self, entry: Mapping[str, Any]) -> bool:
        """Whether an entry of these partitions may be shown to this caller and is of the model asked for."""
        seen = self.operator or str(entry["owner_shard"]).split("#")[0] in self._scopes
        return seen and (self.model is None or entry.get("model") == self.model)


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the jobs as the index holds them, and the token for the next page, ``None`` on the last."""

    jobs: list[dict[str, Any]]
    next_token: str | None


type Reader = Callable[[Query, str, str | None], Iterator[dict[str, Any]]]
"""Entries of one partition, newest first, strictly before a position; each has its position as ``position``."""


def owner_partition(owner: str | None, job_id: str) -> str:
    """The partition of a job in the index by owner."""
    return f"{_scope_of(owner)}#{_shard(job_id)}"


def status_partition(status: Status, job_id: str) -> str:
    """The partition of a job in the index by status."""
    return f"{status}#{_shard(job_id)}"


def unpublished_partition(job_id: str) -> str:
    """The partition of a job in the index of finished jobs whose event is not yet published."""
    return f"unpublished#{_shard(job_id)}"


def unpublished_partitions() -> list[str]:
    """All partitions of that index."""
    return [f"unpublished#{shard}" for shard in range(SHARDS)]


def day_partition(day: str, job_id: str) -> str:
    """The partition of a job in the index by day; ``day`` is ``YYYY-MM-DD``."""
    return f"{day}#{_shard(job_id)}"


def day_partitions(day: str) -> list[str]:
    """All partitions of a day in that index."""
    return [f"{day}#{shard}" for shard in range(SHARDS)]


def owner_partitions(owner: str) -> list[str]:
    """All partitions of an owner in the index by owner."""
    return [f"{_scope_of(owner)}#{shard}" for shard in range(SHARDS)]


def uninspected_partition(job_id: str) -> str:
    """The partition of a job in the index of completed jobs whose inspection is not published yet."""
    return f"uninspected#{_shard(job_id)}"


def uninspected_partitions() -> list[str]:
    """All partitions of that index."""
    return [f"uninspected#{shard}" for shard in range(SHARDS)]


def _scope_of(owner: str | None) -> str:
    return _SHARED if owner is None else hashlib.sha256(owner.encode()).hexdigest()[:24]


def _shard(job_id: str) -> int:
    return int(hashlib.sha256(job_id.encode()).hexdigest()[:8], 16) % SHARDS


def position_of(created_at: str, job_id: str) -> str:
    """A job's place in every list: its time of creation, then its id."""
    return f"{created_at}#{job_id}"


def list_jobs(read: Reader, query: Query, limit: int, token: str | None) -> Page:
    """One page. It may be shorter than ``limit`` and still have a next one, where few of many jobs match.

    Raises:
        InvalidRequest: the token is not one of this query's.
    """
    before = None if token is None else unseal(token, query.fingerprint, _POSITION, "filters")[0]
    found: list[dict[str, Any]] = []
    entries = _merged(read, query, before)
    for evaluated, entry in enumerate(entries, start=1):
        if query.admits(entry):
            found.append(entry)
        if len(found) == limit or evaluated == MAX_EVALUATED:
            more = next(entries, None) is not None
            return Page(found, seal(entry["position"], query.fingerprint) if more else None)
    return Page(found, None)


def _merged(read: Reader, query: Query, before: str | None) -> Iterator[dict[str, Any]]:
    """All partitions as one stream, newest first; their first entries are fetched at the same time."""
    streams = [read(query, partition, before) for partition in query.partitions]
    with ThreadPoolExecutor(max_workers=len(streams)) as pool:
        heads = list(pool.map(lambda stream: next(stream, None), streams))
    begun = [_chain(head, stream) for head, stream in zip(heads, streams, strict=True) if head is not None]
    return merge(*begun, key=lambda entry: str(entry["position"]), reverse=True)


def _chain(head: dict[str, Any], rest: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield head
    yield from rest


def seal(place: str, fingerprint: str) -> str:
    """The token of a place in the answer to one query."""
    return base64.urlsafe_b64encode(f"{place}|{_hash(place, fingerprint)}".encode()).decode().rstrip("=")


def unseal(token: str, fingerprint: str, places: re.Pattern[str], same: str) -> re.Match[str]:
    """The place that a token names, matched by ``places``.

    Args:
        same: what a caller has to send again beside the token, for the message.

    Raises:
        InvalidRequest: the token is not one of this query's.
    """
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    place, _, found = text.rpartition("|")
    match = places.fullmatch(place)
    if match is None or found != _hash(place, fingerprint):
        raise foreign_token(token, same)
    return match


def foreign_token(token: str, same: str) -> InvalidRequest:
    """The error for a token that is not one of this query's."""
    return InvalidRequest(
        f"next_token does not belong to this query. Send the token of the page before with the same {same}, or none.",
        faults=[Fault("#/next_token", "is not a token of this query", given=token[:80])],
    )


def _hash(place: str, fingerprint: str) -> str:
    return hashlib.sha256(f"{fingerprint}|{place}".encode()).hexdigest()[:24]
