"""Every route of the deployed API over real HTTP, and what follows from a call."""

import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from local.paths import SAMPLE
from stillmotion_cli.stack import Stack
from tests.e2e.signing import TIMEOUT, Api
from tests.e2e.support import MODEL, Caller, SimulatorControl
from tests.support.template import resources

CALLERS, AT_ONCE, PATIENCE = 50, 10, 90
NOBODYS = "vid_00000000000000000000000000"
DRY = {"model": MODEL, "prompt": "A slow zoom", "duration": 4}
CALLS: list[tuple[str, str, Any, int]] = [
    ("POST", "/videos?dry_run=true", DRY, 200),
    ("GET", "/videos", None, 200),
    ("GET", f"/videos/{NOBODYS}", None, 404),
    ("DELETE", f"/videos/{NOBODYS}", None, 404),
    ("POST", f"/videos/{NOBODYS}/resume", None, 404),
    ("POST", f"/videos/{NOBODYS}/settle", {"abandon": True}, 404),
    ("POST", "/batches", {"manifest": "s3://no-such-bucket/manifest.jsonl"}, 400),
    ("GET", f"/batches/{NOBODYS}", None, 404),
    ("GET", "/models", None, 200),
    ("GET", "/limits", None, 200),
    ("PUT", "/limits", {"principal": "arn:aws:iam::000000000000:user/gone", "daily_usd": None}, 200),
    ("GET", "/usage?by=model", None, 200),
    ("POST", "/uploads", {"content_type": "image/png"}, 201),
    ("GET", "/openapi.json", None, 200),
    ("GET", "/docs", None, 200),
]


@pytest.fixture
def slow(simulator: SimulatorControl) -> Iterator[None]:
    """Clips that are not ready for as long as the block lasts."""
    with simulator.settings(seconds_to_ready=120):
        yield


@pytest.fixture
def quick(simulator: SimulatorControl) -> Iterator[None]:
    """Tiny clips that are finished when they are submitted."""
    with simulator.settings(clip="tiny", complete_on_submit=True):
        yield


def test_every_route_of_the_template_is_called_below() -> None:
    events = [
        event for one in resources("AWS::Serverless::Function").values() for event in one.get("Events", {}).values()
    ]
    routes = {(e["Properties"]["Method"], e["Properties"]["Path"]) for e in events if e["Type"] == "Api"}
    called = {(method, path.split("?")[0].replace(NOBODYS, "{id}")) for method, path, _, _ in CALLS}
    assert called == routes


@pytest.mark.parametrize(("method", "path", "body", "status"), CALLS)
def test_a_signed_call_gets_through(api: Api, method: str, path: str, body: Any, status: int) -> None:
    answer = api.call(method, path, body)
    assert answer.status_code == status, answer.text
    if path not in ("/openapi.json", "/docs"):
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("method", "path", "body", "status"), CALLS)
def test_an_unsigned_call_is_forbidden(api: Api, method: str, path: str, body: Any, status: int) -> None:
    answer = api.call(method, path, body, signed=False)
    assert answer.status_code == 403
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 403


def test_the_page_shows_the_document(api: Api) -> None:
    page = api.call("GET", "/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "/videos/{id}/resume" in page.text


@contextmanager
def at_most(stack: Stack, runs: int) -> Iterator[None]:
    """Let the function behind POST /videos run so often at a time; other calls are throttled."""
    functions = stack.client("lambda")
    [name] = [
        found["FunctionName"]
        for page in functions.get_paginator("list_functions").paginate()
        for found in page["Functions"]
        if "-SubmitApiFunction-" in found["FunctionName"]
    ]
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=runs)
    try:
        yield
    finally:
        functions.delete_function_concurrency(FunctionName=name)


@pytest.fixture
def narrow(stack: Stack) -> Iterator[None]:
    """The local cloud starts a process of 100 MB for each call at a time: ten are let in."""
    with at_most(stack, AT_ONCE):
        yield


def test_a_function_that_may_not_run_accepts_and_pays_nothing(
    stack: Stack, api: Api, caller: Caller, simulator: SimulatorControl, quick: None
) -> None:
    """The runbook's way to stop all paid calls; the API calls the function by its alias."""
    paid, request = len(simulator.jobs()), caller.request()
    with at_most(stack, 0):
        refused = api.call("POST", "/videos", request)
    assert refused.status_code in (429, 500, 502, 503)
    assert len(simulator.jobs()) == paid
    assert api.call("POST", "/videos", request).status_code == 202


def test_fifty_equal_submits_at_once_are_one_job_and_one_payment(
    api: Api, caller: Caller, simulator: SimulatorControl, quick: None, narrow: None
) -> None:
    paid, request = len(simulator.jobs()), caller.request()
    key = {"Idempotency-Key": f"fifty-{time.time_ns()}"}
    deadline = time.monotonic() + PATIENCE

    def submit(_: int) -> requests.Response:
        """What a client with a key does: the same call again until it is let in."""
        while (answer := api.call("POST", "/videos", request, key)).status_code in (429, 500, 502, 503):
            assert time.monotonic() < deadline, answer.text
            time.sleep(1)
        return answer

    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(submit, range(CALLERS)))
    assert {answer.status_code for answer in answers} <= {200, 202}, [answer.text for answer in answers]
    assert [answer.status_code for answer in answers].count(202) == 1
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(simulator.jobs()) - paid == 1
    conflict = api.call("POST", "/videos", request | {"seed": 4}, key)
    assert (conflict.status_code, conflict.json()["code"]) == (422, "IdempotencyConflict")
    api.wait_until_quiet()


def test_a_job_under_way_can_be_stopped_and_stays_stopped(api: Api, caller: Caller, slow: None) -> None:
    job = caller.client.submit(caller.request())
    shown = api.call("GET", f"/videos/{job['id']}")
    assert int(shown.headers["Retry-After"]) >= 1
    for _ in range(2):
        stopped = api.call("DELETE", f"/videos/{job['id']}")
        assert (stopped.status_code, stopped.json()["status"]) == (200, "cancelled")
    assert "charge" in stopped.json()["error"]["message"]
    assert caller.execution(job)["status"] in ("ABORTED", "FAILED")


def test_a_failed_delivery_is_resumed_without_a_new_payment(
    api: Api, caller: Caller, simulator: SimulatorControl, quick: None
) -> None:
    paid = len(simulator.jobs())
    with simulator.fault(on="content", garbage=True, times=None):
        job = caller.make()
    assert (job["status"], job["error"]["code"]) == ("failed", "NotAVideo")
    resumed = api.call("POST", f"/videos/{job['id']}/resume")
    assert (resumed.status_code, resumed.json()["status"]) == (202, "in_progress")
    api.wait_until_quiet()
    assert api.call("GET", f"/videos/{job['id']}").json()["status"] == "completed"
    assert len(simulator.jobs()) - paid == 1


def test_the_link_of_a_completed_job_gives_the_stored_bytes(api: Api, caller: Caller, quick: None) -> None:
    job = caller.make()
    video = api.call("GET", f"/videos/{job['id']}").json()["video"][0]
    assert video["s3_uri"] == f"s3://{video['bucket']}/{video['key']}"
    content = requests.get(video["url"], timeout=TIMEOUT).content
    assert len(content) == video["bytes"]
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == video["checksum"]
    assert requests.get(video["url"].split("?")[0], timeout=TIMEOUT).status_code == 403


def _post(place: dict[str, Any], content: bytes, **changes: str) -> requests.Response:
    fields = place["fields"] | changes
    return requests.post(place["url"], data=fields, files={"file": content}, timeout=TIMEOUT)


def test_an_uploaded_picture_becomes_a_clip(api: Api, caller: Caller, quick: None) -> None:
    place = api.call("POST", "/uploads", {"content_type": "image/jpeg"}).json()
    assert _post(place, SAMPLE.read_bytes()).status_code in (200, 201, 204)
    job = caller.make(first_frame=place["s3_uri"])
    assert job["status"] == "completed", job


@pytest.mark.parametrize(
    ("changes", "size"),
    [({"Content-Type": "text/html"}, 100), ({"key": "uploads/other.jpg"}, 100), ({}, 0), ({}, 30 * 2**20 + 1)],
    ids=["type", "key", "empty", "too large"],
)
def test_an_upload_of_something_else_than_agreed_is_refused(
    api: Api, stack: Stack, changes: dict[str, str], size: int
) -> None:
    place = api.call("POST", "/uploads", {"content_type": "image/jpeg"}).json()
    refused = _post(place, bytes(size), **changes)
    assert refused.status_code in (400, 403), refused.text
    listed = stack.client("s3").list_objects_v2(Bucket=stack.input_bucket, Prefix=place["fields"]["key"])
    assert listed["KeyCount"] == 0


def test_pages_go_through_all_jobs_newest_first(api: Api, caller: Caller, quick: None) -> None:
    made = [caller.client.submit(DRY)["id"] for _ in range(5)]
    seen: list[dict[str, Any]] = []
    token = ""
    for _ in range(200):
        page = api.call("GET", f"/videos?limit=2&model={MODEL}{token}").json()
        assert len(page["data"]) <= 2
        seen += page["data"]
        if page["next_token"] is None or set(made) <= {job["id"] for job in seen}:
            break
        token = f"&next_token={page['next_token']}"
    ids = [job["id"] for job in seen]
    assert [one for one in ids if one in made] == made[::-1]
    assert len(set(ids)) == len(ids)
    assert [job["created_at"] for job in seen] == sorted((job["created_at"] for job in seen), reverse=True)
    forged = api.call("GET", f"/videos?limit=2{token}")
    assert forged.status_code == 400
    api.wait_until_quiet()
