"""Numbers the way people read them, and the times that people type."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from stillmotion_cli.errors import BadInput

_SPAN = re.compile(r"(?P<number>\d{1,6})(?P<unit>[smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def size(count: int) -> str:
    """Bytes in decimal units: 999 B, 1.2 kB, 3.4 MB."""
    if count < 1000:
        return f"{count} B"
    number = float(count)
    for unit in ("kB", "MB", "GB"):
        number /= 1000
        if number < 999.95 or unit == "GB":
            break
    return f"{number:.1f} {unit}"


def money(usd: Any) -> str:
    """US dollars, with as many digits as small prices need; a dash where it is not known."""
    if not isinstance(usd, int | float):
        return "-"
    return f"${usd:.2f}" if usd >= 0.995 or round(usd, 2) == usd else f"${usd:.4f}".rstrip("0")


def clock(seconds: float) -> str:
    """A length of time: 0:07, 12:30, 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def age(timestamp: Any, now: datetime | None = None) -> str:
    """How long ago an ISO-8601 time was, in one unit: 5s, 3m, 2h, 4d."""
    try:
        seconds = ((now or datetime.now(UTC)) - datetime.fromisoformat(str(timestamp))).total_seconds()
    except (ValueError, TypeError):
        return "-"
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= length:
            return f"{int(seconds // length)}{unit}"
    return f"{max(0, int(seconds))}s"


def moment(option: str, text: str, now: datetime | None = None) -> datetime:
    """The UTC time that `text` names: a span back from now (90s, 15m, 2h, 3d, 1w) or an ISO-8601 time.

    A time without an offset is this machine's own.
    """
    try:
        if span := _SPAN.fullmatch(text.strip()):
            return (now or datetime.now(UTC)) - timedelta(**{_UNITS[span["unit"]]: int(span["number"])})
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(
            f"{option} {text} is no time. Give a span back from now (90s, 15m, 2h, 3d, 1w) or a time such as "
            "2026-11-22 or 2026-11-22T12:00:00Z."
        ) from error


def iso(time: datetime) -> str:
    """A UTC time as the API takes it."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
