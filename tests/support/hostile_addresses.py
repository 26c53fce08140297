"""Addresses that lead inside, in every spelling that some reader of addresses understands.

They are made by code: each inner address in each spelling, and tricks with the rest of an address. A port that a
listener of the test has makes an address that gets through be noticed there.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

PUBLIC = "93.184.215.14"
"""An address on the public internet; no test connects to it."""
INNER_V4 = (
    *("127.0.0.1", "127.8.9.10", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.254", "192.168.1.1"),
    *("169.254.169.254", "169.254.170.2", "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.0.9"),
    *("192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "192.88.99.1", "192.31.196.1"),
    *("224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
)
"""Loopback, this host, private, link-local with the metadata services of clouds, shared, protocol assignments,
documentation, benchmarks, relays and sinks by anycast, multicast, reserved, broadcast."""
INNER_V6 = (
    *("::", "::1", "fe80::1", "febf::1", "fe80::5efe:7f00:1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "fec0::1"),
    *("feff::1", "ff02::1", "ff0e::1", "100::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:1::1", "2001:db8::1"),
    *("3fff::1", "3fff:fff::1", "5f00::1", "2002:c058:6301::", "2620:4f:8000::1", "64:ff9b:1::1"),
)
METADATA_NAMES = ("metadata.google.internal", "metadata", "instance-data.ec2.internal", "metadata.tencentyun.com")
LOCAL_NAMES = ("localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain", "ip6-localhost")
REBINDING = "rebinding.example"
MIXED = {"mixed.example": (PUBLIC, "127.0.0.1"), "mixed-six.example": (PUBLIC, "::1"), "inner.example": ("10.0.0.7",)}
NONSENSE = {"empty.example": (), "words.example": ("not an address",), "zone.example": ("fe80::1%eth0",)}


@dataclass(frozen=True, slots=True)
class Hostile:
    """An address, and the kind of trick it is."""

    kind: str
    url: str


@dataclass
class Names:
    """A resolver that knows the corpus' names and what the system makes of numbers, and asks no name server.

    ``rebinding.example`` is public when it is asked for the first time, and leads inside ever after.
    """

    asked: dict[str, int] = field(default_factory=dict)

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked[host] = self.asked.get(host, 0) + 1
        if host.endswith(REBINDING):
            return [PUBLIC] if self.asked[host] == 1 else ["127.0.0.1"]
        if host in _KNOWN:
            return list(_KNOWN[host])
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return [str(one[4][0]) for one in found]


_KNOWN: Mapping[str, tuple[str, ...]] = (
    MIXED
    | NONSENSE
    | dict.fromkeys(METADATA_NAMES, ("169.254.169.254",))
    | {name.rstrip(".").lower(): ("127.0.0.1", "::1") for name in LOCAL_NAMES}
)


def corpus(port: int) -> list[Hostile]:
    """Every hostile address once; ``port`` is where the test listens on 127.0.0.1."""
    found: dict[str, Hostile] = {}
    for one in _all(port):
        found.setdefault(one.url, one)
    return list(found.values())


def _all(port: int) -> Iterator[Hostile]:
    for ip in INNER_V4:
        for kind, host in {**_spelled(ip), **_embedded(ip)}.items():
            yield Hostile(kind, f"https://{host}:{port}/latest/meta-data")
    for six in INNER_V6:
        whole = IPv6Address(six)
        for host in dict.fromkeys((six, whole.exploded, whole.compressed.upper())):
            yield Hostile("IPv6", f"https://[{host}]:{port}/")
        yield Hostile("IPv6 with a zone", f"https://[{six}%25eth0]:{port}/")
        yield Hostile("IPv6 with a bare zone", f"https://[{six}%eth0]:{port}/")
    for name in (*METADATA_NAMES, *LOCAL_NAMES, *MIXED, *NONSENSE, *(f"{at}.{REBINDING}" for at in range(5))):
        yield Hostile("name", f"https://{name}:{port}/")
    yield from _tricks(f"127.0.0.1:{port}")
    for scheme in ("http", "HTTP", "ftp", "file", "gopher", "ws", "wss", "dict", "ldap", "jar:https", "javascript"):
        yield Hostile("scheme", f"{scheme}://127.0.0.1:{port}/")
    for bad in ("0", "-1", "65536", "99999", "x", "8o8o", "１２３"):
        yield Hostile("port", f"https://127.0.0.1:{bad}/")


def _spelled(ip: str) -> dict[str, str]:
    """An IPv4 address as some reader of addresses understands it."""
    number, (a, b, c, d) = int(IPv4Address(ip)), (int(part) for part in ip.split("."))
    return {
        "dotted": ip,
        "decimal": str(number),
        "hexadecimal": hex(number),
        "octal": f"0{number:o}",
        "octal of many digits": f"{number:020o}",
        "dotted hexadecimal": f"{a:#x}.{b:#x}.{c:#x}.{d:#x}",
        "dotted octal": f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        "zeros in front": f"{a:03}.{b:03}.{c:03}.{d:03}",
        "of mixed bases": f"{a:#x}.{b}.0{c:o}.{d}",
        "in two parts": f"{a}.{number & 0xFFFFFF}",
        "in three parts": f"{a}.{b}.{number & 0xFFFF}",
        "trailing dot": f"{ip}.",
        "two trailing dots": f"{ip}..",
        "wide digits": "".join(chr(ord(one) + 0xFEE0) if one.isdigit() else one for one in ip),
        "circled digits": "".join(chr(0x2460 + int(one) - 1) if one in "123456789" else one for one in ip),
        "ideographic dots": ip.replace(".", "。"),
        "half-width dots": ip.replace(".", "｡"),
        "percent-encoded": "".join(f"%{ord(one):02x}" for one in ip),
        "percent-encoded dots": ip.replace(".", "%2e"),
    }


def _embedded(ip: str) -> dict[str, str]:
    """An IPv4 address within an IPv6 address."""
    number = int(IPv4Address(ip))
    return {
        "IPv4-mapped": f"[::ffff:{ip}]",
        "IPv4-mapped in hexadecimal": f"[::ffff:{number >> 16:x}:{number & 0xFFFF:x}]",
        "IPv4-mapped in full": f"[{IPv6Address((0xFFFF << 32) | number).exploded}]",
        "IPv4-compatible": f"[::{ip}]",
        "IPv4-translated": f"[::ffff:0:{ip}]",
        "NAT64": f"[64:ff9b::{ip}]",
        "local NAT64": f"[64:ff9b:1::{ip}]",
        "6to4": f"[{IPv6Address((0x2002 << 112) | number << 80)}]",
        "Teredo client": f"[{IPv6Address((0x2001_0000 << 96) | (number ^ 0xFFFFFFFF))}]",
        "Teredo server": f"[{IPv6Address((0x2001_0000 << 96) | number << 64)}]",
    }


def _tricks(inner: str) -> Iterator[Hostile]:
    """The rest of an address, so that two readers take different parts for its host; ``inner`` is host and port."""
    shop, (host, _, port) = "pictures.example", inner.partition(":")
    for kind, urls in {
        "user name": (
            *(f"https://{shop}@{inner}/", f"https://{shop}:443@{inner}/", f"https://@{inner}/"),
            *(f"https://{inner}@{shop}/", f"https://user:pw@{inner}/", f"https://{shop}%40{inner}/"),
            *(f"https://a@b@{inner}/", f"https://{shop}#@{inner}/\\", f"https://{shop}%2523@{inner}/"),
        ),
        "backslash": (
            *(f"https://{shop}\\@{inner}/", f"https:\\\\{inner}/", f"https://{inner}\\.{shop}/", f"https:/\\{inner}/"),
            *(f"https://{shop}\\{inner}/", f"\\\\{inner}\\share"),
        ),
        "control character": tuple(
            url.replace("~", mark)
            for mark in ("\t", "\n", "\r", "\r\n", "\0", "\x0b", "\x7f", "\x85", "\u2028", " ")
            for url in (f"https://{host}~:{port}/", f"https://{host[:4]}~{host[4:]}:{port}/", f"ht~tps://{inner}/")
        ),
        "invisible character": tuple(
            f"https://{host[:4]}{mark}{host[4:]}:{port}/" for mark in "\u200b\u200d\u2060\ufeff\u00ad\u202e"
        ),
        "no host": (
            "https://",
            "https:///x",
            f"https:{inner}",
            f"https:/{inner}",
            f"//{inner}/",
            inner,
            "",
            "https://?",
        ),
        "brackets": (f"https://[{host}]:{port}/", "https://[::1/", f"https://::1]:{port}/", f"https://[]:{port}/"),
        "port within": (f"https://{inner}:443/", f"https://{host}:{port}:{port}/", f"https://{host}:+{port}/"),
        "too long": (f"https://{inner}/{'a' * 9000}", f"https://{'a.' * 5000}{inner}/"),
    }.items():
        for url in urls:
            yield Hostile(kind, url)
