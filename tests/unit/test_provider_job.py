"""What a provider's job and its status mean."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillmotion.modelgates.job import Outcome, ProviderJob, classify, read_accepted, read_job
from stillmotion.modelgates.wording import MAX_MESSAGE_CHARACTERS, words_of_answer, words_of_error

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
FIELDS = ("id", "status", "generation_id", "polling_url", "error", "unsigned_urls", "urls", "usage")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("pending", Outcome.WAITING),
        ("in_progress", Outcome.WAITING),
        ("completed", Outcome.COMPLETED),
        ("COMPLETED", Outcome.COMPLETED),
        (" Completed ", Outcome.COMPLETED),
        ("succeeded", Outcome.COMPLETED),
        ("success", Outcome.COMPLETED),
        ("failed", Outcome.FAILED),
        ("FAILED", Outcome.FAILED),
        ("dead", Outcome.FAILED),
        ("done", Outcome.WAITING),
        ("rejected", Outcome.WAITING),
        ("cancelled", Outcome.CANCELLED),
        ("canceled", Outcome.CANCELLED),
        ("expired", Outcome.EXPIRED),
        ("upscaling", Outcome.WAITING),
        ("complete?", Outcome.WAITING),
        ("", Outcome.WAITING),
    ],
)
def test_statuses_ignore_case_and_unknown_ones_are_not_terminal(status: str, outcome: Outcome) -> None:
    assert classify(status) is outcome
    assert ProviderJob("job", status).outcome is outcome


def test_a_whole_job_is_read_field_by_field() -> None:
    assert read_job(
        {
            "id": "vg_1",
            "status": "completed",
            "generation_id": "gen_1",
            "polling_url": "/api/v1/videos/vg_1",
            "error": None,
            "unsigned_urls": ["https://modelgates.ai/api/v1/videos/vg_1/content?index=0"],
            "urls": ["https://storage.example/a?signature=x"],
            "usage": {"cost": 0.12, "is_byok": False},
            "model": "google/veo-3.1-lite",
            "something_new": {"a": 1},
        }
    ) == ProviderJob(
        "vg_1",
        "completed",
        "gen_1",
        "/api/v1/videos/vg_1",
        None,
        ("https://modelgates.ai/api/v1/videos/vg_1/content?index=0",),
        ("https://storage.example/a?signature=x",),
        0.12,
        named_id="vg_1",
        model="google/veo-3.1-lite",
    )


@pytest.mark.parametrize("data", [None, [], "job", 7, {}, {"id": "x"}, {"status": "pending"}])
def test_what_has_no_id_or_no_status_is_not_a_job(data: Any) -> None:
    assert read_job(data) is None


@pytest.mark.parametrize("given_id", [None, "", 17, ["vg_1"]])
def test_an_answer_about_a_known_job_needs_no_id_of_its_own(given_id: Any) -> None:
    job = read_job({"id": given_id, "status": "completed"}, "vg_1")
    assert job is not None
    assert job.id == "vg_1"


@pytest.mark.parametrize("field", ["generation_id", "polling_url"])
@pytest.mark.parametrize("value", ["", 5, [], {"message": "x"}, "x" * 10_000])
def test_a_text_that_is_empty_endless_or_no_text_counts_as_not_given(field: str, value: Any) -> None:
    job = read_job({"id": "vg_1", "status": "pending", field: value})
    assert job is not None
    assert getattr(job, field) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("refused by content policy", "refused by content policy"),
        ({"code": 400, "message": "refused"}, "refused"),
        ({"code": 400}, None),
        (None, None),
        (["refused"], "refused"),
        (["refused", {"message": "too dark"}], "refused; too dark"),
        (
            {"message": "Provider returned error", "metadata": {"raw": "out of GPUs"}},
            "Provider returned error: out of GPUs",
        ),
        ({"metadata": {"raw": '{"error": {"message": "out of GPUs", "code": 9}}'}}, "out of GPUs"),
        (
            {
                "message": "Input was flagged",
                "metadata": {"reasons": ["violence", "minors"], "flagged_input": "a knife"},
            },
            "Input was flagged: flagged for violence, minors: flagged input: a knife",
        ),
        ({"kind": "policy"}, '{"kind": "policy"}'),
        ("", None),
        ({}, None),
        ([], None),
        ("x" * 3_000_000, "x" * MAX_MESSAGE_CHARACTERS),
        (
            "no image at https://b.example/a.png?X-Amz-Signature=SECRET, sorry",
            "no image at https://b.example/a.png?… sorry",
        ),
    ],
)
def test_an_error_is_a_sentence_also_when_it_comes_as_an_object(error: Any, said: str | None) -> None:
    job = read_job({"id": "vg_1", "status": "failed", "error": error})
    assert job is not None
    assert job.error == said
    assert words_of_error(error) == said


@pytest.mark.parametrize(
    ("cost", "known"),
    [
        (0.12, 0.12),
        (0, 0.0),
        (3, 3.0),
        (None, None),
        ("0.12", None),
        (True, None),
        (-1, None),
        (math.nan, None),
        (math.inf, None),
        (10**400, None),
        (1e300, None),
    ],
)
def test_only_a_cost_that_a_record_can_hold_is_a_cost(cost: Any, known: float | None) -> None:
    job = read_job({"id": "vg_1", "status": "completed", "usage": {"cost": cost}})
    assert job is not None
    assert job.cost_usd == known


def test_addresses_keep_their_order_whatever_lies_between() -> None:
    job = read_job({"id": "vg_1", "status": "completed", "unsigned_urls": [None, "https://a.example/1", 7]})
    assert job is not None
    assert job.unsigned_urls == ("", "https://a.example/1", "")
    assert job.outputs == 3


def test_a_completed_job_without_addresses_has_one_output() -> None:
    for urls in (None, [], "https://a.example", {}):
        job = read_job({"id": "vg_1", "status": "completed", "unsigned_urls": urls, "urls": urls})
        assert job is not None
        assert job.outputs == 1
    assert ProviderJob("vg_1", "completed", urls=("a", "b")).outputs == 2


@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_json_is_a_job_that_can_be_recorded_or_none(data: dict[str, Any]) -> None:
    job = read_job(data, "vg_1")
    if job is None:
        return
    assert job.id
    assert job.outcome in Outcome
    assert job.cost_usd is None or (math.isfinite(job.cost_usd) and job.cost_usd >= 0)
    texts = [job.id, job.status, job.generation_id, job.polling_url, job.error, *job.unsigned_urls, *job.urls]
    assert all(text is None or isinstance(text, str) for text in texts)


@pytest.mark.parametrize("name", ["failure_reason", "message", "detail"])
def test_words_beside_the_error_count(name: str) -> None:
    job = read_job({"id": "vg_1", "status": "failed", name: "the face is too small"})
    assert job is not None
    assert job.error == "the face is too small"


def test_an_error_that_is_nested_without_end_is_read_in_bounded_time() -> None:
    nested: Any = "deep"
    for _ in range(5000):
        nested = {"error": [nested], "code": 400}
    assert words_of_answer({"error": nested}) is None


@pytest.mark.parametrize("word", ["done", "Ready", "COMPLETE", "finished"])
def test_an_undocumented_end_counts_with_an_output(word: str) -> None:
    with_output = read_job({"id": "vg_1", "status": word, "urls": ["https://storage.example/a"]})
    without = read_job({"id": "vg_1", "status": word})
    assert with_output is not None
    assert without is not None
    assert (with_output.outcome, without.outcome) == (Outcome.COMPLETED, Outcome.WAITING)


@pytest.mark.parametrize("word", ["error", "Rejected", "failure"])
def test_an_undocumented_failure_counts_with_a_reason(word: str) -> None:
    with_reason = read_job({"id": "vg_1", "status": word, "error": "no face found"})
    without = read_job({"id": "vg_1", "status": word})
    assert with_reason is not None
    assert without is not None
    assert (with_reason.outcome, without.outcome) == (Outcome.FAILED, Outcome.WAITING)


def test_an_answer_about_another_wrapping_is_the_same_job() -> None:
    inner = {"id": 7, "status": "completed"}
    assert read_job({"data": [inner]}) == read_job(inner) == ProviderJob("7", "completed", named_id="7")
    assert read_accepted({"data": {"id": "vg_1"}}) == ProviderJob("vg_1", "pending", named_id="vg_1")


def test_an_id_that_was_asked_for_is_not_one_that_the_answer_names() -> None:
    asked = read_job({"status": "completed"}, "vg_1")
    assert asked is not None
    assert (asked.id, asked.named_id) == ("vg_1", None)


@pytest.mark.parametrize(
    "envelope",
    [
        {"status": "error", "message": "upstream connect error"},
        {"status": "failed", "error": {"code": 502, "message": "Provider returned error"}},
        {"status": "expired"},
        {"status": "success"},
        {"status": "success", "data": {"status": "failed"}},
    ],
)
def test_an_envelope_without_an_id_ends_no_job(envelope: dict[str, Any]) -> None:
    assert read_job(envelope, "vg_1") is None


@pytest.mark.parametrize("mark", [{}, {"id": "request-7"}, {"id": 7}])
def test_the_job_counts_and_not_what_it_is_wrapped_in(mark: dict[str, Any]) -> None:
    job = read_job({**mark, "status": "success", "data": {"id": "vg_1", "status": "pending"}}, "vg_1")
    assert job is not None
    assert (job.id, job.outcome) == ("vg_1", Outcome.WAITING)


@pytest.mark.parametrize("more", [{"model": "a/b"}, {"generation_id": "gen_1"}, {"usage": None}, {"id": None}])
def test_a_job_that_leaves_out_its_id_still_fails(more: dict[str, Any]) -> None:
    job = read_job({"status": "failed", "error": "no face found", **more}, "vg_1")
    assert job is not None
    assert job.outcome is Outcome.FAILED


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "again", [".btn{color:#fff;background-color:#0d6efd}", "a?b=1\n", "\n", ";a", "sk-", "eyJaaaaaaaa-", "://a:", "x"]
)
def test_megabytes_of_words_are_read_in_a_moment(again: str) -> None:
    """Looking for secrets took hours of them; a function has seconds, and the answer says how the job ended."""
    said = words_of_answer({"error": "It is refused. a?b=1" + again * (2**23 // len(again))})
    assert said is not None
    assert said.startswith("It is refused.")
    assert len(said) <= 2000


def test_a_secret_at_the_cut_of_long_words_is_not_half_shown() -> None:
    for length in range(7900, 8010, 7):
        said = words_of_answer({"error": "https://a.example/?b=" + "x" * length + " sk-live0123456789abcdefghij"})
        assert said == "https://a.example/?…" or said == "https://a.example/?… …"


def test_half_a_symbol_is_a_question_mark_everywhere() -> None:
    job = read_job({"id": "j\ud83d", "status": "failed", "error": "bad \ud83d", "generation_id": "\udc00"})
    assert job is not None
    assert (job.id, job.error, job.generation_id) == ("j?", "bad ?", "?")
