"""The API client: where the key goes, and what queries and downloads come to."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
import urllib3

from local.simulator import Simulator
from stillmotion.errors import (
    DownloadFailed,
    GenerationExpired,
    ProviderThrottled,
    ProviderUnauthorized,
    ProviderUnavailable,
    StillmotionError,
)
from stillmotion.modelgates import client as client_module
from stillmotion.modelgates.client import ModelGates
from stillmotion.modelgates.job import Outcome, ProviderJob
from stillmotion.modelgates.models import ModelCatalogue, VideoModel
from stillmotion.outbound.address_guard import origin
from stillmotion.outbound.guarded_client import GuardedClient
from tests.support.wire import Script, Wire, answer, hang_up, reset, silence

JOB = answer(200, b'{"id": "vg_1", "status": "completed"}')
VIDEO = answer(200, b"\x00\x00\x00\x18ftypisom", Content_Type="video/mp4")
POLL, CONTENT = "/api/v1/videos/vg_1", "/api/v1/videos/vg_1/content?index=0"


class Keys:
    """A key that is renewed by every refresh."""

    def __init__(self, *keys: str) -> None:
        self.keys = list(keys) or ["mg-local-key"]

    def get(self, *, refresh: bool = False) -> str:
        if refresh:
            self.keys = self.keys[1:] or self.keys
        return self.keys[0]


def gates(url: str, *trusted: str, keys: Keys | None = None) -> ModelGates:
    quick = urllib3.Timeout(connect=0.5, read=0.5)
    return ModelGates(url, keys or Keys(), GuardedClient([origin(one) for one in trusted], quick))


def downloaded(client: ModelGates, job: ProviderJob, index: int = 0) -> bytes:
    with client.content(job, index) as content:
        return b"".join(iter(lambda: content.read(50), b""))


def finished(*unsigned_urls: str) -> ProviderJob:
    return ProviderJob("vg_1", "completed", unsigned_urls=unsigned_urls)


TRICKS = [
    "{foreign}/api/v1/videos/vg_1",
    "//{foreign_host}/api/v1/videos/vg_1",
    "http://{api_host}@{foreign_host}/api/v1/videos/vg_1",
    "http://key:{api_host}@{foreign_host}/api/v1/videos/vg_1",
    "http://{foreign_host}@{api_host}/api/v1/videos/vg_1",
    "http://{foreign_host}\\@{api_host}/api/v1/videos/vg_1",
    "http://{foreign_host}#@{api_host}/api/v1/videos/vg_1",
    "http://{foreign_host}?@{api_host}/api/v1/videos/vg_1",
    "http:\\\\{foreign_host}/api/v1/videos/vg_1",
    "http://{api_host}.localhost/api/v1/videos/vg_1",
    "http://localhost:{api_port}/api/v1/videos/vg_1",
    "http://127.1:{api_port}/api/v1/videos/vg_1",
    "https://{api_host}/api/v1/videos/vg_1",
    "ftp://{api_host}/api/v1/videos/vg_1",
    "{api}/api/v1",
    "{api}/api/v1x/videos/vg_1",
    "{api}/api/v2/videos/vg_1",
    "{api}/API/V1/videos/vg_1",
    "{api}//api/v1/videos/vg_1",
    "{api}/echo?x=/api/v1/videos/vg_1",
    "{api}/api/v1/../../echo",
    "{api}/api/v1/%2e%2e/%2e%2e/echo",
    "{api}/api/v1/.%2E/echo",
    "{api}/api/v1/%252e%252e/echo",
    "{api}/api/v1/%25252e%25252e/echo",
    "{api}/api/v1/..%2fecho",
    "{api}/api/v1/%5c..%5c..%5cecho",
    "/echo",
    "../../echo",
    "http://[{api_host}/api/v1",
    "http://{api_host}/api/v1/\r\nX: y",
    "\x00",
    "",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_an_address_that_is_not_under_the_api_root_never_gets_the_key(trick: str) -> None:
    with Wire([JOB, VIDEO]) as api, Wire([JOB]) as foreign:
        given = trick.format(
            api=api.url, api_host=api.host, api_port=api.port, foreign=foreign.url, foreign_host=foreign.host
        )
        client = gates(api.url, foreign.url)
        assert client.job("vg_1", given).outcome is Outcome.COMPLETED
        assert downloaded(client, finished(given)).endswith(b"ftypisom")
    assert foreign.connections == 0
    assert [seen.line.split()[1] for seen in api.seen] == [POLL, CONTENT]


@pytest.mark.parametrize("trick", [trick for trick in TRICKS if trick and "\r" not in trick and "\x00" not in trick])
def test_a_redirect_out_of_the_api_root_loses_the_key(trick: str) -> None:
    with Wire([VIDEO]) as foreign, Wire([]) as api:
        given = trick.format(
            api=api.url, api_host=api.host, api_port=api.port, foreign=foreign.url, foreign_host=foreign.host
        )
        api.scripts = [answer(302, Location=given), VIDEO]
        with suppress(DownloadFailed):
            downloaded(gates(api.url, api.url, foreign.url), finished())
        inside = [seen for seen in api.seen if "/api/v1/" in seen.line and "%" not in seen.line]
        assert all("authorization" not in seen.headers for seen in [*foreign.seen, *api.seen] if seen not in inside)
        assert api.seen[0].headers["authorization"] == "Bearer mg-local-key"


@pytest.mark.parametrize(
    "given", ["{api}/api/v1/videos/other?x=1", "/api/v1/videos/other?x=1", "api/v1/videos/other?x=1"]
)
def test_addresses_under_the_api_root_may_be_absolute_or_relative(given: str) -> None:
    with Wire([JOB, VIDEO]) as api:
        client = gates(api.url + "/")
        client.job("vg_1", given.format(api=api.url))
        downloaded(client, finished(given.format(api=api.url)))
    assert [seen.line.split()[1] for seen in api.seen] == ["/api/v1/videos/other?x=1"] * 2
    assert all(seen.headers["authorization"] == "Bearer mg-local-key" for seen in api.seen)


def test_an_id_is_a_part_of_the_path_whatever_it_holds() -> None:
    with Wire([answer(200, b'{"status": "pending"}')]) as api:
        assert gates(api.url).job("../../echo?x#y").id == "../../echo?x#y"
    assert api.seen[0].line == "GET /api/v1/videos/..%2F..%2Fecho%3Fx%23y HTTP/1.1"


def test_queries_do_not_follow_redirects() -> None:
    with Wire([JOB]) as foreign, Wire([answer(307, Location=f"{foreign.url}{POLL}")]) as api:
        with pytest.raises(ProviderUnavailable):
            gates(api.url, foreign.url).job("vg_1")
        with pytest.raises(ProviderUnavailable):
            gates(api.url, foreign.url).models()
    assert foreign.connections == 0


def test_the_model_list_needs_no_key_and_survives_odd_entries() -> None:
    good = {"id": "google/veo-3.1-lite", "supported_durations": [4, 6, 8], "new": {"x": 1}}
    odd = {"id": "odd/one", "supported_durations": "4", "pricing_skus": {"per-video-second": 0.03}, "seed": True}
    listed = {"data": [good, odd, {"id": 7}, {"name": "no id"}, None, "x", {"id": "a/b", "supported_sizes": None}]}
    with Wire([answer(200, json.dumps(listed).encode())]) as api:
        models = gates(api.url).models()
    assert [model.id for model in models] == ["google/veo-3.1-lite", "odd/one", "a/b"]
    assert (models[1].supported_durations, models[1].seed) == (None, True)
    assert models[1].pricing_skus == {"per-video-second": "0.03"}  # numbers have been seen among the prices
    assert "authorization" not in api.seen[0].headers


def test_durations_that_no_clip_has_are_left_out() -> None:
    """Other APIs write "any" as -1 or 0; a price of that is negative, or divided by nothing."""
    given = [[4, 8, -1], [0], [-1, 0], [], None]
    listed = {"data": [{"id": f"a/{at}", "supported_durations": one} for at, one in enumerate(given)]}
    with Wire([answer(200, json.dumps(listed).encode())]) as api:
        assert [model.supported_durations for model in gates(api.url).models()] == [[4, 8], None, None, [], None]


@pytest.mark.parametrize("listed", [{"data": []}, {"data": [{"name": "no id"}]}])
def test_an_empty_model_list_is_none(listed: dict[str, Any]) -> None:
    with Wire([answer(200, json.dumps(listed).encode())]) as api, pytest.raises(ProviderUnavailable, match="empty"):
        gates(api.url).models()


def test_an_id_counts_before_another_models_slug() -> None:
    listed = [
        VideoModel(id="g/x:beta", canonical_slug="g/x"),
        VideoModel(id="g/x"),
        VideoModel(id="g/y:1", canonical_slug="g/y"),
    ]
    catalogue = ModelCatalogue(lambda: listed)
    assert [catalogue.find(name).id for name in ("g/x", "g/x:beta", "g/y")] == ["g/x", "g/x:beta", "g/y:1"]


NO_ANSWER: dict[str, Script] = {
    "silence": silence,
    "reset": reset,
    "end": hang_up,
    "short": answer(200, b'{"id"', length=500, Connection="close"),
    "not HTTP": b"220 ESMTP\r\n\r\n",
    "html": answer(200, b"<html>"),
    "empty": answer(200),
    "list": answer(200, b"[]"),
    "bottomless": answer(200, b"[" * 100_000),
    "too much": answer(200, b'{"id": "' + b"x" * (9 * 2**20) + b'", "status": "pending"}'),
    **{f"HTTP {status}": answer(status, b'{"id": "vg_1", "status": "failed"}') for status in (403, 404, 500, 502, 504)},
}


@pytest.mark.parametrize(
    ("script", "status"), [(NO_ANSWER["HTTP 404"], 404), (answer(410), 410), (NO_ANSWER["HTTP 502"], 502), (b"", None)]
)
def test_the_status_of_an_answer_without_a_job_is_shown(
    script: Script, status: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "QUERY_SECONDS", 0.3)
    with Wire([script]) as api, pytest.raises(ProviderUnavailable) as told:
        gates(api.url).job("vg_1")
    assert told.value.answered == status


@pytest.mark.parametrize("script", NO_ANSWER.values(), ids=NO_ANSWER.keys())
def test_a_query_without_a_usable_answer_says_nothing_about_the_job(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "QUERY_SECONDS", 0.3)
    with Wire([script, JOB]) as api:
        client = gates(api.url)
        with pytest.raises(ProviderUnavailable):
            client.job("vg_1")
        assert client.job("vg_1").outcome is Outcome.COMPLETED
    with Wire([script]) as api, pytest.raises(ProviderUnavailable):
        gates(api.url).models()


@pytest.mark.parametrize("status", [429, 503])
def test_a_throttled_poll_says_when_to_come_back(status: int) -> None:
    with Wire([answer(status, Retry_After="17")]) as api, pytest.raises(ProviderThrottled) as busy:
        gates(api.url).job("vg_1")
    assert busy.value.retry_after == 17.0


@pytest.mark.parametrize("script", [JOB, VIDEO])
def test_a_401_asks_once_more_with_a_fresh_key(script: bytes) -> None:
    with Wire([answer(401), script]) as api:
        client = gates(api.url, keys=Keys("old-key", "new-key"))
        if script is JOB:
            client.job("vg_1")
        else:
            downloaded(client, finished())
    assert [seen.headers["authorization"] for seen in api.seen] == ["Bearer old-key", "Bearer new-key"]
    with Wire([answer(401)]) as api, pytest.raises(ProviderUnauthorized):
        downloaded(gates(api.url), finished()) if script is VIDEO else gates(api.url).job("vg_1")
    assert len(api.seen) == 2


@pytest.mark.slow
def test_signed_storage_never_receives_the_key() -> None:
    with Simulator(seconds_pending=0, seconds_to_ready=0, clip="tiny", outputs=2) as simulator:
        client = gates(simulator.url, simulator.url)
        client.submit({"model": "google/veo-3.1-lite", "prompt": "hills at dawn"})
        job = client.job(simulator.jobs()[0]["id"])
        assert (job.outcome, job.outputs) == (Outcome.COMPLETED, 2)
        direct = [hashlib.sha256(downloaded(client, job, index)).hexdigest() for index in range(2)]
        simulator.settings(content_redirect=True)
        stored = [hashlib.sha256(downloaded(client, job, index)).hexdigest() for index in range(2)]
        assert direct == stored
        assert [request["authorization"] for request in simulator.requests("content")] == [True] * 4
        assert [request["authorization"] for request in simulator.requests("storage")] == [False] * 2
        with pytest.raises(DownloadFailed):
            downloaded(gates(simulator.url), job)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, GenerationExpired),
        (410, GenerationExpired),
        *((status, DownloadFailed) for status in (403, 409, 500, 502)),
    ],
)
def test_only_404_and_410_mean_that_the_output_is_gone(status: int, error: type[StillmotionError]) -> None:
    with Wire([answer(status, b"{}")]) as api, pytest.raises(error) as failed:
        downloaded(gates(api.url), finished())
    assert type(failed.value) is error


BROKEN: dict[str, Script] = {
    "reset": reset,
    "end": hang_up,
    "short": answer(200, b"\x00" * 100, length=500, Connection="close", Content_Type="video/mp4"),
    "not HTTP": b"220 ESMTP\r\n\r\n",
    "part not asked for": answer(206, b"\x00" * 100, Content_Type="video/mp4"),
    "redirect to nowhere": answer(302),
    "redirect to no address": answer(302, Location="http://[x"),
    "redirect in circles": answer(302, Location=CONTENT),
    "redirect inside": answer(302, Location="http://10.0.0.1/a?signature=SECRET"),
}


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_download_is_retryable_and_names_no_address(script: Script) -> None:
    with Wire([script]) as api, pytest.raises(DownloadFailed) as failed:
        downloaded(gates(api.url), finished())
    assert failed.value.retryable
    assert "SECRET" not in str(failed.value)
    assert api.host not in str(failed.value)
    assert len(api.seen) <= 4


def test_at_most_three_redirects_are_followed_inside_and_outside_together() -> None:
    with Wire([answer(302, Location="/next")]) as storage, Wire([]) as api:
        api.scripts = [answer(302, Location=CONTENT), answer(302, Location=storage.url)]
        with pytest.raises(DownloadFailed):
            downloaded(gates(api.url, storage.url), finished())
    assert (len(api.seen), len(storage.seen)) == (2, 2)


def test_a_download_resumes_where_the_connection_broke() -> None:
    broken = answer(200, b"a" * 100, length=150, Accept_Ranges="bytes", ETag='"1"', Connection="close")
    rest = answer(206, b"b" * 50, Content_Range="bytes 100-149/150", ETag='"1"')
    with Wire([broken, rest]) as storage, Wire([answer(302, Location=storage.url)]) as api:
        assert downloaded(gates(api.url, storage.url), finished()) == b"a" * 100 + b"b" * 50
    assert [seen.headers.get("range") for seen in storage.seen] == [None, "bytes=100-"]
    assert [seen.headers.get("if-range") for seen in storage.seen] == [None, '"1"']
    assert [seen.headers.get("authorization") for seen in storage.seen] == [None, None]
    assert [seen.headers.get("authorization") for seen in api.seen] == ["Bearer mg-local-key"] * 2


def test_errors_of_whoever_reads_the_clip_pass_unchanged() -> None:
    error: Any
    for error in (GenerationExpired("x"), ValueError("x"), KeyboardInterrupt()):
        with Wire([VIDEO]) as api, pytest.raises(type(error)) as passed, gates(api.url).content(finished(), 0):
            raise error
        assert passed.value is error


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ({"data": {"limit": 50, "limit_remaining": 12.345678, "usage": 37.654322}}, Decimal("12.345678")),
        ({"data": {"limit": None, "limit_remaining": None}}, None),
        ({"data": {"limit_remaining": "much"}}, None),
        ({"data": {"limit_remaining": 0}}, Decimal(0)),
    ],
)
def test_the_credits_left_are_read(body: dict[str, Any], left: Decimal | None) -> None:
    with Wire([answer(200, json.dumps(body).encode())]) as wire:
        assert gates(wire.url).credits_left() == left
    assert wire.seen[0].line == "GET /api/v1/key HTTP/1.1"


@pytest.mark.parametrize("script", [answer(500, b"{}"), answer(200, b"[]"), answer(200, b"no json"), hang_up])
def test_credits_that_cannot_be_read_are_an_error_of_ours(script: Script) -> None:
    with Wire([script]) as wire, pytest.raises(ProviderUnavailable):
        gates(wire.url).credits_left()
