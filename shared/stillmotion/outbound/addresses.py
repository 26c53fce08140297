"""Which addresses may be fetched, decided on the resolved IP address that is then connected to.

An address comes from a caller or from a provider's answer, and the Lambda that fetches it stands inside an
account. So: https only, public unicast only, and no second look-up between the check and the connection (DNS
rebinding). What is trusted beyond that is configured as origins, for example a local cloud.
Source of the ranges: the IANA special-purpose registries, as Python's :mod:`ipaddress` has them.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

Resolver = Callable[[str, int], Iterable[str]]

_NAT64 = IPv6Network("64:ff9b::/96")
MAX_URL_CHARACTERS = 8192
_SECRET_END = re.compile(r"[?#].*", re.DOTALL)
_QUERY = re.compile(r"(?<=\S)\?[^\s\"'<>?=]*=[^\s\"'<>]*")
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_CREDENTIALS = re.compile(r"^([^/]*//)[^/]*@")


class ForbiddenAddress(Exception):
    """The address must not be fetched; the text says why and is fit for the caller."""


class UnresolvedHost(Exception):
    """The host name has no address."""


@dataclass(frozen=True, slots=True)
class Target:
    """A checked address: where to connect (``ip``, ``port``) and what to ask for there."""

    scheme: str
    host: str
    port: int
    ip: str
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
        UnresolvedHost: the name has no address.
    """
    scheme, host, port, path = _split(url)
    trusted = origin(url) in trusted_origins
    if scheme != "https" and not trusted:
        raise ForbiddenAddress(f"its scheme is {scheme or 'missing'}, only https is fetched")
    try:
        found = list(resolve(host, port))
    except (OSError, UnicodeError):
        found = []
    if not found:
        raise UnresolvedHost(f"the host '{host}' has no address")
    # All of them, not the first: a name with one public and one private address is a trick.
    if not trusted and not all(is_public(ip) for ip in found):
        raise ForbiddenAddress(f"the host '{host}' is not on the public internet")
    return Target(scheme, host, port, found[0], path)


def origin(url: str) -> str:
    """Scheme, host and port in one canonical form, for example ``https://example.com:443``."""
    scheme, host, port, _ = _split(url)
    return f"{scheme}://{host}:{port}"


def shown_address(url: str) -> str:
    """An address fit to be repeated in messages, records and events: no image data, and no query string, fragment,
    user name or password, which may be secrets."""
    if url[:5].lower() == "data:":
        return url[:40] + "…"
    address = _CREDENTIALS.sub(r"\1…@", _SECRET_END.sub("", url))
    return address[:500] + ("?…" if "?" in url else "")


def without_queries(text: str) -> str:
    """A text of somebody else's, with the query strings of the addresses in it cut off: they may hold signatures."""
    return _QUERY.sub("?…", text)


def is_public(ip: str) -> bool:
    """Whether an IP address is public unicast, also when it is IPv4 dressed as IPv6."""
    address = ip_address(ip.split("%", 1)[0])
    for inner in _embedded(address):
        if not is_public(str(inner)):
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
    if _HOST.fullmatch(host) is None:  # also what is a space or a percent sign only once it is normalised
        raise ForbiddenAddress("its host is not a host name")
    if parts.username is not None or parts.password is not None:
        raise ForbiddenAddress("it holds a user name or password")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme.lower(), host, port, path
