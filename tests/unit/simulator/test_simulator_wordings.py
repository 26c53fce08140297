"""The service's unusual words and shapes: statuses, ids, wrappings, refusals, and what a key has left."""

from typing import Any

import pytest

from local.simulator import Simulator
from local.simulator.faults import BadFaultError
from local.simulator.settings import UnknownSettingError
from tests.unit.simulator.support import Client


@pytest.mark.parametrize(
    ("words", "status"),
    [({"completed": "done"}, "done"), ({"completed": "ready", "pending": "queued"}, "ready"), ({}, "completed")],
)
def test_a_status_can_have_another_word(sim: Simulator, client: Client, words: dict[str, str], status: str) -> None:
    sim.settings(status_words=words, seconds_pending=10, seconds_to_ready=20)
    job = client.accepted()
    assert job["status"] == words.get("pending", "pending")
    sim.advance(21)
    shown = client.poll(job)
    assert (shown["status"], len(shown["unsigned_urls"])) == (status, 1)
    assert sim.jobs()[0]["status"] == "completed"


@pytest.mark.parametrize("words", [{"finished": "done"}, {"completed": ""}, {"completed": 1}, "done"])
def test_words_for_statuses_that_there_are_not_are_refused(sim: Simulator, words: Any) -> None:
    with pytest.raises(UnknownSettingError, match="status_words"):
        sim.settings(status_words=words)


@pytest.mark.parametrize("error", ["no faces", ["no faces", "no hands"], {"reason": "no faces"}, None])
def test_a_dead_job_ends_with_an_error_of_any_shape(sim: Simulator, client: Client, error: Any) -> None:
    sim.settings(fail_with={"status": "dead", "error": error, "failure_reason": "policy"})
    job = client.poll(client.accepted())
    assert (job["status"], job.get("error"), job["failure_reason"]) == ("dead", error, "policy")


def test_ids_can_be_integers(sim: Simulator, client: Client) -> None:
    sim.settings(integer_ids=True)
    job = client.accepted()
    assert isinstance(job["id"], int)
    assert client.poll(job)["id"] == job["id"]
    assert sim.jobs()[0]["id"] == str(job["id"])
    assert client.clip(client.poll(job))


@pytest.mark.parametrize(
    ("keys", "unwrapped"),
    [
        ("data", lambda body: body["data"]),
        ("data.job", lambda body: body["data"]["job"]),
        ("data.[]", lambda body: body["data"][0]),
        ("[]", lambda body: body[0]),
    ],
)
def test_jobs_can_be_wrapped(sim: Simulator, client: Client, keys: str, unwrapped: Any) -> None:
    sim.fault("submit", wrapped=keys)
    sim.fault("poll", wrapped=keys)
    job = unwrapped(client.submit().json())
    assert job["id"] == sim.jobs()[0]["id"]
    assert unwrapped(client.poll(job))["id"] == job["id"]


def test_the_answer_to_a_submit_can_have_other_fields(sim: Simulator, client: Client) -> None:
    sim.fault("submit", job={"status": "queued"})
    job = client.accepted()
    assert (job["status"], job["id"]) == ("queued", sim.jobs()[0]["id"])


WORDS = "The picture shows a famous person."


@pytest.mark.parametrize(
    ("wording", "found"),
    [
        ("error", lambda body: body["error"]["message"]),
        ("metadata_raw", lambda body: body["error"]["metadata"]["raw"]),
        ("moderation", lambda body: body["error"]["metadata"]["reasons"][0]),
        ("message", lambda body: body["message"]),
        ("detail", lambda body: body["detail"]),
        ("detail_list", lambda body: body["detail"][0]["msg"]),
    ],
)
def test_a_refusal_says_its_words_where_they_have_been_seen(
    sim: Simulator, client: Client, wording: str, found: Any
) -> None:
    sim.fault("submit", refusal=WORDS, wording=wording)
    sim.fault("submit", refusal=WORDS, wording=wording, status=200)
    answers = [client.submit(), client.submit()]
    assert [answer.status for answer in answers] == [400, 200]
    assert [found(answer.json()) for answer in answers] == [WORDS, WORDS]
    assert sim.jobs() == []


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"on": "submit", "refusal": ""}, "'refusal' must be the words"),
        ({"on": "submit", "refusal": WORDS, "wording": "shouted"}, "'wording' must be one of error"),
        ({"on": "submit", "status": 400, "wording": "detail"}, "'wording' is for refusals only"),
        ({"on": "content", "wrapped": "data"}, "'wrapped' is for submits and polls only"),
        ({"on": "poll", "wrapped": 1}, "'wrapped' must be keys"),
    ],
)
def test_faults_that_cannot_be_understood_are_explained(sim: Simulator, spec: dict[str, Any], said: str) -> None:
    with pytest.raises(BadFaultError, match=said):
        sim.fault(**spec)


def key(client: Client) -> dict[str, Any]:
    answer = client.call("GET", "/api/v1/key")
    assert answer.status == 200
    return answer.json()["data"]


def test_a_key_without_a_limit_shows_what_it_has_used(client: Client) -> None:
    client.accepted(duration=4)
    assert key(client) == {
        "label": "local",
        "limit": None,
        "limit_remaining": None,
        "usage": 0.2,
        "expires_at": None,
    }


def test_a_key_with_credits_shows_what_is_left_of_them(sim: Simulator, client: Client) -> None:
    sim.settings(credits_usd=1, key_expires_at="2027-01-31T00:00:00Z")
    client.accepted(duration=4)
    client.accepted(duration=4, generate_audio=False)
    shown = key(client)
    assert (shown["limit"], shown["limit_remaining"], shown["usage"]) == (1.0, 0.68, 0.32)
    assert shown["expires_at"] == "2027-01-31T00:00:00Z"


def test_the_key_is_asked_for_and_the_call_is_noted(sim: Simulator, client: Client) -> None:
    assert Client(sim, key="wrong").call("GET", "/api/v1/key").status == 401
    sim.fault("key", status=503)
    assert client.call("GET", "/api/v1/key").status == 503
    assert [seen["on"] for seen in sim.requests()] == ["key", "key"]


def test_a_surcharge_is_charged_on_top(sim: Simulator, client: Client) -> None:
    sim.settings(surcharge_usd=0.05)
    assert client.completed(duration=4)["usage"]["cost"] == 0.25
    assert sim.charged_usd() == 0.25
