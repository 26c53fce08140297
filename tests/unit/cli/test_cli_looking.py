"""`show`, `list`, `models` and `events`: what is printed for people and for programs."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stillmotion_cli import event_log
from tests.unit.cli.fake_api import JOB_ID, FakeApi, Reply, job, model
from tests.unit.cli.support import Run, local_stack


def _jobs(count: int) -> list[dict[str, object]]:
    return [
        job("completed", id=f"vid_{number:026}", model="m/x", video=[{"bytes": 1234567}]) for number in range(count)
    ]


def test_show_tells_the_record_and_what_to_do_next(api: FakeApi, run: Run) -> None:
    frames = [{"frame_type": "first_frame", "image_url": {"url": "s3://in/a.jpg"}}]
    request = {"model": "m/x", "prompt": "rain", "duration": 4, "frame_images": frames}
    more = {"request": request, "metadata": {"shot": "7"}, "completed_at": "2026-11-22T12:01:05.000Z"}
    api.states = [job("completed", **more)]
    result = run("show", JOB_ID)
    lines = [line.split(maxsplit=1) for line in result.out.splitlines()]
    assert ["status", "completed"] in lines
    assert ["prompt", "rain"] in lines
    assert "first frame  s3://in/a.jpg" in result.out
    assert "ended        2026-11-22T12:01:05.000Z (after 1:05)" in result.out
    assert f"video        s3://out/videos/{JOB_ID}.mp4 (104.0 kB, video/mp4)" in result.out
    assert ["cost", "$0.12"] in lines
    assert ["metadata", "shot=7"] in lines
    assert f"stillmotion download {JOB_ID}" in result.err


@pytest.mark.parametrize(("status", "hint"), [("in_progress", "watch"), ("timed_out", "resume"), ("cancelled", None)])
def test_show_hints_at_the_next_step(api: FakeApi, run: Run, status: str, hint: str | None) -> None:
    api.states = [job(status, resumable=hint == "resume")]
    result = run("show", JOB_ID)
    assert result.code == 0
    assert f"stillmotion {hint} {JOB_ID}" in result.err if hint else result.err == ""


def test_what_comes_from_elsewhere_cannot_steer_the_terminal(api: FakeApi, run: Run) -> None:
    error = {"code": "GenerationFailed", "message": "\x1b[2Jgone", "provider_message": "\x1b]0;title\x07"}
    api.states = [job("failed", error=error)]
    result = run("show", JOB_ID)
    assert "\x1b" not in result.out
    assert "\x1b" not in run("watch", JOB_ID).err
    assert run("show", JOB_ID, "--json").json["error"] == error


def test_list_is_aligned_and_never_cuts_an_id(api: FakeApi, run: Run) -> None:
    api.states = _jobs(2)
    result = run("list")
    header, first, _ = result.out.splitlines()
    assert header.split() == ["id", "status", "age", "size", "cost", "model"]
    assert first.split()[:2] + first.split()[3:] == ["vid_" + "0" * 26, "completed", "1.2", "MB", "$0.12", "m/x"]


def test_list_takes_as_many_pages_as_it_needs(api: FakeApi, run: Run) -> None:
    api.states = _jobs(250)
    assert len(run("list", "--json").json["data"]) == 20
    limited = run("list", "--limit", "120", "--json").json
    assert (len(limited["data"]), limited["next_token"]) == (120, "120")
    everything = run("list", "--all", "--json").json
    assert [entry["id"] for entry in everything["data"]] == [entry["id"] for entry in api.states]
    assert everything["next_token"] is None
    assert [call.query["limit"] for call in api.calls("GET /v1/videos")] == [["20"], ["100"], ["20"], *[["100"]] * 3]
    assert "There are more" in run("list").err


def test_list_passes_its_filters_on(api: FakeApi, run: Run) -> None:
    api.states = [job(id="vid_1")]
    assert run("list", "--status", "failed", "--model", "a b/c", "--created-after", "2h").code == 0
    [sent] = api.calls("GET /v1/videos")
    assert (sent.query["status"], sent.query["model"]) == (["failed"], ["a b/c"])
    after = datetime.fromisoformat(sent.query["created_after"][0])
    assert abs((datetime.now(UTC) - after) - timedelta(hours=2)) < timedelta(minutes=1)


def test_an_empty_list_says_so_and_stays_json(api: FakeApi, run: Run) -> None:
    api.on("GET /v1/videos", Reply(200, {"data": [], "next_token": None}), times=3)
    assert run("list").err == "No jobs.\n"
    assert run("list", "--status", "failed").err == "No job matches.\n"
    assert run("list", "--json").json == {"data": [], "next_token": None}


@pytest.mark.parametrize("arguments", [["--status", "done"], ["--created-after", "yesterday"], ["--limit", "0"]])
def test_list_refuses_what_it_cannot_read(api: FakeApi, run: Run, arguments: list[str]) -> None:
    assert run("list", *arguments).code == 2
    assert api.seen == []


def test_models_pass_the_wish_on_and_show_what_is_not_stated_as_a_dash(api: FakeApi, run: Run) -> None:
    api.models = [
        model("a/b", 0.0005, supported_durations=[4, 5, 6, 7, 8], generate_audio=True),
        model("c/d", supported_durations=None, supported_frame_images=[]),
    ]
    options = ["--frame", "first_frame", "--frame", "last_frame", "--duration", "6", "--no-audio", "--sort", "price"]
    result = run("models", *options, "--resolution", "720p", "--aspect-ratio", "16:9")
    [sent] = api.calls("GET /v1/models")
    wish = {"frame": ["first_frame", "last_frame"], "duration": ["6"], "audio": ["false"], "sort": ["price"]}
    assert sent.query == wish | {"resolution": ["720p"], "aspect_ratio": ["16:9"]}
    assert [line.split() for line in result.out.splitlines()[1:]] == [
        ["a/b", "$0.0005", "4-8", "720p", "-", "first", "last", "yes"],
        ["c/d", "-", "-", "720p", "-", "none", "-"],
    ]
    assert run("models", "--json").json == {"data": api.models}


def test_no_model_says_so(api: FakeApi, run: Run) -> None:
    api.models = []
    assert "No model can do all of this" in run("models").err


def _told(number: int, **detail: object) -> dict[str, object]:
    event = {"time": f"2026-11-22T12:00:0{number}Z", "detail-type": "Video Generation Failed", "detail": detail}
    return {"eventId": str(number), "timestamp": 1_795_000_000_000 + number, "message": json.dumps(event)}


def test_events_shows_the_log_of_the_bus(api: FakeApi, run: Run, folder: Path) -> None:
    (folder / ".local" / "stack.json").write_text(local_stack(api, event_log_group="/bus").to_json())
    error = {"code": "GenerationFailed", "message": "No."}
    api.log_events = [
        _told(1, id="vid_1", status="failed", request={"model": "m/x"}, error=error),
        {"eventId": "2", "timestamp": 1_795_000_000_000, "message": "no JSON"},
    ]
    result = run("events", "--no-follow", "--since", "2d")
    assert result.out.splitlines() == [
        "2026-11-22T12:00:01Z  Failed      vid_1  failed  m/x  GenerationFailed: No.",
        "2026-11-18T11:06:40Z  no JSON",
    ]
    assert api.seen[0].body["logGroupName"] == "/bus"
    lines = run("events", "--no-follow", "--json").out.splitlines()
    assert [json.loads(line).get("detail-type") for line in lines] == ["Video Generation Failed", None]
    api.log_events = []
    assert "There were no events since" in run("events", "--no-follow").err


def test_following_tells_every_event_once(api: FakeApi) -> None:
    stack = local_stack(api, event_log_group="/bus")
    api.log_events = [_told(1, id="vid_1")]
    rounds = 0

    def later(_: float) -> None:
        nonlocal rounds
        rounds += 1
        api.log_events = [_told(1, id="vid_1"), _told(2, id="vid_2")]
        if rounds == 3:
            raise KeyboardInterrupt

    told = []
    with suppress(KeyboardInterrupt):
        for event in event_log.read(stack, datetime(2026, 11, 1, tzinfo=UTC), follow=True, sleep=later):
            told.append(event["detail"]["id"])
    assert told == ["vid_1", "vid_2"]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("ResourceNotFoundException", "The stack's event log /bus does not exist any more."),
        ("AccessDeniedException", "The credentials are not allowed to do this"),
    ],
)
def test_a_log_that_cannot_be_read_says_why(api: FakeApi, run: Run, folder: Path, code: str, told: str) -> None:
    (folder / ".local" / "stack.json").write_text(local_stack(api, event_log_group="/bus").to_json())
    api.on("POST /", Reply(400, {"__type": code, "message": "No."}, {"Content-Type": "application/x-amz-json-1.1"}))
    result = run("events", "--no-follow")
    assert result.code == 6
    assert told in result.err


def test_a_stack_without_an_event_log_says_so(run: Run) -> None:
    result = run("events")
    assert result.code == 6
    assert "This stack keeps no event log: it has no output EventLogGroupName." in result.err
