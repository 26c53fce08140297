"""What ModelGates can do wrong, and how a job ends that it happens to: the table that the fault suite plays.

A row is a fault and, for every call that it can befall, how the job ends when it happens once and for ever:

    submit    POST /videos
    poll      GET /videos/{id}, asked by Poll
    look      the same, asked by Deliver
    content   the download
    models    the model list, asked before anything is paid

``refused`` is a request that never became a job. Everything that a paid job can end as but ``completed`` here is
resumed or settled once the fault is over, and then ends with its video.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.faults.world import World

type Ends = tuple[str, str]
"""How a job ends when the fault happens once, and when it happens for ever."""

SAME: Ends = ("completed", "completed")
LATER: Ends = ("completed", "failed")
FINAL: Ends = ("failed", "failed")
UNKNOWN: Ends = ("submit_unknown", "submit_unknown")
WAITED: Ends = ("completed", "timed_out")
GONE: Ends = ("completed", "expired")
LISTED: Ends = ("completed", "refused")

PLACES = ("submit", "poll", "look", "content", "models")
REDIRECTED, AWAY = "{simulator}/_simulator/images/photo.jpg", "{foreign}/stolen"


@dataclass(frozen=True, slots=True)
class ProviderFault:
    """One fault as the simulator takes it, and how it ends at each place where it makes sense."""

    name: str
    effect: dict[str, Any]
    submit: Ends | None = None
    poll: Ends | None = None
    look: Ends | None = None
    content: Ends | None = None
    models: Ends | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One fault at one place, once or for ever, and how the job ends."""

    fault: ProviderFault
    place: str
    times: int | None
    door: str
    ends: str

    def __str__(self) -> str:
        return f"{self.place}-{self.fault.name}-{'once' if self.times else 'for_ever'}-{self.door}"


def _answered(status: int, submit: Ends, content: Ends = LATER, name: str = "", **more: Any) -> ProviderFault:
    effect = {"status": status} | more
    return ProviderFault(name or str(status), effect, submit, WAITED, LATER, content, LISTED)


def _told(name: str, poll: Ends, look: Ends | None = None, **job: Any) -> ProviderFault:
    return ProviderFault(name, {"job": job}, poll=poll, look=look)


def _lost(how: str | int) -> ProviderFault:
    return ProviderFault(f"accept_then_lose_{how}", {"accept_then_lose": how}, submit=UNKNOWN)


BROKEN = (UNKNOWN, WAITED, LATER)
"""Submit, poll and look where no usable answer comes."""

FAULTS = (
    _answered(400, FINAL),
    _answered(401, LATER, LATER),
    _answered(402, FINAL),
    _answered(403, FINAL),
    _answered(404, FINAL, GONE),
    _answered(408, UNKNOWN),
    _answered(409, FINAL),
    _answered(410, FINAL, GONE),
    _answered(413, FINAL),
    _answered(429, LATER),
    _answered(429, LATER, name="429_with_retry_after", headers={"Retry-After": "120"}),
    _answered(500, UNKNOWN),
    _answered(499, UNKNOWN),
    _answered(502, UNKNOWN),
    _answered(503, LATER),
    _answered(503, LATER, name="503_with_retry_after", headers={"Retry-After": "120"}),
    _answered(504, UNKNOWN),
    ProviderFault("hang", {"hang": 0.6}, *BROKEN, LATER, LISTED),
    ProviderFault("reset", {"reset": True}, *BROKEN, LATER, LISTED),
    ProviderFault("truncate", {"truncate": 20}, *BROKEN, LATER, LISTED),
    ProviderFault("truncate_late", {"truncate": 20_000}, content=LATER),
    ProviderFault("garbage", {"garbage": True}, *BROKEN, FINAL, LISTED),
    ProviderFault("html", {"html": True}, *BROKEN, FINAL, LISTED),
    ProviderFault("empty", {"empty": True}, *BROKEN, FINAL, LISTED),
    ProviderFault("wrong_type", {"wrong_type": True}, *BROKEN, FINAL, LISTED),
    ProviderFault("redirect_same_host", {"redirect": REDIRECTED}, UNKNOWN, WAITED, LATER, FINAL, LISTED),
    ProviderFault("redirect_away", {"redirect": AWAY}, UNKNOWN, WAITED, LATER, LATER, LISTED),
    ProviderFault("slow", {"slow": 400_000}, SAME, SAME, SAME, SAME, SAME),
    *map(_lost, ("reset", "hang", "unreadable", 500, 502, 504)),
    _told("unknown_status", WAITED, SAME, status="dreaming"),
    _told("upper_case", SAME, SAME, status="COMPLETED"),
    _told("succeeded", SAME, SAME, status="succeeded"),
    _told("completed_without_addresses", SAME, SAME, status="completed", urls=None, unsigned_urls=None),
    _told("foreign_addresses", SAME, SAME, unsigned_urls=[AWAY], polling_url=AWAY),
    _told("error_as_object", FINAL, status="failed", error={"code": "moderation", "message": "not this"}),
)


def cases() -> Iterator[Case]:
    """Every fault at every place where it makes sense, once and for ever.

    The two doors have a submit of their own, so it fails at both; the rest of the way they share.
    """
    for fault in FAULTS:
        for place in PLACES:
            ends: Ends | None = getattr(fault, place)
            if ends is None:
                continue
            for times, end, door in ((1, ends[0], "http"), (None, ends[1], "workflow")):
                yield Case(fault, place, times, door, end)
                if place == "submit":
                    yield Case(fault, place, times, "workflow" if door == "http" else "http", end)


def filled(world: World, effect: dict[str, Any]) -> dict[str, Any]:
    """The effect with the addresses of this world in it."""

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: fill(part) for name, part in value.items()}
        if isinstance(value, list):
            return [fill(part) for part in value]
        if isinstance(value, str):
            return value.replace("{simulator}", world.simulator.url).replace("{foreign}", world.foreign.url)
        return value

    filled: dict[str, Any] = fill(effect)
    return filled
