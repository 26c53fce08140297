"""One signed HTTP call, and the rules for repeating it."""

import os
import random
import time
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urlsplit

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from stillmotion_cli.errors import ApiProblem, BadInput, CommandError, NoCredentials, Unreachable

# API Gateway gives up after 29 seconds; waiting longer is of no use.
TIMEOUT = urllib3.Timeout(connect=5, read=35)
ATTEMPTS = 5
FIRST_PAUSE = 0.5
# A longer Retry-After than this is not waited for: the user sees it instead, and decides.
LONGEST_PAUSE = 60.0


def new_pool(url: str) -> urllib3.PoolManager:
    """A connection pool for an address, through the proxy that the environment names for it."""
    parts = urlsplit(url)
    certificates = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE") or None
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        address, headers = _proxy(proxy)
        return urllib3.ProxyManager(
            address, proxy_headers=headers, timeout=TIMEOUT, retries=False, ca_certs=certificates
        )
    return urllib3.PoolManager(timeout=TIMEOUT, retries=False, ca_certs=certificates)


def _proxy(given: str) -> tuple[str, dict[str, str]]:
    """A proxy's address without its user, and the header that names the user; a scheme may be left out."""
    address = urllib3.util.parse_url(given if "://" in given else f"http://{given}")
    if address.scheme not in ("http", "https") or not address.host:
        raise BadInput(
            "The proxy in HTTP_PROXY or HTTPS_PROXY is not usable: give http://host:port or https://host:port."
        )
    headers = urllib3.util.make_headers(proxy_basic_auth=unquote(address.auth)) if address.auth else {}
    return address._replace(auth=None).url, dict(headers)


def signed_headers(
    credentials: Credentials, region: str, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
) -> dict[str, str]:
    """The headers with those of AWS Signature Version 4."""
    request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
    SigV4Auth(credentials.get_frozen_credentials(), "execute-api", region).add_auth(request)
    return dict(request.headers.items())


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that an answer's Retry-After asks for, given as a number or as a date."""
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def repeat[T](
    call: Callable[[], T],
    *,
    attempts: int = ATTEMPTS,
    on_pause: Callable[[str, float], None],
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """The call's answer, after at most `attempts` tries. Pauses grow, or are as long as Retry-After says."""
    for attempt in range(1, attempts + 1):
        try:
            return call()
        except CommandError as error:
            pause = _pause(error, attempt)
            if attempt == attempts or pause is None:
                raise
            on_pause(_reason(error), pause)
            sleep(pause)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _pause(error: CommandError, attempt: int) -> float | None:
    """Seconds until the next attempt; None where another one is of no use."""
    if isinstance(error, ApiProblem):
        if not error.may_pass or (error.retry_after or 0) > LONGEST_PAUSE:
            return None
        if error.retry_after is not None:
            return error.retry_after
    elif not isinstance(error, Unreachable) or isinstance(error, NoCredentials):
        return None
    # Jitter, so that many who failed together do not come back together.
    return float(FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.75, 1.25))  # noqa: S311


def _reason(error: CommandError) -> str:
    return f"{error.code}, HTTP {error.status}" if isinstance(error, ApiProblem) else "no answer"
