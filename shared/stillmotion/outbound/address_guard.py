"""Which addresses may be fetched, decided on the resolved IP address that is then connected to.

An address comes from a caller or from a provider's answer, and the Lambda that fetches it runs inside an AWS account.
So: https only, public unicast only, and no second look-up between the check and the connection (DNS rebinding). What is
trusted beyond that is configured as origins, for example a local cloud. Source of the ranges: the IANA special-purpose
registries, as Python's :mod:`ipaddress` has them.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

Resolver = Callable[[str, int], Iterable[str]]

_NAT64 = IPv6Network("64:ff9b::/96")
_NOT_UNICAST = tuple(
    ip_network(one)
    for one in (
        *("192.88.99.0/24", "fec0::/10", "3fff::/20"),  # relays of 6to4 (RFC 7526), site-local, documentation
        *("192.0.0.0/24", "2001::/23"),  # protocol assignments, some of them anycast to the nearest router (RFC 6890)
        *("192.31.196.0/24", "192.175.48.0/24", "2620:4f:8000::/48", "192.52.193.0/24"),  # AS112 and AMT, by anycast
    )
)
"""Of the special-purpose blocks those of which :mod:`ipaddress` lets something pass."""
MAX_URL_CHARACTERS = 8192
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)")
"""A host that every reader takes for an IPv4 address (*WHATWG URL*, "ends in a number"), but not for the same one:
``010.0.0.1`` is 8.0.0.1 or 10.0.0.1."""
_DOTTED = re.compile(r"(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}")


class ForbiddenAddress(Exception):
    """The address must not be fetched; the text says why and is fit for the caller."""


class UnresolvedHost(Exception):
    """The host name has no address."""


@dataclass(frozen=True, slots=True)
class Target:
    """A checked address: where to connect (one of ``ips``, ``port``) and what to ask for there."""

    scheme: str
    host: str
    port: int
    ips: tuple[str, ...]
    path: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"


def resolve_host(host: str, port: int) -> list[str]:
    """The host's IP addresses, as the system resolves them."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def check_address(url: str, trusted_origins: Collection[str] = (), resolve: Resolver = resolve_host) -> Target:
    """Where to connect for this URL.

    Raises:
        ForbiddenAddress: not https, with credentials in it, or any of its addresses is not public unicast.
        UnresolvedHost: the name has no address, or what the resolver gives is none.
    """
    scheme, host, port, path = _split(url)
    trusted = origin(url) in trusted_origins
    if scheme != "https" and not trusted:
        raise ForbiddenAddress(f"its scheme is {scheme or 'missing'}, only https is fetched")
    ips = _resolved(host, port, resolve)
    # All of them, not the first: a name with one public and one private address is a trick.
    if not trusted and not all(is_public(ip) for ip in ips):
        raise ForbiddenAddress(f"the host '{host}' is not on the public internet")
    return Target(scheme, host, port, ips, path)


def _resolved(host: str, port: int, resolve: Resolver) -> tuple[str, ...]:
    """The host's IP addresses, each once, in the resolver's order."""
    try:
        found = tuple(dict.fromkeys(resolve(host, port)))
        for ip in found:
            ip_address(ip.split("%", 1)[0])
    except Exception:  # whatever a resolver's nonsense comes to
        raise UnresolvedHost(f"the host '{host}' has no address") from None
    if not found:
        raise UnresolvedHost(f"the host '{host}' has no address")
    return found


def origin(url: str) -> str:
    """Scheme, host and port in one canonical form, for example ``https://example.com:443``."""
    scheme, host, port, _ = _split(url)
    return f"{scheme}://{host}:{port}"


def is_public(ip: str) -> bool:
    """Whether an IP address is public unicast, also when it is IPv4 within IPv6."""
    address = ip_address(ip.split("%", 1)[0])
    for inner in _embedded(address):
        if not is_public(str(inner)):
            return False
    if any(address in network for network in _NOT_UNICAST if network.version == address.version):
        return False
    # is_global is false for loopback, private, link-local, shared, documentation and reserved ranges.
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: IPv4Address | IPv6Address) -> Iterable[IPv4Address]:
    if isinstance(address, IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [inner for inner in found if inner is not None]


def _split(url: str) -> tuple[str, str, int, str]:
    if len(url) > MAX_URL_CHARACTERS:
        raise ForbiddenAddress(f"it has {len(url):,} characters, at most {MAX_URL_CHARACTERS:,} are taken")
    if any(character <= " " or character == "\x7f" or character == "\\" for character in url):
        raise ForbiddenAddress("it holds a space, a backslash or a control character")
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        host = host if host.isascii() else host.encode("idna").decode()
        port = (443 if parts.scheme == "https" else 80) if parts.port is None else parts.port
    except ValueError:
        raise ForbiddenAddress("it is not a valid address") from None
    if port == 0:
        raise ForbiddenAddress("port 0 is no port")
    if not host:
        raise ForbiddenAddress("it names no host")
    if _HOST.fullmatch(host) is None:  # also characters that normalisation turns into a space or a percent sign
        raise ForbiddenAddress("its host is not a host name")
    if _NUMERIC.fullmatch(host) and not _DOTTED.fullmatch(host):
        raise ForbiddenAddress("its host is a number; write an IPv4 address as four decimal numbers with dots")
    if parts.username is not None or parts.password is not None:
        raise ForbiddenAddress("it holds a user name or password")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme.lower(), host, port, path
