"""Every route of the API, as its function answers it behind API Gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from local.simulator import Simulator
from stillmotion import wiring
from stillmotion.jobs.lifecycle import END, Status
from stillmotion.jobs.record import Job, new_job_id, timestamp
from stillmotion.jobs.store import DynamoJobStore
from tests.support.inprocess import ACCOUNT, CALLER, Cloud, cloud
from tests.support.requests import request

BOB = CALLER.replace("alice", "bob")
OPERATORS = f"arn:aws:iam::{ACCOUNT}:role/Operators"
OPERATOR = f"arn:aws:sts::{ACCOUNT}:assumed-role/Operators/olga"


def finished(stack: Cloud, simulator: Simulator, **changes: Any) -> dict[str, Any]:
    """A job that has run to its end."""
    job = stack.http("POST", "/videos", request(simulator, **changes))[2]
    stack.finish(job["execution_arn"])
    return stack.job(job["id"])


def test_the_same_key_and_body_answer_the_first_job(stack: Cloud, simulator: Simulator) -> None:
    key = {"Idempotency-Key": "order-7"}
    first, _, job = stack.http("POST", "/videos", request(simulator), headers=key)
    again, headers, same = stack.http("POST", "/videos", request(simulator), headers=key)
    assert (first, again) == (202, 200)
    assert same["id"] == job["id"]
    assert headers["Idempotent-Replayed"] == "true"
    assert len(simulator.jobs()) == 1


def test_the_same_key_and_another_body_are_a_conflict(stack: Cloud, simulator: Simulator) -> None:
    key = {"Idempotency-Key": "order-7"}
    stack.http("POST", "/videos", request(simulator), headers=key)
    status, headers, problem = stack.http("POST", "/videos", request(simulator, seed=4), headers=key)
    assert (status, problem["code"]) == (422, "IdempotencyConflict")
    assert headers["Content-Type"] == "application/problem+json"
    assert len(simulator.jobs()) == 1


def test_another_caller_may_use_the_same_key(stack: Cloud, simulator: Simulator) -> None:
    key = {"Idempotency-Key": "order-7"}
    mine = stack.http("POST", "/videos", request(simulator), headers=key)[2]
    theirs = stack.http("POST", "/videos", request(simulator), headers=key, caller=BOB)[2]
    assert mine["id"] != theirs["id"]


def test_fifty_equal_submits_at_once_make_one_job(stack: Cloud, simulator: Simulator) -> None:
    asked, key = request(simulator), {"Idempotency-Key": "order-7"}
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: stack.http("POST", "/videos", asked, headers=key), range(50)))
    assert {status for status, _, _ in answers} <= {200, 202}
    assert len({job["id"] for _, _, job in answers}) == 1
    assert len(simulator.jobs()) == 1


def test_a_dry_run_prices_and_spends_nothing(stack: Cloud, simulator: Simulator) -> None:
    status, _, told = stack.http("POST", "/videos?dry_run=true", request(simulator, resolution="1080p"))
    assert status == 200
    assert told == {
        "dry_run": True,
        "model": "google/veo-3.1-lite",
        "estimated_cost_usd": pytest.approx(0.32),
        "price": {
            "at_most_usd": "0.32",
            "at_least_usd": "0.20",
            "basis": ["duration_seconds_with_audio"],
            "open": ["sound is on by default with this model: 0.32 USD; without sound 0.20 USD"],
            "reason": None,
        },
        "warnings": [],
        "chosen": {},
    }
    assert simulator.jobs() == []
    assert boto3.resource("dynamodb").Table("jobs").scan()["Items"] == []


def test_a_picture_of_another_shape_is_taken_with_a_warning(stack: Cloud, simulator: Simulator) -> None:
    asked = request(simulator, aspect_ratio="9:16")
    [warning] = stack.http("POST", "/videos?dry_run=true", asked)[2]["warnings"]
    assert "1280x720 and the clip 9:16: 68% of the picture is cropped away" in warning
    status, _, job = stack.http("POST", "/videos", asked)
    assert (status, job["warnings"]) == (202, [warning])


def test_the_clip_follows_the_picture_where_no_shape_is_named(stack: Cloud, simulator: Simulator) -> None:
    frame = {"image_url": {"url": simulator.image_url(width=900, height=1600)}, "frame_type": "first_frame"}
    asked = request(simulator, frame_images=[frame])
    del asked["aspect_ratio"]
    planned = stack.http("POST", "/videos?dry_run=true", asked)[2]
    assert (planned["chosen"], planned["warnings"]) == ({"aspect_ratio": "9:16"}, [])
    key = {"Idempotency-Key": "portrait"}
    status, _, job = stack.http("POST", "/videos", asked, headers=key)
    assert (status, job["chosen"], job["request"]["aspect_ratio"]) == (202, {"aspect_ratio": "9:16"}, "9:16")
    assert stack.http("POST", "/videos", asked, headers=key)[0] == 200
    named = stack.http("POST", "/videos", asked | {"aspect_ratio": "9:16"}, headers=key)
    assert named[2]["code"] == "IdempotencyConflict"  # the key belongs to what was sent, not to what was chosen
    [sent] = simulator.jobs()
    assert sent["request"]["aspect_ratio"] == "9:16"


def test_a_byte_order_mark_before_a_body_is_no_fault(stack: Cloud) -> None:
    body = "\ufeff" + json.dumps({"content_type": "IMAGE/JPG; charset=binary"})
    status, _, place = stack.http("POST", "/uploads", body)
    assert (status, place["fields"]["Content-Type"], place["s3_uri"][-4:]) == (201, "image/jpeg", ".jpg")


def test_a_dry_run_refuses_what_a_submit_would(stack: Cloud, simulator: Simulator) -> None:
    status, _, problem = stack.http("POST", "/videos?dry_run=true", request(simulator, duration=5))
    assert (status, problem["code"]) == (422, "UnsupportedByModel")


def test_an_oversized_body_is_refused_with_its_size(stack: Cloud, simulator: Simulator) -> None:
    status, _, problem = stack.http("POST", "/videos", json.dumps(request(simulator)) + " " * 6_000_000)
    assert (status, problem["code"]) == (413, "BodyTooLarge")
    assert "6,000,000" in problem["detail"]


def test_a_foreign_job_is_absent(stack: Cloud, simulator: Simulator) -> None:
    job = finished(stack, simulator)
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/resume")):
        status, _, problem = stack.http(method, f"/videos/{job['id']}{path}", caller=BOB)
        assert (status, problem["code"]) == (404, "JobNotFound"), method


def test_a_video_in_an_earlier_output_bucket_has_a_reason_for_no_link(
    stack: Cloud, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = finished(stack, simulator)
    monkeypatch.setenv("OUTPUT_BUCKET", "clips-from-now-on")
    status, _, shown = stack.http("GET", f"/videos/{job['id']}")
    [video] = shown["video"]
    assert (status, shown["status"], video["url"]) == (200, "completed", None)
    assert video["s3_uri"] == f"s3://clips/videos/{job['id']}.mp4"
    assert video["url_reason"].startswith("The video is in clips, an earlier output bucket")


def test_a_job_under_way_says_when_to_come_back(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(polls_to_ready=60)
    job = stack.http("POST", "/videos", request(simulator))[2]
    _, headers, shown = stack.http("GET", f"/videos/{job['id']}")
    if shown["status"] == "in_progress":
        assert headers["Retry-After"] == "30"
    stack.finish(job["execution_arn"])
    assert "Retry-After" not in stack.http("GET", f"/videos/{job['id']}")[1]


def test_stopping_a_job_ends_its_execution_and_says_what_it_may_cost(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(polls_to_ready=60)
    simulator.fault("poll", times=None, delay=0.5)
    job = stack.http("POST", "/videos", request(simulator))[2]
    status, _, stopped = stack.http("DELETE", f"/videos/{job['id']}")
    assert (status, stopped["status"]) == (200, "cancelled")
    assert "charge" in stopped["error"]["message"]
    assert stack.finish(job["execution_arn"])["status"] in ("ABORTED", "FAILED")
    again, _, same = stack.http("DELETE", f"/videos/{job['id']}")
    assert (again, same["error"]) == (200, stopped["error"])
    told = [event["detail"]["status"] for event in stack.events() if event["detail-type"] == "Video Generation Failed"]
    assert set(told) == {"cancelled"}  # by the caller's call and by the workflow's end at once, perhaps twice


def test_a_job_that_has_ended_cannot_be_stopped(stack: Cloud, simulator: Simulator) -> None:
    job = finished(stack, simulator)
    status, _, problem = stack.http("DELETE", f"/videos/{job['id']}")
    assert (status, problem["code"]) == (409, "JobStateConflict")


def test_a_timed_out_job_goes_on_without_a_new_payment(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(polls_to_ready=61)
    job = finished(stack, simulator)
    assert job["status"] == "timed_out"
    status, _, resumed = stack.http("POST", f"/videos/{job['id']}/resume")
    assert (status, resumed["status"]) == (202, "in_progress")
    assert "error" not in resumed
    assert stack.finish(resumed["execution_arn"])["status"] == "SUCCEEDED"
    assert stack.job(job["id"])["status"] == "completed"
    assert len(simulator.jobs()) == 1
    assert [event["detail-type"] for event in stack.events()] == [
        "Video Generation Submitted",
        "Video Generation Failed",
        "Video Generation Completed",
    ]


def test_a_failed_delivery_goes_on_where_it_was(stack: Cloud, simulator: Simulator) -> None:
    simulator.fault("content", times=None, status=502)
    job = finished(stack, simulator)
    assert (job["status"], job["error"]["code"]) == ("failed", "DownloadFailed")
    simulator.clear_faults()
    resumed = stack.http("POST", f"/videos/{job['id']}/resume")[2]
    assert stack.finish(resumed["execution_arn"])["status"] == "SUCCEEDED"
    assert "Poll" not in stack.states(resumed["execution_arn"])
    assert len(simulator.jobs()) == 1


@pytest.mark.parametrize("ending", [None, "failed"])
def test_there_is_nothing_to_resume_in_other_jobs(stack: Cloud, simulator: Simulator, ending: str | None) -> None:
    if ending is not None:
        simulator.settings(fail_with={"status": ending, "error": "No."})
    job = finished(stack, simulator)
    status, _, problem = stack.http("POST", f"/videos/{job['id']}/resume")
    assert (status, problem["code"]) == (409, "JobStateConflict")


def test_of_two_resumes_one_wins(stack: Cloud, simulator: Simulator) -> None:
    simulator.settings(polls_to_ready=61)
    job = finished(stack, simulator)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: stack.http("POST", f"/videos/{job['id']}/resume"), range(2)))
    assert sorted(status for status, _, _ in answers) == [202, 409]


def test_models_are_filtered_and_priced(stack: Cloud) -> None:
    path = "/models?frame=first_frame&frame=last_frame&duration=4&resolution=1080p&aspect_ratio=16:9&sort=price"
    status, _, models = stack.http("GET", path)
    assert status == 200
    ids = [model["id"] for model in models["data"]]
    assert "google/veo-3.1-lite" in ids
    assert "minimax/hailuo-2.3" not in ids
    prices = [model["estimated_cost_usd"] for model in models["data"]]
    known = [price for price in prices if price is not None]
    assert known == sorted(known)
    assert prices[: len(known)] == known


def test_a_filter_that_matches_no_model_is_reported(stack: Cloud) -> None:
    status, _, problem = stack.http("GET", "/models?frame=middle_frame&duration=0")
    assert status == 400
    assert {fault["pointer"].split("/")[1] for fault in problem["errors"]} == {"frame", "duration"}


@pytest.mark.parametrize(("given", "missing"), [("width", "height"), ("height", "width")])
def test_half_of_a_picture_s_shape_is_refused(stack: Cloud, given: str, missing: str) -> None:
    status, _, problem = stack.http("GET", f"/models?{given}=720")
    assert (status, problem["errors"][0]["pointer"]) == (400, f"#/{given}")
    assert f"Send {missing} too" in problem["detail"]


def test_an_upload_has_a_place_and_an_address(stack: Cloud) -> None:
    status, _, upload = stack.http("POST", "/uploads", {"content_type": "image/png"})
    assert status == 201
    assert upload["s3_uri"].startswith("s3://pictures/uploads/")
    assert upload["s3_uri"].endswith(f"/{upload['fields']['key'].removeprefix('uploads/')}")
    assert upload["fields"]["Content-Type"] == "image/png"
    assert upload["max_bytes"] == 30 * 2**20


def test_an_upload_of_something_else_is_refused(stack: Cloud) -> None:
    status, _, problem = stack.http("POST", "/uploads", {"content_type": "text/html"})
    assert (status, problem["errors"][0]["pointer"]) == (400, "#/content_type")


def test_the_openapi_document_names_the_address_it_was_asked_at(stack: Cloud) -> None:
    _, _, document = stack.http("GET", "/openapi.json")
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "https://api.execute-api.eu-central-1.amazonaws.com/v1"}]


def test_pages_neither_skip_nor_repeat_while_new_jobs_arrive(stack: Cloud) -> None:
    store = DynamoJobStore(boto3.resource("dynamodb").Table("jobs"))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    ids = [_put(store, start + timedelta(seconds=number // 3)).id for number in range(1000)]
    seen: list[dict[str, Any]] = []
    token = ""
    while True:
        page = stack.http("GET", f"/videos?limit=90{token}")[2]
        seen += page["data"]
        _put(store, start + timedelta(days=1, seconds=len(seen)))
        if page["next_token"] is None:
            break
        token = f"&next_token={page['next_token']}"
    assert len(seen) == 1000
    assert {job["id"] for job in seen} == set(ids)
    assert [job["created_at"] for job in seen] == sorted((job["created_at"] for job in seen), reverse=True)


def test_lists_are_filtered_and_show_only_what_the_caller_may_see(stack: Cloud) -> None:
    store = DynamoJobStore(boto3.resource("dynamodb").Table("jobs"))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    mine = _put(store, start)
    nobodys = _put(store, start + timedelta(hours=1), owner=None)
    theirs = _put(store, start + timedelta(hours=2), owner=BOB)
    failed = _put(store, start + timedelta(hours=3), model="alibaba/wan-2.7")
    store.update(failed.id, END[Status.FAILED])

    def listed(query: str, caller: str = CALLER) -> list[str]:
        return [job["id"] for job in stack.http("GET", f"/videos{query}", caller=caller)[2]["data"]]

    assert listed("") == [failed.id, nobodys.id, mine.id]
    assert listed("", BOB) == [theirs.id, nobodys.id]
    assert listed("?status=failed") == [failed.id]
    assert listed("?status=failed", BOB) == []
    assert listed("?status=queued") == [nobodys.id, mine.id]
    assert listed("?model=alibaba/wan-2.7") == [failed.id]
    assert listed("?created_after=2026-01-01T02:30:00%2B01:00") == [failed.id]
    assert listed("?created_after=2027-01-01T00:00:00Z") == []


@pytest.fixture
def operated(simulator: Simulator) -> Iterator[Cloud]:
    """A stack with operators: a role that was made with a path."""
    with cloud(simulator, OperatorRoleArns=f"arn:aws:iam::{ACCOUNT}:role/team/Auditors,{OPERATORS}") as stack:
        yield stack


def lost(stack: Cloud, simulator: Simulator) -> tuple[str, str]:
    """A job of Alice's whose submit was accepted without an answer, and its id at ModelGates."""
    simulator.fault("submit", times=1, accept_then_lose="reset")
    problem = stack.http("POST", "/videos", request(simulator))[2]
    return problem["instance"].removeprefix("/videos/"), simulator.jobs()[-1]["id"]


def ids(stack: Cloud, query: str, caller: str) -> list[str]:
    return [job["id"] for job in stack.http("GET", f"/videos{query}", caller=caller)[2]["data"]]


def test_only_operators_settle_foreign_jobs(operated: Cloud, simulator: Simulator) -> None:
    job_id, _ = lost(operated, simulator)
    for caller in (BOB, OPERATOR.replace("Operators", "Others")):
        assert ids(operated, "?status=submit_unknown", caller) == []
        status, _, problem = operated.http("POST", f"/videos/{job_id}/settle", {"abandon": True}, caller=caller)
        assert (status, problem["code"]) == (404, "JobNotFound")
    assert operated.job(job_id)["status"] == "submit_unknown"


def test_not_even_its_owner_settles_a_job(stack: Cloud, simulator: Simulator) -> None:
    job_id, provider_job_id = lost(stack, simulator)
    for order in ({"abandon": True}, {"abandon": True, "charged": False}, {"provider_job_id": provider_job_id}):
        status, _, problem = stack.http("POST", f"/videos/{job_id}/settle", order)
        assert (status, problem["code"]) == (403, "OperatorsOnly")
        assert "OperatorRoleArns" in problem["detail"]
    assert stack.job(job_id)["status"] == "submit_unknown"


def test_an_operator_finds_and_settles_everybodys_lost_jobs(operated: Cloud, simulator: Simulator) -> None:
    adopted, provider_job_id = lost(operated, simulator)
    given_up, _ = lost(operated, simulator)
    assert ids(operated, "", OPERATOR) == []
    assert ids(operated, "?status=submit_unknown", OPERATOR) == [given_up, adopted]
    token = operated.http("GET", "/videos?status=submit_unknown&limit=1", caller=OPERATOR)[2]["next_token"]
    assert ids(operated, f"?status=submit_unknown&limit=1&next_token={token}", OPERATOR) == [adopted]
    assert operated.http("GET", f"/videos?status=submit_unknown&next_token={token}", caller=BOB)[0] == 400

    order = {"provider_job_id": provider_job_id}
    status, _, job = operated.http("POST", f"/videos/{adopted}/settle", order, caller=OPERATOR)
    assert status == 202
    operated.finish(job["execution_arn"])
    assert operated.job(adopted)["status"] == "completed"
    status, _, job = operated.http("POST", f"/videos/{given_up}/settle", {"abandon": True}, caller=OPERATOR)
    assert (status, job["status"]) == (200, "failed")
    assert len(simulator.jobs()) == 2


def test_an_operator_sees_stops_and_resumes_everybodys_jobs(
    operated: Cloud, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = finished(operated, simulator)["id"]
    status, _, shown = operated.http("GET", f"/videos/{job_id}", caller=OPERATOR)
    assert (status, shown["status"]) == (200, "completed")
    for method, path in (("DELETE", ""), ("POST", "/resume")):  # there is nothing to stop or resume: it is seen
        assert operated.http(method, f"/videos/{job_id}{path}", caller=OPERATOR)[0] == 409
    told = [vars(record) for record in caplog.records if record.message == "operator acts on another's job"]
    assert [(record["operator"], record["method"]) for record in told] == [
        (OPERATORS, "GET"),
        (OPERATORS, "DELETE"),
        (OPERATORS, "POST"),
    ]


def test_a_stack_without_operators_has_none(simulator: Simulator) -> None:
    with cloud(simulator, OperatorRoleArns="") as stack:
        job_id, _ = lost(stack, simulator)
        assert ids(stack, "?status=submit_unknown", OPERATOR) == []
        assert stack.http("GET", f"/videos/{job_id}", caller=OPERATOR)[0] == 404
        assert stack.http("POST", f"/videos/{job_id}/settle", {"abandon": True})[0] == 403


def test_a_token_of_another_query_or_caller_is_refused(stack: Cloud) -> None:
    store = DynamoJobStore(boto3.resource("dynamodb").Table("jobs"))
    for second in range(5):
        _put(store, datetime(2026, 1, 1, second=second, tzinfo=UTC), owner=None)
    token = stack.http("GET", "/videos?limit=2")[2]["next_token"]
    assert stack.http("GET", f"/videos?limit=2&next_token={token}")[0] == 200
    for query, caller in (
        (f"?status=queued&next_token={token}", CALLER),
        (f"?next_token={token}", BOB),
        (f"?next_token={token[:-2]}xx", CALLER),
        ("?next_token=bm9uc2Vuc2U", CALLER),
        ("?next_token=%F0%9F%92%A5", CALLER),
    ):
        status, _, problem = stack.http("GET", f"/videos{query}", caller=caller)
        assert (status, problem["errors"][0]["pointer"]) == (400, "#/next_token"), query


def test_listing_never_scans(stack: Cloud) -> None:
    calls: list[str] = []
    events = wiring.client("dynamodb").meta.events
    events.register("before-call.dynamodb.*", lambda model, **_: calls.append(model.name))
    assert stack.http("GET", "/videos?model=a/b&limit=5")[0] == 200
    assert set(calls) == {"Query"}


def _put(
    store: DynamoJobStore, moment: datetime, owner: str | None = CALLER, model: str = "google/veo-3.1-lite"
) -> Job:
    job = Job(
        id=new_job_id(),
        status=Status.QUEUED,
        request={"model": model},
        request_hash="",
        source={"type": "http"},
        owner=owner,
        created_at=timestamp(moment),
        updated_at=timestamp(moment),
    )
    assert store.create(job)
    return job
