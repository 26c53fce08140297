"""Which addresses the simulator may reach, and the sessions it reaches them with."""

import asyncio
import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

LOOPBACK = "127.0.0.1"


def split(url: str) -> SplitResult | None:
    """Split an address, or return None where it is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.hostname else None


def is_loopback_name(host: str) -> bool:
    """Tell whether a host is this machine by its name or number alone (RFC 6761: `localhost` and all below it)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_callback_allowed(url: str) -> bool:
    """Tell whether a webhook may go there: https anywhere, http to this machine only."""
    parts = split(url)
    if parts is None or parts.hostname is None:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback_name(parts.hostname))


def is_image_address(url: str) -> bool:
    """Tell whether a string has the shape of an image address; where it leads shows when it is fetched."""
    if url.startswith("data:"):
        return url.startswith("data:image/") and ";base64," in url[:200]
    parts = split(url)
    return parts is not None and parts.scheme in ("http", "https")


class LocalNames(AbstractResolver):
    """Resolves `*.localhost` to this machine, which not every system does, and can refuse whatever is elsewhere."""

    def __init__(self, *, loopback_only: bool) -> None:
        self._loopback_only = loopback_only
        self._system = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host; raises OSError where there are none that may be used."""
        name = LOOPBACK if is_loopback_name(host) else host
        found = await self._system.resolve(name, port, family)
        if self._loopback_only:
            found = [entry for entry in found if ipaddress.ip_address(entry["host"]).is_loopback]
        if not found:
            raise OSError(f"{host} is not an address of this machine")
        return found

    async def close(self) -> None:
        """Let go of the system's resolver."""
        await self._system.close()


class Outbound:
    """The two ways out of the simulator: to anywhere, and to this machine only."""

    def __init__(self) -> None:
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    def session(self, *, loopback_only: bool) -> aiohttp.ClientSession:
        """Return the session for one of these two kinds, made when first needed."""
        if loopback_only not in self._sessions:
            connector = aiohttp.TCPConnector(resolver=LocalNames(loopback_only=loopback_only))
            session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
            # aiohttp would silently repeat a broken GET, and a fault that hits once would have no effect; aiohttp's own
            # test client switches this off in the same way.
            session._retry_connection = False
            self._sessions[loopback_only] = session
        return self._sessions[loopback_only]

    async def close(self) -> None:
        """Close both."""
        await asyncio.gather(*(session.close() for session in self._sessions.values()))
        self._sessions.clear()
