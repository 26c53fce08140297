"""What the shell completes: ids of jobs and names of models, as the stack has them.

Completing must be quick and must never disturb typing. So there is one try with a short time-out, answers
are kept for a moment, and every failure completes nothing.
"""

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer
import urllib3

from stillmotion_cli.client import ApiClient
from stillmotion_cli.discovery import Wanted, find_stack
from stillmotion_cli.stack import Stack
from stillmotion_cli.transport import new_pool

ID_SECONDS, MODEL_SECONDS = 15, 600
TIMEOUT = urllib3.Timeout(connect=2, read=4)
NEWEST = 50
_ENVIRONMENT = ("STILLMOTION_STACK", "XDG_CONFIG_HOME", "AWS_PROFILE", "AWS_REGION", "AWS_ACCESS_KEY_ID")


def job_ids(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The newest jobs whose ids begin like this, each with its status and prompt as help."""
    return _completed(ctx, incomplete, f"/videos?limit={NEWEST}", ID_SECONDS)


def model_names(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The models whose names begin like this, each with its price as help."""
    return _completed(ctx, incomplete, "/models", MODEL_SECONDS)


def _completed(ctx: typer.Context, incomplete: str, path: str, seconds: int) -> list[tuple[str, str]]:
    # A traceback in the middle of a command line helps less than no completion.
    with suppress(Exception):
        given = ctx.params
        wanted = Wanted(given.get("stack_name"), given.get("profile"), given.get("region"))
        entries = _recall(wanted, path, seconds)
        if entries is None:
            entries = [_entry(one) for one in _ask(find_stack(wanted), path)]
            _remember(wanted, path, entries)
        return [(name, text) for name, text in entries if name.startswith(incomplete)]
    return []


def _ask(stack: Stack, path: str) -> list[dict[str, Any]]:
    pool = new_pool(stack.api_url)
    pool.connection_pool_kw["timeout"] = TIMEOUT
    answer = ApiClient(stack, http=pool).exchange("GET", path, None, {"Accept": "application/json"})
    found: list[dict[str, Any]] = json.loads(answer.body)["data"] if answer.status == 200 else []
    return found


def _entry(one: dict[str, Any]) -> tuple[str, str]:
    """A name and a few words about it; a colon or a line break would end the words in some shells."""
    request = one.get("request") or {}
    price = one.get("estimated_cost_usd")
    words = [one.get("status"), request.get("prompt"), f"{price} USD" if price is not None else None]
    text = ", ".join(str(word) for word in words if word)
    return str(one["id"]), " ".join(text.replace(":", " ").split())[:60]


def _file(wanted: Wanted, path: str) -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stillmotion" / "completion"
    # The same names mean another stack in another folder, or under other credentials.
    place = [str(wanted), path, str(Path.cwd()), *(os.environ.get(name, "") for name in _ENVIRONMENT)]
    return folder / hashlib.sha256("\0".join(place).encode()).hexdigest()[:40]


def _recall(wanted: Wanted, path: str, seconds: int) -> list[tuple[str, str]] | None:
    with suppress(OSError, ValueError, TypeError):
        file = _file(wanted, path)
        if 0 <= time.time() - file.stat().st_mtime < seconds:
            return [(str(name), str(text)) for name, text in json.loads(file.read_text())]
    return None


def _remember(wanted: Wanted, path: str, entries: list[tuple[str, str]]) -> None:
    """Keep the names for a moment, readable by this user only, and forget the old ones."""
    with suppress(OSError):
        file = _file(wanted, path)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(entries))
        part.replace(file)
        for old in file.parent.iterdir():
            if time.time() - old.stat().st_mtime > MODEL_SECONDS:
                old.unlink(missing_ok=True)
