"""ModelGates' callback (webhook): its address, its signature, and what is read of its body.

The address carries our job id and a token that only this stack can make. The body is read for one thing, ModelGates'
id of the job. A callback is a hint to ask ModelGates, never a result: what it says of the job's state is not read.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Collection

from stillmotion.modelgates.job import id_text

MAX_BODY_BYTES = 64 * 1024
MAX_SIGNATURE_AGE_SECONDS = 300
_PATH = re.compile(r"/callbacks/(vid_[0-9abcdefghjkmnpqrstvwxyz]{26})/([A-Za-z0-9_-]{43})")
_PROVIDER_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SIGNATURE = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")


def callback_token(secret: str, job_id: str) -> str:
    """The token of a job's address: HMAC-SHA256 in 43 characters of base64url."""
    digest = hmac.digest(secret.encode(), f"callback:{job_id}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def callback_url(base: str, secret: str, job_id: str) -> str:
    """The address that ModelGates calls about a job. It is a secret: never recorded, never logged."""
    return f"{base.rstrip('/')}/callbacks/{job_id}/{callback_token(secret, job_id)}"


def read_path(path: str) -> tuple[str, str] | None:
    """Job id and token of a path of this form, not checked yet; ``None`` for any other path."""
    found = _PATH.fullmatch(path)
    return None if found is None else (found[1], found[2])


def token_holds(token: str, job_id: str, secrets: Collection[str]) -> bool:
    """Whether one of the secrets made the token. All are compared, each in constant time."""
    return _any_equal(token, [callback_token(secret, job_id) for secret in secrets])


def signature_holds(header: str, body: bytes, secrets: Collection[str], now: float) -> bool:
    """Whether ``t=<unix seconds>,v1=<hex>`` signs these bytes with one of the secrets, at most 300 s from ``now``."""
    found = _SIGNATURE.fullmatch(header)
    if found is None or abs(now - int(found[1])) > MAX_SIGNATURE_AGE_SECONDS:
        return False
    signed = f"{found[1]},".encode() + body
    return _any_equal(found[2], [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets])


def named_provider_id(body: bytes) -> str | None:
    """ModelGates' id of the job, ``data.id``; ``None`` where the body cannot be read or names none."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    data = parsed.get("data") if isinstance(parsed, dict) else None
    found = id_text(data.get("id")) if isinstance(data, dict) else None
    return found if found is not None and _PROVIDER_ID.fullmatch(found) else None


def _any_equal(given: str, made: list[str]) -> bool:
    """Whether one of them is the given text. The time tells neither which one nor how much of it is equal."""
    equal = [hmac.compare_digest(given, one) for one in made]
    return any(equal)
