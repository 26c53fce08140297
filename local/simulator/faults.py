"""Faults that a test asks for: where they apply, how often, and what they do."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PLACES = ("submit", "poll", "content", "storage", "models", "key", "image")
EFFECTS = (
    "status",
    "hang",
    "delay",
    "reset",
    "truncate",
    "garbage",
    "html",
    "accept_then_lose",
    "redirect",
    "wrong_type",
    "empty",
    "slow",
    "job",
    "wrapped",
    "refusal",
)
FLAGS = ("reset", "garbage", "html", "wrong_type", "empty")
# How a refusal says its words: the documented error, one of its fields, or as a proxy in between puts it.
WORDINGS = ("error", "metadata_raw", "moderation", "message", "detail", "detail_list")
LOSSES = ("reset", "hang", "unreadable", 429, 500, 502, 503, 504)
OPTIONS = ("on", "times", "after", "match", "rate", "headers", "body", "wording")
FOR_EVER = 3600.0
DEFAULT_STATUSES = {"redirect": 302, "refusal": 400}


class BadFaultError(ValueError):
    """A fault cannot be understood; the message names the field."""


@dataclass
class Fault:
    """One fault: it leaves the first `after` matching requests alone and then hits `times` (None: all) of them.

    With a `rate` below 1 it hits that share of them, the same ones in every run: chance begins with the fault's `id`.
    """

    id: int
    on: str
    effect: str
    value: Any
    times: int | None = 1
    after: int = 0
    match: str | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    rate: float = 1.0
    wording: str = "error"
    seen: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        self._chance = random.Random(self.id)  # noqa: S311 - picks requests, hides nothing

    def meets(self, address: str) -> bool:
        """Count a request to its place and tell whether the fault may hit it."""
        if self.match is not None and self.match not in address:
            return False
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.hits >= self.times):
            return False
        return self.rate == 1 or self._chance.random() < self.rate

    def as_json(self) -> dict[str, Any]:
        """Return the fault with `hits`, and with `remaining` (null: for ever)."""
        return {
            "id": self.id,
            "on": self.on,
            self.effect: self.value,
            "times": self.times,
            "after": self.after,
            "match": self.match,
            "rate": self.rate,
            "hits": self.hits,
            "remaining": None if self.times is None else self.times - self.hits,
        }


class Faults:
    """The faults in force; of several that may hit a request the oldest does."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._made = 0

    def add(self, spec: Mapping[str, Any]) -> Fault:
        """Put a fault in force; raises BadFaultError."""
        self._made += 1
        fault = parse(self._made, spec)
        self._faults.append(fault)
        return fault

    def take(self, place: str, address: str) -> Fault | None:
        """Return the fault that hits a request to this place, and count the hit."""
        # Every fault counts every request, so that `after` means the same whatever else is in force.
        ready = [fault for fault in self._faults if fault.on == place and fault.meets(address)]
        if not ready:
            return None
        ready[0].hits += 1
        return ready[0]

    def clear(self) -> None:
        """Take all faults back."""
        self._faults.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """Return all faults, oldest first."""
        return [fault.as_json() for fault in self._faults]


def parse(number: int, spec: object) -> Fault:
    """Make a fault from its JSON; raises BadFaultError naming the field that is wrong."""
    if not isinstance(spec, Mapping):
        raise BadFaultError("a fault must be an object")
    if unknown := sorted(set(spec) - {*EFFECTS, *OPTIONS}):
        raise BadFaultError(f"'{unknown[0]}' is not a field of a fault")
    effect = _effect(spec)
    on = spec.get("on")
    if on not in PLACES:
        raise BadFaultError(f"'on' must be one of {', '.join(PLACES)}")
    _check_place(on, effect)
    status = spec.get("status", DEFAULT_STATUSES.get(effect, 200))
    return Fault(
        id=number,
        on=on,
        effect=effect,
        value=_value(effect, spec[effect]),
        times=_count(spec, "times", 1),
        after=_count(spec, "after", 0) or 0,
        match=spec.get("match"),
        status=_value("status", status),
        headers={str(name): str(value) for name, value in (spec.get("headers") or {}).items()},
        body=spec.get("body"),
        rate=_rate(spec.get("rate", 1)),
        wording=_wording(spec, effect),
    )


def _effect(spec: Mapping[str, Any]) -> str:
    effects = [name for name in EFFECTS if name in spec]
    with_status = [name for name in effects if name in DEFAULT_STATUSES]
    if len(effects) == 2 and "status" in effects and with_status:
        return with_status[0]
    if len(effects) != 1:
        raise BadFaultError(f"a fault needs exactly one of {', '.join(EFFECTS)}; there are {len(effects)}")
    return effects[0]


def _check_place(on: str, effect: str) -> None:
    if effect in ("job", "wrapped") and on not in ("submit", "poll"):
        raise BadFaultError(f"'{effect}' is for submits and polls only")
    if effect == "accept_then_lose" and on != "submit":
        raise BadFaultError("'accept_then_lose' is for submits only")


def _count(spec: Mapping[str, Any], name: str, default: int) -> int | None:
    value = spec.get(name, default)
    if value is None and name == "times":
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadFaultError(f"'{name}' must be a whole number of 0 or more")
    return value


def _wording(spec: Mapping[str, Any], effect: str) -> str:
    if "wording" in spec and effect != "refusal":
        raise BadFaultError("'wording' is for refusals only")
    wording = spec.get("wording", "error")
    return str(_checked(wording in WORDINGS, "wording", f"one of {', '.join(WORDINGS)}", wording))


def _rate(value: Any) -> float:
    return float(_checked(_is_amount(value) and 0 < value <= 1, "rate", "a number above 0 and up to 1", value))


def _value(effect: str, value: Any) -> Any:
    if effect in FLAGS:
        return _checked(value is True, effect, "true", value)
    if effect == "status":
        is_status = isinstance(value, int) and not isinstance(value, bool) and 200 <= value <= 599
        return _checked(is_status, effect, "an HTTP status from 200 to 599", value)
    if effect == "accept_then_lose":
        loss = "reset" if value is True else value
        return _checked(loss in LOSSES, effect, f"one of {', '.join(map(str, LOSSES))}", loss)
    if effect in ("redirect", "refusal", "wrapped"):
        wanted = {"redirect": "an address", "refusal": "the words", "wrapped": "keys such as data, data.job or data.[]"}
        return _checked(isinstance(value, str) and value != "", effect, wanted[effect], value)
    if effect == "job":
        return _checked(isinstance(value, dict), effect, "an object", value)
    if effect == "hang" and (value is None or value is True):
        return FOR_EVER
    return _checked(_is_amount(value), effect, "a number of 0 or more", value)


def _is_amount(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 and math.isfinite(value)


def _checked(holds: bool, effect: str, wanted: str, value: Any) -> Any:
    if not holds:
        raise BadFaultError(f"'{effect}' must be {wanted}")
    return value
