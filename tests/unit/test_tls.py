"""One TLS context for all connections, which verifies what it verified before it was shared."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import SSLError
from botocore.session import Session

from stillmotion.aws.clients import new_client, with_shared_tls
from stillmotion.modelgates.client import ModelGates
from stillmotion.outbound import tls
from stillmotion.outbound.guarded_client import GuardedClient
from tests.support.wire import Wire, answer, certificate

ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=5)
STORED = answer(200, b"", ETag="e")
MODELS = answer(200, b'{"data": [{"id": "a/b"}]}')


class Key:
    def get(self, *, refresh: bool = False) -> str:
        return "key"


@pytest.fixture(autouse=True)
def no_bundles(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every time that root certificates are read."""
    found: list[Any] = []

    def read(self: ssl.SSLContext, *_: Any, **__: Any) -> None:
        found.append(self)
        original(self)

    def read_named(self: ssl.SSLContext, *given: Any, **named: Any) -> None:
        found.append(self)
        original_named(self, *given, **named)

    original, original_named = ssl.SSLContext.load_default_certs, ssl.SSLContext.load_verify_locations
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", read)
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", read_named)
    return found


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server for ``localhost`` that this process trusts."""
    file, context = certificate("localhost", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return context


def s3(url: str) -> Any:
    session = Session()
    session.set_credentials("x", "x")
    client = session.create_client("s3", region_name="eu-central-1", endpoint_url=url, config=ONCE)
    return with_shared_tls(client)


def named(wire: Wire) -> str:
    return f"https://localhost:{wire.port}"


@pytest.mark.slow
def test_certificates_are_read_once_for_every_client_and_connection(
    server: ssl.SSLContext, loads: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Wire([MODELS], tls=server) as service, Wire([STORED], tls=server) as store:
        guarded = GuardedClient(frozenset({f"https://localhost:{service.port}"}))
        gates = ModelGates(named(service), Key(), guarded)
        for _ in range(2):
            assert len(gates.models()) == 1
            with guarded.get(f"{named(service)}/a.png") as got:
                assert got.status == 200
            gates._post_once(b"{}", "key")
        for _ in range(2):
            s3(named(store)).put_object(Bucket="pictures", Key="a", Body=b"a")
        assert service.connections == 6
        assert store.connections == 2
    assert len(loads) == 1


@pytest.mark.slow
def test_aws_clients_still_verify_certificate_and_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, context = certificate("elsewhere.example", tmp_path)
    with Wire([STORED], tls=context) as wire:
        with pytest.raises(SSLError):  # not trusted
            s3(named(wire)).head_bucket(Bucket="pictures")
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        with pytest.raises(SSLError):  # trusted, but made out to another host
            s3(named(wire)).head_bucket(Bucket="pictures")
    assert wire.seen == []


@pytest.mark.slow
def test_the_callers_own_authority_is_the_only_one_trusted_and_read_once(
    server: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loads: list[Any]
) -> None:
    own, context = certificate("127.0.0.1", tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(own))
    with Wire([STORED], tls=server) as wire, pytest.raises(SSLError):  # the machine trusts it, the bundle does not
        s3(named(wire)).head_bucket(Bucket="pictures")
    with Wire([STORED], tls=context) as wire:
        for _ in range(3):
            with pytest.raises(SSLError, match=r"Hostname mismatch|IP address mismatch"):  # trusted as far as that
                s3(wire.url).head_bucket(Bucket="pictures")
        assert wire.connections == 3
    assert len(loads) == 1


def test_every_client_of_the_functions_is_on_the_shared_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    made = new_client(Session(), "events", ONCE)
    assert made._endpoint.http_session._manager.connection_pool_kw["ssl_context"] is tls.shared_context()


def test_a_client_whose_inside_is_not_known_stays_as_it_is() -> None:
    class Later:
        """A client of a botocore to come."""

    later = Later()
    assert with_shared_tls(later) is later


@pytest.mark.parametrize(
    ("name", "value"), [("verify_mode", ssl.CERT_NONE), ("verify_mode", ssl.CERT_OPTIONAL), ("check_hostname", False)]
)
def test_no_user_of_the_context_can_loosen_it_for_the_others(name: str, value: Any) -> None:
    context = tls.shared_context()
    with pytest.raises(ValueError, match="always"):
        setattr(context, name, value)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    with pytest.raises(ValueError, match="SSL_CERT_FILE"):
        context.load_verify_locations("more.pem")


def test_the_context_is_as_strict_as_the_one_urllib3_makes() -> None:
    from urllib3.util.ssl_ import create_urllib3_context

    ours, theirs = tls.shared_context(), create_urllib3_context()
    for name in ("minimum_version", "verify_mode", "check_hostname", "hostname_checks_common_name", "verify_flags"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.options == theirs.options
