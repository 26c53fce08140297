"""`stillmotion batch`, from a manifest on this machine to its summary."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from stillmotion_cli.commands import batch
from tests.unit.cli.fake_api import JOB_ID, FakeApi, Reply, problem
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


@pytest.mark.parametrize("option", ["--budget", "--tolerate", "--timeout"])
def test_a_limit_that_limits_nothing_is_refused(api: FakeApi, run: Run, option: str) -> None:
    result = run("batch", "s3://in/rows.csv", option, "nan")
    assert result.code == 2
    assert f"Invalid value for '{option}'" in result.err
    assert not api.calls("POST")


def test_a_default_of_a_text_field_stays_text(api: FakeApi, run: Run) -> None:
    answer(api, shown())
    given = ["metadata.year=2026", "prompt=1984", "user=42", "duration=4", "generate_audio=true", "seed=7"]
    run("batch", "s3://in/rows.csv", *(part for one in given for part in ("--default", one)), "--no-wait")
    [order] = api.calls("POST /v1/batches")
    texts = {"metadata.year": "2026", "prompt": "1984", "user": "42"}
    assert order.body["defaults"] == texts | {"duration": 4, "generate_audio": True, "seed": 7}


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_batch_goes_on_when_the_time_to_wait_is_over(
    api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "SHORTEST_POLL_SECONDS", 0.4)
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
        ("rows.csv", "a\n1,2\n", "line 2 has more cells than the header has columns, '2' is in none of them"),
        ("rows.csv", 'a\n1\n"x "y""\n', "line 3 has a quote that does not fit"),
        ("rows.json", '[{"a": 1}\n{"b": 2}]', "after line 1 the JSON array is broken off"),
        ("rows.json", '{"items": [{"a": 1}], "b": 2}', "it is not one JSON array"),
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


@pytest.mark.parametrize(
    ("name", "content", "sent"),
    [
        (
            "german.csv",
            '\ufeffsep=;\r\nfirst_frame;prompt;;\r\n\r\nstill.jpg;"a\r\nb";;;;\r\n',
            'sep=;\nfirst_frame;prompt;;\n\ns3://in/uploads/1.jpg;"a\nb";;\n',
        ),
        ("tabs.tsv", "prompt\tfirst_frame\np\t still.jpg \n", "prompt\tfirst_frame\np\ts3://in/uploads/1.jpg\n"),
        ("folder.csv", "first_frame\nsub\\still.jpg\n", "first_frame\ns3://in/uploads/1.jpg\n"),
        (
            "wrapped.json",
            '\ufeff{\n"items": [\n{"first_frame": "still.jpg"},\n\n{"prompt":\n"p"}]\n}',
            '\n\n{"first_frame": "s3://in/uploads/1.jpg"}\n\n{"prompt": "p"}\n',
        ),
        (
            "laid-out.json",
            '{\n"first_frame": "still.jpg"\n}\n{\n"prompt": "p"\n}\n',
            '{"first_frame": "s3://in/uploads/1.jpg"}\n\n\n{"prompt": "p"}\n',
        ),
    ],
)
def test_a_manifest_keeps_its_form_and_its_lines(
    api: FakeApi, run: Run, folder: Path, name: str, content: str, sent: str
) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "still.jpg").write_bytes(JPEG)
    (folder / name).write_bytes(content.encode())
    answer(api, shown())
    result = run("batch", name)
    assert result.code == 0, result.err
    assert f"\r\n\r\n{sent}\r\n--" in sent_manifest(api)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("prompt\nok\nKäse\n".encode("latin-1"), "is not UTF-8: line 3, near 'rompt ok Käse'. Save it as UTF-8"),
        ("prompt\nok\n".encode("utf-16"), "is UTF-16 text"),
        (b"PK\x03\x04" + bytes(40), "is a workbook"),
    ],
)
def test_another_encoding_is_refused_with_the_fix(
    api: FakeApi, run: Run, folder: Path, content: bytes, told: str
) -> None:
    (folder / "rows.csv").write_bytes(content)
    result = run("batch", "rows.csv")
    assert (result.code, api.seen) == (2, [])
    assert told in result.err


def results_of(api: FakeApi, *lines: dict[str, Any]) -> dict[str, Any]:
    """The changes of a batch whose results are these."""
    api.on("GET /s3/results", Reply(200, "".join(json.dumps(line) + "\n" for line in lines).encode()), times=9)
    return {"results_url": f"{api.url}/s3/results"}


def a_failed_row(row: int = 2, **changes: Any) -> dict[str, Any]:
    said = f"Row {row} (line {row + 2}): /duration: is 5. Leave it out"
    error = {"code": "UnsupportedByModel", "message": said}
    return {"row": row, "item_id": f"B-{row}", "status": "failed", "error": error} | changes


def a_made_row(row: int, item_id: str, status: str = "done") -> dict[str, Any]:
    return {"row": row, "item_id": item_id, "status": status, "job_id": JOB_ID}


def test_a_failed_row_is_reported_in_place_with_what_was_spent(api: FakeApi, run: Run) -> None:
    link = results_of(api, a_made_row(1, "A"), a_failed_row())
    answer(api, shown(counts={"done": 1, "failed": 1}, failed_by_reason={"UnsupportedByModel": 1}, items=2, **link))
    result = run("batch", "s3://in/rows.csv")
    assert result.code == 4
    assert "Row 2, B-2: UnsupportedByModel: (line 4) /duration: is 5. Leave it out" in result.err
    assert "$0.36 were spent" in result.err
    assert "cost         $0.36" in result.out
    assert "s3://out/batches" not in result.err


def test_of_very_many_failed_rows_the_first_are_reported(api: FakeApi, run: Run) -> None:
    link = results_of(api, *(a_failed_row(row) for row in range(1, 31)))
    answer(api, shown(counts={"done": 0, "failed": 30}, items=30, **link))
    result = run("batch", "s3://in/rows.csv")
    assert result.err.count("UnsupportedByModel:") == 20
    assert "and 10 more rows: s3://out/batches/autumn/results.jsonl" in result.err


def test_with_json_the_failed_rows_are_listed(api: FakeApi, run: Run) -> None:
    failed = a_failed_row(job_id=JOB_ID, cost_usd=0.2)
    state = shown(counts={"done": 1, "failed": 1}, **results_of(api, a_made_row(1, "A"), failed))
    answer(api, state)
    result = run("batch", "s3://in/rows.csv", "--json")
    del failed["status"]
    assert result.json == state | {"failures": [failed]}
    assert f"stillmotion show {JOB_ID}" in result.err


def test_a_batch_stores_its_clips_in_a_folder(api: FakeApi, run: Run, folder: Path) -> None:
    names = ["A", "../x/y", "a", "größe 1", "..."]
    link = results_of(api, *(a_made_row(row, name) for row, name in enumerate(names, 1)), a_made_row(6, "S", "skipped"))
    for _ in range(2):
        answer(api, shown(counts={"done": 5, "skipped": 1}, items=6, **link))
        result = run("batch", "s3://in/rows.csv", "-o", "clips")
        assert result.code == 0, result.err
        assert "6 clips in clips" in result.out
    found = {path.name: path.read_bytes() for path in (folder / "clips").iterdir()}
    expected = ["A.mp4", "S.mp4", "a-row-3.mp4", "größe_1.mp4", "row-5.mp4", "x_y.mp4"]
    assert found == dict.fromkeys(expected, api.clip)
    assert len(api.calls("GET /s3/clip")) == 6


def test_a_clip_that_cannot_be_stored_has_a_way_back(api: FakeApi, run: Run, folder: Path) -> None:
    (folder / "clips").mkdir()
    (folder / "clips" / "A.mp4").write_text("mine")
    answer(api, shown(items=2, counts={"done": 2}, **results_of(api, a_made_row(1, "A"), a_made_row(2, "B"))))
    result = run("batch", "s3://in/rows.csv", "-o", "clips")
    assert result.code == 7
    assert "1 of 2 clips are finished, but are not stored here" in result.err
    assert f"stillmotion download {JOB_ID}" in result.err
    assert (folder / "clips" / "B.mp4").read_bytes() == api.clip


@pytest.mark.parametrize("name", ["still.jpg", "still.jpg/deeper", "-", "x" * 300 + "/y"])
def test_a_folder_that_cannot_take_clips_is_refused_first(api: FakeApi, run: Run, name: str) -> None:
    result = run("batch", "s3://in/rows.csv", "-o", name)
    assert (result.code, api.seen) == (2, [])
    assert "Give another -o" in result.err


def test_a_refused_batch_speaks_of_the_options(api: FakeApi, run: Run) -> None:
    message = "Over the budget of 1.00 USD. Raise budget_usd or leave items out; nothing was started.."
    answer(api, shown("refused", items=None, error={"code": "SpendLimitReached", "message": message}))
    result = run("batch", "s3://in/rows.csv", "--budget", "1")
    assert "Raise --budget or leave items out; nothing was started." in result.err
    assert ".." not in result.err
    api.on(
        "POST /v1/batches",
        problem(
            400,
            "InvalidRequest",
            "/budget_usd: is negative. Correct this.",
            errors=[{"pointer": "#/budget_usd", "detail": "is negative"}],
        ),
    )
    result = run("batch", "s3://in/rows.csv", "--budget", "1")
    assert result.err.count("is negative") == 1
    assert "--budget: is negative" in result.err


def test_the_failed_rows_of_an_earlier_batch_are_shown(api: FakeApi, run: Run) -> None:
    api.on("GET /v1/batches/autumn", Reply(200, shown(counts={"failed": 1}, **results_of(api, a_failed_row()))))
    result = run("batch-status", "autumn")
    assert result.code == 0
    assert "Row 2, B-2: UnsupportedByModel" in result.err
