"""Posts each finished or failed job to your own server, signed so that the server can trust it.

The body is the event's detail, the job's public record. The header ``Stillmotion-Signature: t=<unix seconds>,v1=<hex>``
carries HMAC-SHA256 over ``<t>.<body>`` under the secret that both sides know. An answer other than 2xx raises, so that
Lambda tries again twice and then puts the event into the dead-letter queue.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
import urllib.error
import urllib.request
from typing import Any

import boto3

TIMEOUT_SECONDS = 10
SECRET_SECONDS = 300


class NotDelivered(Exception):
    """The server did not take the webhook."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A signed body goes to the configured address and nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects)
_secret: tuple[float, bytes] | None = None


def handler(event: dict[str, Any], context: Any) -> None:
    """Post one event of the bus.

    Raises:
        NotDelivered: no answer, or one other than 2xx; Lambda tries again.
    """
    body = json.dumps({"type": event["detail-type"], "data": event["detail"]}, separators=(",", ":")).encode()
    headers = {
        "Content-Type": "application/json",
        "Stillmotion-Event-Id": event["id"],
        "Stillmotion-Signature": sign(_current_secret(), body, int(time.time())),
    }
    request = urllib.request.Request(os.environ["WEBHOOK_URL"], body, headers, method="POST")  # noqa: S310
    try:
        with _opener.open(request, timeout=TIMEOUT_SECONDS):
            return
    except urllib.error.HTTPError as error:
        error.close()
        raise NotDelivered(f"the server answered HTTP {error.code} for event {event['id']}") from None
    except OSError as error:
        raise NotDelivered(f"no answer from the server for event {event['id']}: {error}") from None


def sign(secret: bytes, body: bytes, now: int) -> str:
    """The signature header for a body sent at ``now`` (unix seconds)."""
    return f"t={now},v1={hmac.new(secret, b'%d.%s' % (now, body), hashlib.sha256).hexdigest()}"


def _current_secret() -> bytes:
    """The shared secret, read anew every five minutes so that a rotated one is picked up."""
    global _secret
    if _secret is None or time.monotonic() - _secret[0] > SECRET_SECONDS:
        found = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET_ARN"])["SecretString"]
        _secret = (time.monotonic(), found.encode())
    return _secret[1]
