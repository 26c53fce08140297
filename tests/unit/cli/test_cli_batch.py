"""`stillmotion batch`, from a manifest on this machine to its summary."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.fake_api import FakeApi, Reply, problem
from tests.unit.cli.support import JPEG, Run

CSV = "item_id,prompt,first_frame\nA,slowly,still.jpg\nB,fast,https://x.example/b.jpg\nC,twice,still.jpg\n"


def shown(status: str = "completed", **changes: Any) -> dict[str, Any]:
    """A batch as the API shows it."""
    counts = {"pending": 0, "running": 0, "done": 3, "failed": 0, "skipped": 0, "not_run": 0}
    known = {
        "id": "autumn",
        "run": 1,
        "status": status,
        "manifest": "s3://in/uploads/2.csv",
        "execution_arn": "arn:aws:states:::execution",
        "items": 3,
        "counts": counts | changes.pop("counts", {}),
        "failed_by_reason": {},
        "estimated_cost_usd": 0.36,
        "cost_usd": 0.36,
        "duration_seconds": 61.2,
        "results": "s3://out/batches/autumn/results.jsonl",
        "error": None,
        "started_at": "2026-11-22T12:00:00.000Z",
        "ended_at": "2026-11-22T12:01:01.200Z",
    }
    return known | changes


def answer(api: FakeApi, *states: dict[str, Any]) -> None:
    """Take the order, and show these states one after the other."""
    api.on("POST /v1/batches", Reply(202, shown("preparing", cost_usd=None, counts={"done": 0})))
    api.on("GET /v1/batches/autumn", *(Reply(200, state, {"Retry-After": "0"}) for state in states))


def sent_manifest(api: FakeApi) -> str:
    """The last form that was posted to S3."""
    content: bytes = api.calls("POST /s3/in")[-1].body
    return content.decode()


def test_local_pictures_are_uploaded_once_and_the_manifest_names_them(api: FakeApi, run: Run, folder: Path) -> None:
    (folder / "rows.csv").write_text(CSV)
    answer(api, shown())
    result = run("batch", "rows.csv", "--default", "model=m", "--default", "duration=4", "--budget", "1")
    assert result.code == 0, result.err
    kinds = [call.body["content_type"] for call in api.calls("POST /v1/uploads")]
    assert kinds == ["image/jpeg", "text/csv"]
    manifest = sent_manifest(api)
    start = manifest.index("item_id,prompt,first_frame")
    rows = list(csv.DictReader(io.StringIO(manifest[start:])))[:3]
    assert [row["first_frame"] for row in rows] == [
        "s3://in/uploads/1.jpg",
        "https://x.example/b.jpg",
        "s3://in/uploads/1.jpg",
    ]
    [order] = api.calls("POST /v1/batches")
    assert order.body.pop("batch_id").startswith("cli-")
    assert order.body == {
        "manifest": "s3://in/uploads/2.jpg",
        "defaults": {"model": "m", "duration": 4},
        "budget_usd": 1.0,
    }
    assert "completed: 3 done of 3" in result.out
    assert "$0.36" in result.out


def test_the_same_command_again_is_the_same_batch_with_the_same_pictures(api: FakeApi, run: Run, folder: Path) -> None:
    (folder / "rows.csv").write_text(CSV)
    for _ in range(2):
        answer(api, shown())
        assert run("batch", "rows.csv").code == 0
    first, second = api.calls("POST /v1/batches")
    assert first.body["batch_id"] == second.body["batch_id"]
    kinds = [call.body["content_type"] for call in api.calls("POST /v1/uploads")]
    assert kinds == ["image/jpeg", "text/csv", "text/csv"]
    (folder / "still.jpg").write_bytes(JPEG + b"another")
    answer(api, shown())
    run("batch", "rows.csv")
    assert api.calls("POST /v1/batches")[-1].body["batch_id"] != first.body["batch_id"]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
def test_json_manifests_may_name_pictures_in_full(api: FakeApi, run: Run, folder: Path, name: str) -> None:
    frame = {"frame_type": "first_frame", "image_url": {"url": "still.jpg"}}
    rows = [{"model": "m", "frame_images": [frame]}, {"model": "m", "last_frame": "still.jpg"}]
    text = json.dumps(rows) if name == "rows.json" else "".join(json.dumps(row) + "\n" for row in rows)
    (folder / name).write_text(text)
    answer(api, shown())
    assert run("batch", name, "--batch-id", "autumn").code == 0
    manifest = sent_manifest(api)
    assert manifest.count("s3://in/uploads/1.jpg") == 2
    assert '"still.jpg"' not in manifest
    assert api.calls("POST /v1/batches")[0].body["batch_id"] == "autumn"


def test_a_manifest_in_s3_is_ordered_unchanged(api: FakeApi, run: Run) -> None:
    answer(api, shown())
    options = ["--max-concurrency", "4", "--tolerate", "10", "--batch-id", "autumn", "--json"]
    result = run("batch", "s3://in/uploads/rows.csv", *options)
    assert result.json == shown()
    assert api.calls("POST /v1/uploads") == []
    assert api.calls("POST /v1/batches")[0].body == {
        "manifest": "s3://in/uploads/rows.csv",
        "batch_id": "autumn",
        "max_concurrency": 4,
        "tolerated_failure_percentage": 10.0,
    }


def test_every_change_is_a_line_where_nothing_can_be_drawn(api: FakeApi, run: Run) -> None:
    states = [{"pending": 2, "running": 1, "done": 0}, {"pending": 2, "running": 1, "done": 0}, {"done": 3}]
    answer(api, *(shown("running", counts=counts) for counts in states), shown())
    result = run("batch", "s3://in/rows.csv")
    assert result.err.count("running: 2 pending, 1 running of 3") == 1
    assert "running: 3 done of 3" in result.err
    assert "completed: 3 done of 3" in result.err


@pytest.mark.parametrize(
    ("state", "code", "told"),
    [
        (
            shown(counts={"done": 1, "failed": 2}, failed_by_reason={"GenerationFailed": 2}),
            4,
            "2 of 3 items failed: 2 GenerationFailed",
        ),
        (shown("stopped", counts={"done": 1, "failed": 1, "not_run": 1}), 4, "and 1 were not run"),
        (shown("aborted", counts={"done": 1, "not_run": 2}), 4, "is aborted"),
        (
            shown("refused", items=None, error={"code": "SpendLimitReached", "message": "over"}),
            3,
            "SpendLimitReached: over",
        ),
    ],
)
def test_a_batch_that_did_not_make_every_clip_fails(
    api: FakeApi, run: Run, state: dict[str, Any], code: int, told: str
) -> None:
    answer(api, state)
    result = run("batch", "s3://in/rows.csv", "--json")
    assert (result.code, result.json) == (code, state)
    assert told in result.err


def test_without_waiting_the_order_is_the_result(api: FakeApi, run: Run) -> None:
    answer(api)
    result = run("batch", "s3://in/rows.csv", "--no-wait", "--json")
    assert (result.code, result.json["status"]) == (0, "preparing")
    assert api.calls("GET /v1/batches") == []


def test_the_batch_goes_on_when_the_time_to_wait_is_over(api: FakeApi, run: Run) -> None:
    answer(api, *[shown("running")] * 9)
    result = run("batch", "s3://in/rows.csv", "--timeout", "1")
    assert result.code == 5
    assert "stillmotion batch-status autumn" in result.err


def test_the_state_of_a_batch_can_be_queried(api: FakeApi, run: Run) -> None:
    api.on("GET /v1/batches/autumn", Reply(200, shown("running", counts={"done": 1, "running": 2})), times=2)
    assert "running: 2 running, 1 done of 3" in run("batch-status", "autumn").out
    assert run("batch-status", "autumn", "--json").json["status"] == "running"
    api.on("GET /v1/batches/other", problem(404, "BatchNotFound", "There is no batch 'other'."))
    result = run("batch-status", "other")
    assert (result.code, "There is no batch" in result.err) == (3, True)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("rows.txt", "x", "is no manifest"),
        ("rows.csv", "", "has no rows"),
        ("rows.csv", "a\n1,2\n", "line 2 has more cells"),
        ("rows.jsonl", '{"a": 1}\n{', "line 2 is not JSON"),
        ("rows.json", "[", "cannot be read"),
        ("rows.csv", "first_frame\nno.jpg\n", "There is no picture at no.jpg"),
        ("rows.csv", "first_frame\nrows.csv\n", "rows.csv is text, not a picture"),
    ],
)
def test_a_manifest_that_will_not_do_is_refused_before_anything_is_sent(
    api: FakeApi, run: Run, folder: Path, name: str, text: str, told: str
) -> None:
    (folder / name).write_text(text)
    result = run("batch", name)
    assert (result.code, api.seen) == (2, [])
    assert told in result.err


def test_a_default_that_is_no_pair_is_refused(api: FakeApi, run: Run) -> None:
    result = run("batch", "s3://in/rows.csv", "--default", "duration")
    assert (result.code, api.seen) == (2, [])
