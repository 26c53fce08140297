"""The receiving side: check a webhook's signature before you read its body. Copy it into your server."""

from __future__ import annotations

import hashlib
import hmac
import re

MAX_AGE_SECONDS = 300
_HEADER = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")


def is_genuine(header: str, body: bytes, secret: bytes, now: float) -> bool:
    """Whether ``body``, as raw bytes, was signed with ``secret`` within the last five minutes (``now``: unix seconds).

    Answer 2xx afterwards only when the event is stored. The same event may come twice: go by the header
    ``Stillmotion-Event-Id``, or by the job's ``id`` and ``status``.
    """
    found = _HEADER.fullmatch(header)
    if found is None or abs(now - int(found[1])) > MAX_AGE_SECONDS:
        return False
    wanted = hmac.new(secret, found[1].encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, found[2])
