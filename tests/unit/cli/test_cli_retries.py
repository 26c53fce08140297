"""What is sent again, how often, and how long that takes."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import urllib3

from stillmotion_cli import transport
from stillmotion_cli.client import ApiClient
from stillmotion_cli.errors import ApiProblem, BadInput, Unreachable
from stillmotion_cli.stack import Stack
from stillmotion_cli.transport import new_pool
from tests.unit.cli.fake_api import JOB_ID, FakeApi, Reply, job, problem
from tests.unit.cli.support import Run, local_stack

SHOW = f"GET /v1/videos/{JOB_ID}"
REQUEST = {"model": "m/x"}


class Patience:
    """A client that notes its pauses instead of making them."""

    def __init__(self, stack: Stack) -> None:
        self.pauses: list[float] = []
        self.reasons: list[str] = []
        self.client = ApiClient(stack, sleep=self.pauses.append, on_pause=lambda reason, _: self.reasons.append(reason))


@pytest.fixture
def patience(stack: Stack) -> Patience:
    return Patience(stack)


@pytest.mark.parametrize(
    "answer",
    [
        Reply(0),
        Reply(503),
        problem(429, "Throttled"),
        problem(500, "InternalError"),
        Reply(502, {"message": "Internal server error"}),
        Reply(504, {"message": "Endpoint request timed out"}),
        Reply(500, {"type": "urn:stillmotion:problem:Gateway", "status": 500, "code": "INTEGRATION_FAILURE"}),
    ],
)
def test_what_may_pass_is_asked_again(api: FakeApi, patience: Patience, answer: Reply) -> None:
    api.on(SHOW, answer, times=4)
    assert patience.client.job(JOB_ID)["id"] == JOB_ID
    assert len(api.calls(SHOW)) == 5
    assert len(patience.reasons) == 4


@pytest.mark.parametrize("answer", [problem(404, "JobNotFound"), problem(502, "ProviderUnauthorized"), Reply(403)])
def test_what_is_final_is_not_asked_again(api: FakeApi, patience: Patience, answer: Reply) -> None:
    api.on(SHOW, answer)
    with pytest.raises(ApiProblem):
        patience.client.job(JOB_ID)
    assert patience.pauses == []


def test_pauses_grow_and_end(api: FakeApi, patience: Patience, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FIRST_PAUSE", 1.0)
    api.on(SHOW, Reply(503), times=9)
    with pytest.raises(ApiProblem):
        patience.client.job(JOB_ID)
    assert [round(pause / 2**number) for number, pause in enumerate(patience.pauses)] == [1, 1, 1, 1]


def test_retry_after_is_honoured_as_seconds_and_as_a_date(api: FakeApi, patience: Patience) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    api.on(SHOW, *[problem(429, "Throttled", headers={"Retry-After": text}) for text in ("3", date, "soon")])
    patience.client.job(JOB_ID)
    assert patience.pauses[0] == 3
    assert patience.pauses[1] == pytest.approx(19.5, abs=1)
    assert patience.pauses[2] < 1
    assert patience.reasons[0] == "Throttled, HTTP 429"


def test_a_retry_after_above_a_minute_is_shown_to_the_user(api: FakeApi, patience: Patience) -> None:
    api.on(SHOW, problem(503, "ProviderThrottled", headers={"Retry-After": "600"}))
    with pytest.raises(ApiProblem) as refusal:
        patience.client.job(JOB_ID)
    assert (patience.pauses, refusal.value.hint) == ([], "Try again in 600 s.")


def test_a_request_without_a_key_is_sent_once(api: FakeApi, patience: Patience) -> None:
    api.on("POST /v1/videos", Reply(503))
    with pytest.raises(ApiProblem):
        patience.client.submit(REQUEST)
    api.on("POST /v1/videos", Reply(0))
    with pytest.raises(Unreachable):
        patience.client.submit(REQUEST)
    assert len(api.calls("POST /v1/videos")) == 2


@pytest.mark.parametrize(
    ("call", "route"),
    [
        (lambda client: client.submit(REQUEST, "key"), "POST /v1/videos"),
        (lambda client: client.dry_run(REQUEST), "DRY POST /v1/videos"),
        (lambda client: client.models(frame=["first_frame"]), "GET /v1/models"),
        (lambda client: client.jobs(limit=1), "GET /v1/videos"),
        (lambda client: client.upload_place("image/png"), "POST /v1/uploads"),
    ],
)
def test_calls_that_are_safe_are_repeated(
    api: FakeApi, patience: Patience, call: Callable[[ApiClient], Any], route: str
) -> None:
    api.on(route, Reply(503))
    call(patience.client)
    assert len(api.calls(route)) == 2


def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(api: FakeApi, stack: Stack) -> None:
    def slow(_: object) -> Reply:
        time.sleep(0.5)
        return Reply(0)

    api.on(SHOW, slow, times=9)
    pool = urllib3.PoolManager(timeout=0.05, retries=False)
    with pytest.raises(Unreachable, match="timed out"):
        ApiClient(stack, http=pool, sleep=lambda _: None).job(JOB_ID)


def test_a_foreign_answer_is_reported(api: FakeApi, run: Run) -> None:
    api.on(SHOW, Reply(200, b"<html>a proxy</html>"), times=9)
    result = run("show", JOB_ID)
    assert result.code == 6
    assert "This is not an answer of Stillmotion" in result.err
    assert "HTTP 200: <html>a proxy</html>" in result.err


def test_throttling_is_shown_while_waiting(api: FakeApi, run: Run) -> None:
    api.on(SHOW, problem(429, "Throttled", headers={"Retry-After": "0"}))
    api.states = [job("in_progress")]
    result = run("show", JOB_ID, "--json")
    assert (result.code, result.json["status"]) == (0, "in_progress")
    assert "Throttled, HTTP 429; trying again in 0.0 s" in result.err


def test_a_local_cloud_that_is_gone_says_how_to_start_it(api: FakeApi, run: Run) -> None:
    result = run("show", JOB_ID)
    assert result.code == 0
    gone = local_stack(api, api_url="http://127.0.0.1:9/v1")
    with pytest.raises(Unreachable) as failure:
        ApiClient(gone, sleep=lambda _: None).job(JOB_ID)
    assert "make local" in (failure.value.hint or "")
    assert "Connection refused" in str(failure.value)


@pytest.mark.usefixtures("folder")
def test_a_throttled_poll_ends_no_waiting(api: FakeApi, run: Run) -> None:
    """The job runs and is paid: an end as "refused" would have scripts order it again."""
    api.on(SHOW, problem(429, "Throttled", headers={"Retry-After": "0"}), times=6)
    result = run("generate", "still.jpg", "--json")
    assert (result.code, result.json["status"]) == (0, "completed")


@pytest.mark.parametrize(
    ("given", "address", "header"),
    [
        ("proxy.example:3128", "http://proxy.example:3128", {}),
        ("http://u%40x:p@proxy.example:3128", "http://proxy.example:3128", {"proxy-authorization": "Basic dUB4OnA="}),
    ],
)
def test_a_proxy_is_taken_as_it_is_usually_written(
    monkeypatch: pytest.MonkeyPatch, given: str, address: str, header: dict[str, str]
) -> None:
    monkeypatch.setenv("https_proxy", given)
    monkeypatch.setenv("no_proxy", "")
    pool = new_pool("https://api.example.com/v1")
    assert isinstance(pool, urllib3.ProxyManager)
    assert pool.proxy is not None
    assert (pool.proxy.url, dict(pool.proxy_headers)) == (address, header)


def test_a_proxy_of_another_kind_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "socks5://proxy.example:1080")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(BadInput, match="give http://host:port"):
        new_pool("https://api.example.com/v1")
