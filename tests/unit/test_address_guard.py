"""Which addresses may be fetched, and what of an address may be repeated."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillmotion.outbound.address_guard import (
    ForbiddenAddress,
    UnresolvedHost,
    check_address,
    is_public,
    origin,
    resolve_host,
)
from stillmotion.outbound.redaction import redact, redact_url

PUBLIC = "93.184.215.14"
PRIVATE_V4 = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
]


def resolving(*ips: str):
    """A resolver that knows one answer."""
    return lambda host, port: list(ips)


@pytest.mark.parametrize("ip", PRIVATE_V4)
def test_a_private_address_is_not_public_in_any_ipv6_dress(ip: str) -> None:
    number = int(IPv4Address(ip))
    assert not is_public(ip)
    assert not is_public(str(IPv6Address(number)))
    assert not is_public(f"::ffff:{ip}")
    assert not is_public(str(IPv6Address((0x0064_FF9B << 96) | number)))
    assert not is_public(str(IPv6Address((0x0064_FF9B_0001 << 80) | number)))
    assert not is_public(str(IPv6Address((0x2002 << 112) | number << 80)))
    assert not is_public(str(IPv6Address((0x2001_0000 << 96) | (number ^ 0xFFFFFFFF))))


@pytest.mark.parametrize(
    "ip",
    [
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1"),
        *("fec0::1", "feff::1", "3fff::1", "3fff:fff::1", "192.88.99.1", "::ffff:192.88.99.1", "2002:c058:6301::"),
        *("192.0.0.9", "192.0.0.10", "2001:1::1", "2001:1::2", "2001:20::1", "192.31.196.1", "192.52.193.1"),
        *("192.175.48.1", "2620:4f:8000::1", "64:ff9b::192.0.0.9"),
    ],
)
def test_a_special_ipv6_address_is_not_public(ip: str) -> None:
    assert not is_public(ip)


@pytest.mark.parametrize("ip", [PUBLIC, "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_a_public_unicast_address_is_public(ip: str) -> None:
    assert is_public(ip)


@given(st.ip_addresses(network=IPv4Network("10.0.0.0/8")) | st.ip_addresses(network=IPv4Network("169.254.0.0/16")))
def test_no_address_of_a_private_network_is_ever_connected_to(ip: IPv4Address) -> None:
    with pytest.raises(ForbiddenAddress):
        check_address("https://pictures.example/a.png", resolve=resolving(str(ip)))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "017700000001",
        "0177.0.0.1",
        "0",
        "1.0.0.127.localhost",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "１２７.0.0.1",
        "127。0。0。1",
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
    ],
)
def test_no_spelling_of_an_inner_host_gets_through(host: str) -> None:
    with pytest.raises((ForbiddenAddress, UnresolvedHost)):
        check_address(f"https://{host}/latest/meta-data", resolve=resolve_host)


@pytest.mark.parametrize(
    "host", ["010.8.8.8", "8.8.8.010", "08.8.8.8", "8.8.2056", "134744072", "0x08080808", "a.example.0x8", "8.8.8.8.8"]
)
def test_a_number_that_readers_read_differently_is_refused(host: str) -> None:
    with pytest.raises(ForbiddenAddress, match="four decimal numbers"):
        check_address(f"https://{host}/", resolve=resolving("8.8.8.8"))
    assert check_address("https://8.8.8.8./", resolve=resolve_host).ips == ("8.8.8.8",)
    assert check_address("https://8.example/", resolve=resolving(PUBLIC)).host == "8.example"


def test_a_name_with_one_public_and_one_private_address_is_refused() -> None:
    for ips in ([PUBLIC, "10.0.0.1"], ["10.0.0.1", PUBLIC], [PUBLIC, "::1"]):
        with pytest.raises(ForbiddenAddress, match="not on the public internet"):
            check_address("https://two.example/", resolve=resolving(*ips))


def test_a_name_is_resolved_once_and_the_checked_address_is_used() -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    target = check_address("https://rebinding.example/x?y=1", resolve=lambda host, port: next(answers))
    assert (target.ips, target.host, target.port, target.path) == ((PUBLIC,), "rebinding.example", 443, "/x?y=1")
    assert next(answers) == ["127.0.0.1"]


@pytest.mark.parametrize("scheme", ["http", "ftp", "file", "gopher", "ws", "s3", "HTTP"])
def test_only_https_is_fetched(scheme: str) -> None:
    with pytest.raises(ForbiddenAddress, match="only https"):
        check_address(f"{scheme}://pictures.example/a.png", resolve=resolving(PUBLIC))


@pytest.mark.parametrize(
    "url",
    [
        "https://user@pictures.example/",
        "https://user:pw@pictures.example/",
        "https://@pictures.example/",
        "https://pictures.example:443@10.0.0.1/",
        "https://pictures.example\\@10.0.0.1/",
        "https://pictures.example/a b",
        "https://pictures.example/a\r\nHost: x",
        "https://pictures.example/\x00",
        "https://pictures.example:99999/",
        "https://pictures.example:-1/",
        "https://pictures.example:0/",
        "https://pictures.example:x/",
        "https://[::1/",
        "https://",
        "https:///path",
        "https:pictures.example",
        "https://pictures.example/" + "a" * 9000,
        "",
    ],
)
def test_an_address_that_two_readers_could_read_differently_is_refused(url: str) -> None:
    with pytest.raises(ForbiddenAddress):
        check_address(url, resolve=resolving(PUBLIC))


@given(st.text(max_size=200))
def test_any_text_is_either_a_target_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://pictures.example/{text}"):
        try:
            target = check_address(url, resolve=resolving(PUBLIC))
        except (ForbiddenAddress, UnresolvedHost):
            continue
        assert (target.scheme, target.ips) == ("https", (PUBLIC,))
        assert not set("\r\n\t \\@/?#") & set(target.host_header)
        assert not set("\r\n \\") & set(target.path)


@pytest.mark.parametrize("failure", [OSError("no such host"), UnicodeError("label too long"), RuntimeError("x")])
def test_a_name_without_an_address_is_reported(failure: Exception) -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise failure

    with pytest.raises(UnresolvedHost, match=r"nowhere\.example"):
        check_address("https://nowhere.example/", resolve=resolve)
    with pytest.raises(UnresolvedHost):
        check_address("https://nowhere.example/", resolve=resolving())


def test_a_trusted_origin_is_trusted_exactly() -> None:
    trusted = {origin("http://127.0.0.1:4566")}
    assert check_address("http://127.0.0.1:4566/bucket/a.png", trusted).host_header == "127.0.0.1:4566"
    for other in (
        "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
        "http://127.0.0.1/",
        "https://127.0.0.1:4566/",
        "http://localhost:4566/",
        "http://127.0.0.2:4566/",
        "http://127.1:4566/",
    ):
        with pytest.raises(ForbiddenAddress):
            check_address(other, trusted)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTPS://Example.COM", "https://example.com:443"),
        ("https://example.com.:443/x?y", "https://example.com:443"),
        ("http://example.com", "http://example.com:80"),
        ("https://bücher.example/", "https://xn--bcher-kva.example:443"),
        ("http://[::1]:8000/", "http://::1:8000"),
    ],
)
def test_an_origin_has_one_spelling(url: str, expected: str) -> None:
    assert origin(url) == expected


def test_the_host_header_names_the_port_only_where_it_is_not_the_usual_one() -> None:
    for url, expected in (
        ("https://example.com/", "example.com"),
        ("https://example.com:8443/", "example.com:8443"),
        ("https://[2606:2800::1]/", "[2606:2800::1]"),
    ):
        assert check_address(url, resolve=resolving(PUBLIC)).host_header == expected


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example/p.png", "https://a.example/p.png"),
        ("https://a.example/p.png?X-Amz-Signature=SECRET", "https://a.example/p.png?…"),
        ("https://a.example/p.png#token=SECRET", "https://a.example/p.png"),
        ("https://a.example/p.png#x?sig=SECRET", "https://a.example/p.png?…"),
        ("https://user:SECRET@a.example/p.png", "https://…@a.example/p.png"),
        ("https://a.example/x@2.png", "https://a.example/x@2.png"),
        ("s3://bucket/pic@2x.png", "s3://bucket/pic@2x.png"),
    ],
)
def test_a_shown_address_holds_no_signature_and_no_password(url: str, shown: str) -> None:
    assert redact_url(url) == shown


@given(st.text(), st.text(min_size=1))
def test_nothing_behind_the_question_mark_is_ever_shown(path: str, query: str) -> None:
    address = f"https://a.example/{path}?{query}\u2603SECRET"
    assert "SECRET" not in redact_url(address).replace(path, "")


def test_image_data_is_shown_by_its_beginning_only() -> None:
    assert redact_url("DATA:image/png;base64," + "A" * 5000) == "DATA:image/png;base64," + "A" * 18 + "…"


def test_signed_links_in_other_peoples_words_lose_their_query() -> None:
    said = 'could not load "https://b.s3.amazonaws.com/a.png?X-Amz-Signature=abc&x=1" (403). Really? Yes, a=b?'
    assert redact(said) == 'could not load "https://b.s3.amazonaws.com/a.png?…" (403). Really? Yes, a=b?'
    assert redact("?" * 200_000) == "?" * 200_000


@pytest.mark.parametrize("nonsense", ["", "no address", "256.1.1.1", "1.2.3", "http://1.1.1.1", None, b"1.1.1.1", 7])
def test_a_resolver_that_answers_nonsense_is_a_refusal(nonsense: Any) -> None:
    for trusted in ((), ("https://pictures.example:443",)):
        with pytest.raises(UnresolvedHost, match="has no address"):
            check_address("https://pictures.example/a.png", trusted, resolving(PUBLIC, nonsense))


def test_every_address_of_a_host_is_kept_once_and_in_order() -> None:
    found = check_address("https://pictures.example/", resolve=resolving("2606:2800::1", PUBLIC, "2606:2800::1"))
    assert found.ips == ("2606:2800::1", PUBLIC)


@pytest.mark.parametrize(
    "url", ["s3://pictures/uploads/a #1.jpg", "s3://pictures/uploads/really?.jpg", "S3://b/user:pw@x#y?z=1"]
)
def test_an_s3_address_is_shown_whole(url: str) -> None:
    assert redact_url(url) == url
