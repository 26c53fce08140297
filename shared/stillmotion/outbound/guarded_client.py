"""The guarded client: the one way in which addresses that we did not choose ourselves are fetched."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin

import urllib3
from urllib3.exceptions import HTTPError

from stillmotion.outbound.address_guard import (
    ForbiddenAddress,
    Resolver,
    Target,
    UnresolvedHost,
    check_address,
    resolve_host,
)
from stillmotion.outbound.deadline import Bounded, BoundedHttpPool, BoundedHttpsPool, BoundedTls, Deadline
from stillmotion.outbound.tls import shared_context
from stillmotion.ports import HttpStatusAnswer

__all__ = ["FetchFailed", "ForbiddenAddress", "GuardedClient", "UnresolvedHost"]

REDIRECTS = frozenset({301, 302, 303, 307, 308})
TIMEOUT = urllib3.Timeout(connect=3.0, read=5.0)
DEADLINE_SECONDS = 10.0


class FetchFailed(Exception):
    """No usable HTTP answer came; the text names the kind of failure, never the address."""


class GuardedClient:
    """GETs from public https addresses and from trusted origins; sends no cookies and no key, unpacks nothing.

    Args:
        trusted_origins: origins (``http://127.0.0.1:4566``) let through although not https or not public.
        timeout: of connecting to one address, and of waiting for the next bytes, in seconds.
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
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        max_redirects: int = 0,
        deadline: Deadline | None = None,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """The open answer; its body is not read yet. At most ``max_redirects`` are followed, each checked anew.

        Args:
            deadline: for the whole call, redirects and body included; ten seconds where none is given.

        Raises:
            ForbiddenAddress: this or a redirect's address must not be fetched.
            UnresolvedHost: a host has no address.
            FetchFailed: no connection, time-out, not HTTP, or too many redirects.
        """
        deadline = deadline or Deadline(DEADLINE_SECONDS)
        for hop in range(max_redirects + 1):
            target = check_address(url, self._trusted, self._resolve)
            with self._open(target, headers or {}, deadline) as answer:
                if answer.status not in REDIRECTS or max_redirects == 0:
                    yield answer
                    return
                url = redirected(url, answer)
            if hop == max_redirects:
                raise FetchFailed(f"more than {max_redirects} redirects")

    @contextmanager
    def connected(self, url: str, deadline: Deadline) -> Iterator[tuple[Bounded, str]]:
        """A connection to the first of the host's addresses that takes one, and the ``Host`` header to begin with;
        nothing has been sent.

        Raises:
            ForbiddenAddress, UnresolvedHost: as :meth:`get`.
            FetchFailed: no connection.
        """
        target = check_address(url, self._trusted, self._resolve)
        failed: Exception = TimeoutError()
        for ip, timeout in _turns(target, self._timeout, deadline):
            connection = _connection(target, ip, timeout, deadline)
            try:
                try:
                    connection.connect()
                except (HTTPError, OSError) as error:
                    failed = error
                    continue
                connection.timeout = timeout.read_timeout
                yield connection, target.host_header
                return
            finally:
                connection.close()
        raise FetchFailed(type(failed).__name__)

    @contextmanager
    def _open(
        self, target: Target, headers: Mapping[str, str], deadline: Deadline
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """The answer of the first of the target's addresses that gives one."""
        sent = {"Host": target.host_header, "Accept-Encoding": "identity", "User-Agent": "stillmotion"} | dict(headers)
        failed: Exception = TimeoutError()
        deadline.begin_call()
        for ip, timeout in _turns(target, self._timeout, deadline):
            with _pool(target, ip, timeout, deadline) as pool:
                try:
                    answer = pool.urlopen(
                        "GET", target.path, headers=sent, retries=False, redirect=False, preload_content=False
                    )
                except HTTPError as error:
                    failed = error
                    continue
                deadline.begin_body()
                try:
                    yield answer
                finally:
                    answer.close()
                return
        raise FetchFailed(type(failed).__name__)


def redirected(url: str, answer: HttpStatusAnswer) -> str:
    """The address a redirect leads to, not checked yet.

    Raises:
        FetchFailed: it names none.
    """
    try:
        return urljoin(url, answer.headers["Location"])
    except (KeyError, ValueError):
        raise FetchFailed("a redirect to nowhere") from None


def _turns(target: Target, timeout: urllib3.Timeout, deadline: Deadline) -> Iterator[tuple[str, urllib3.Timeout]]:
    """The target's addresses, and what connecting to each may take: a dead one leaves time for those behind it."""
    wanted = urllib3.Timeout.resolve_default_timeout(timeout.connect_timeout)
    for at, ip in enumerate(target.ips):
        try:
            share = deadline.left() / (len(target.ips) - at)
        except TimeoutError:
            return
        yield ip, urllib3.Timeout(connect=share if wanted is None else min(wanted, share), read=timeout.read_timeout)


def _pool(target: Target, ip: str, timeout: urllib3.Timeout, deadline: Deadline) -> urllib3.HTTPConnectionPool:
    """A pool that connects to one checked IP address and speaks to the host that was asked for."""
    if target.scheme == "https":
        return BoundedHttpsPool(ip, target.port, timeout=timeout, deadline=deadline, **_tls(target))
    return BoundedHttpPool(ip, target.port, timeout=timeout, deadline=deadline)


def _connection(target: Target, ip: str, timeout: urllib3.Timeout, deadline: Deadline) -> Bounded:
    """A connection of its own, not made yet."""
    connect = timeout.connect_timeout
    if target.scheme == "https":
        return BoundedTls(ip, target.port, timeout=connect, deadline=deadline, **_tls(target))
    return Bounded(ip, target.port, timeout=connect, deadline=deadline)


def _tls(target: Target) -> dict[str, Any]:
    return {"server_hostname": target.host, "ssl_context": shared_context()}
