"""The guarded client: the one way in which addresses that we did not choose ourselves are fetched."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urljoin

import urllib3
from urllib3.exceptions import HTTPError

from stillmotion.outbound.addresses import (
    ForbiddenAddress,
    Resolver,
    Target,
    UnresolvedHost,
    check_address,
    resolve_host,
)
from stillmotion.ports import HttpStatusAnswer

__all__ = ["FetchFailed", "ForbiddenAddress", "GuardedClient", "UnresolvedHost"]

REDIRECTS = frozenset({301, 302, 303, 307, 308})
TIMEOUT = urllib3.Timeout(connect=3.0, read=5.0)


class FetchFailed(Exception):
    """No usable HTTP answer came; the text names the kind of failure, never the address."""


class GuardedClient:
    """GETs from public https addresses and from trusted origins; sends no cookies and no key, unpacks nothing.

    Args:
        trusted_origins: origins (``http://127.0.0.1:4566``) let through although not https or not public.
        timeout: connect and read time-outs of each request, in seconds.
        resolve: host name to IP addresses.
    """

    def __init__(
        self,
        trusted_origins: Collection[str] = (),
        timeout: urllib3.Timeout = TIMEOUT,
        resolve: Resolver = resolve_host,
    ) -> None:
        self._trusted = frozenset(trusted_origins)
        self._timeout = timeout
        self._resolve = resolve

    @contextmanager
    def get(
        self, url: str, headers: Mapping[str, str] | None = None, *, max_redirects: int = 0
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """The open answer; its body is not read yet. At most ``max_redirects`` are followed, each checked anew.

        Raises:
            ForbiddenAddress: this or a redirect's address must not be fetched.
            UnresolvedHost: a host has no address.
            FetchFailed: no connection, time-out, not HTTP, or too many redirects.
        """
        for hop in range(max_redirects + 1):
            target = check_address(url, self._trusted, self._resolve)
            with self._open(target, headers or {}) as answer:
                if answer.status not in REDIRECTS or max_redirects == 0:
                    yield answer
                    return
                url = redirected(url, answer)
            if hop == max_redirects:
                raise FetchFailed(f"more than {max_redirects} redirects")

    @contextmanager
    def _open(self, target: Target, headers: Mapping[str, str]) -> Iterator[urllib3.BaseHTTPResponse]:
        sent = {"Host": target.host_header, "Accept-Encoding": "identity", "User-Agent": "stillmotion"} | dict(headers)
        with _pool(target, self._timeout) as pool:
            try:
                answer = pool.urlopen(
                    "GET", target.path, headers=sent, retries=False, redirect=False, preload_content=False
                )
            except HTTPError as error:
                raise FetchFailed(type(error).__name__) from None
            try:
                yield answer
            finally:
                answer.close()


def redirected(url: str, answer: HttpStatusAnswer) -> str:
    """The address a redirect leads to, not checked yet.

    Raises:
        FetchFailed: it names none.
    """
    try:
        return urljoin(url, answer.headers["Location"])
    except (KeyError, ValueError):
        raise FetchFailed("a redirect to nowhere") from None


def _pool(target: Target, timeout: urllib3.Timeout) -> urllib3.HTTPConnectionPool:
    """A pool that connects to the checked IP address and speaks to the host that was asked for."""
    if target.scheme == "https":
        return urllib3.HTTPSConnectionPool(
            target.ip, target.port, timeout=timeout, server_hostname=target.host, assert_hostname=target.host
        )
    return urllib3.HTTPConnectionPool(target.ip, target.port, timeout=timeout)
