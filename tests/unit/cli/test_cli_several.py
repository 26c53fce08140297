"""`generate` with several pictures, with a bound on the cost, and with standard input and output."""

import subprocess
import threading
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stillmotion_cli.main import app
from stillmotion_cli.several_table import SHOWN, SeveralTable
from stillmotion_cli.terminal import Terminal
from tests.unit.cli.fake_api import CLIP, JOB_ID, FakeApi, Reply, Seen, job, problem
from tests.unit.cli.fake_api import price as price_of
from tests.unit.cli.support import JPEG, Run

NAMES = ["a.jpg", "b.jpg", "c.jpg"]


@pytest.fixture(autouse=True)
def stills(folder: Path) -> None:
    for name in NAMES:
        (folder / name).write_bytes(JPEG)


def priced(cost: float | None) -> Reply:
    return Reply(200, {"dry_run": True, "model": "cheap/one", "price": price_of(cost), "warnings": []})


def test_several_pictures_become_several_clips(api: FakeApi, run: Run, folder: Path) -> None:
    result = run("generate", *NAMES, "--prompt", "rain", "-o", "clips/", "--yes")
    assert result.code == 0, result.err
    assert result.out.splitlines() == [f"clips/{name}.mp4  (104.0 kB, $0.12)" for name in "abc"]
    assert all((folder / "clips" / f"{name}.mp4").read_bytes() == CLIP for name in "abc")
    assert "3 clips, $0.36 at most." in result.err
    sent = api.calls("POST /v1/videos")
    assert len({seen.headers["Idempotency-Key"] for seen in sent}) == 3
    assert {seen.body["prompt"] for seen in sent} == {"rain"}
    # Everything is priced before the first is paid for.
    routes = [seen.route for seen in api.seen]
    last_priced = max(number for number, route in enumerate(routes) if route == "DRY POST /v1/videos")
    assert last_priced < routes.index("POST /v1/videos")
    assert len(api.calls("GET /v1/models")) == 1


def test_the_same_key_submits_each_of_them_again_as_itself(api: FakeApi, run: Run) -> None:
    for _ in range(2):
        assert run("generate", *NAMES, "--idempotency-key", "k1", "--no-wait", "--yes").code == 0
    keys = [seen.headers["Idempotency-Key"] for seen in api.calls("POST /v1/videos")]
    assert sorted(keys[:3]) == sorted(keys[3:])
    assert len(set(keys)) == 3
    assert run("generate", *NAMES, "--idempotency-key", "k" * 250, "--yes").code == 2


def test_as_json_there_is_one_document(api: FakeApi, run: Run) -> None:
    result = run("generate", *NAMES, "--yes", "--json", "--quiet")
    assert (result.code, result.err) == (0, "")
    first = result.json["clips"][0]
    assert first == {
        "image": "a.jpg",
        "id": JOB_ID,
        "status": "completed",
        "output_path": "out/a.mp4",
        "bytes": len(CLIP),
        "cost_usd": 0.12,
        "error": None,
    }


def test_without_waiting_the_ids_are_the_result(run: Run) -> None:
    assert run("generate", *NAMES, "--no-wait", "--yes").out.splitlines() == [JOB_ID] * 3


@pytest.mark.parametrize("arguments", [["--max-cost", "0.35"], ["--max-cost", "0"]])
def test_what_may_cost_too_much_is_not_submitted(api: FakeApi, run: Run, arguments: list[str]) -> None:
    result = run("generate", *NAMES, *arguments)
    assert result.code == 3
    assert "the 3 clips may cost $0.36, so nothing was submitted" in result.err
    assert not api.calls("POST /v1/videos")


def test_a_bound_that_is_kept_needs_no_question(api: FakeApi, run: Run) -> None:
    assert run("generate", *NAMES, "--max-cost", "0.36", "--no-wait").code == 0
    assert len(api.calls("POST /v1/videos")) == 3


@pytest.mark.slow
def test_an_unknown_price_is_over_every_bound(api: FakeApi, run: Run) -> None:
    api.on("DRY POST /v1/videos", priced(None))
    result = run("generate", *NAMES, "--max-cost", "100")
    assert result.code == 3
    assert "what one of them costs is not known" in result.err
    assert not api.calls("POST /v1/videos")


@pytest.mark.slow
def test_one_picture_is_held_to_the_bound_too(api: FakeApi, run: Run) -> None:
    assert run("generate", "a.jpg", "--max-cost", "0.12", "--no-wait").code == 0
    result = run("generate", "a.jpg", "--max-cost", "0.11", "--no-wait", "--json")
    assert (result.code, result.json["error"]["code"]) == (3, "TooExpensive")
    assert "it may cost $0.12" in result.json["error"]["message"]
    assert run("generate", "a.jpg", "--max-cost", "0.11", "--dry-run").code == 3
    assert run("generate", "a.jpg", "--max-cost", "0.11", "--dry-run", "--json").json["error"]["code"] == "TooExpensive"
    api.on("DRY POST /v1/videos", problem(422, "UnsupportedByModel", "It has no 60 s."))
    refused = run("generate", "a.jpg", "--max-cost", "9")
    assert "It has no 60 s." in refused.err
    assert len(api.calls("POST /v1/videos")) == 1


def test_without_a_terminal_a_yes_is_needed(api: FakeApi, run: Run) -> None:
    result = run("generate", *NAMES)
    assert result.code == 2
    assert "3 clips, $0.36 at most: nothing was submitted. Say --yes" in result.err
    assert not api.calls("POST /v1/videos")


@pytest.mark.parametrize(("typed", "made"), [("y\n", 3), ("n\n", 0), ("\n", 0)])
def test_on_a_terminal_it_asks(
    api: FakeApi, folder: Path, monkeypatch: pytest.MonkeyPatch, typed: str, made: int
) -> None:
    monkeypatch.setattr(Terminal, "can_ask", True)
    result = CliRunner().invoke(app, ["generate", *NAMES, "--no-wait"], input=typed)
    assert "3 clips, $0.36 at most. Make them?" in result.stderr
    assert result.exit_code == (0 if made else 2)
    assert len(api.calls("POST /v1/videos")) == made


def test_a_dry_run_prices_each_and_submits_nothing(api: FakeApi, run: Run) -> None:
    result = run("generate", *NAMES, "--dry-run")
    assert result.out.splitlines() == [
        *(f"{name}: $0.12" for name in NAMES),
        "3 clips, $0.36 at most. Nothing was submitted.",
    ]
    assert len(run("generate", *NAMES, "--dry-run", "--json").json["clips"]) == 3
    assert not api.calls("POST /v1/videos")


def test_a_picture_that_is_refused_stops_all_before_anything_is_paid(api: FakeApi, run: Run) -> None:
    def answer(seen: Seen) -> Reply:
        refused = seen.body["frame_images"][0]["image_url"]["url"] == "https://x.example/b.png"
        return problem(422, "ImageNotUsable", "It is not square.") if refused else priced(0.12)

    api.on("DRY POST /v1/videos", answer, times=3)
    result = run("generate", "a.jpg", "https://x.example/b.png", "c.jpg", "--yes")
    assert result.code == 3
    assert "It is not square." in result.err
    assert "1 of 3 pictures cannot be used: b. Nothing was submitted." in result.err
    assert not api.calls("POST /v1/videos")


def test_one_that_fails_stops_no_other(api: FakeApi, run: Run, folder: Path) -> None:
    api.on("POST /v1/videos", problem(422, "SpendLimitReached", "The day's limit."))
    result = run("generate", *NAMES, "--yes", "--concurrency", "1")
    assert result.code == 3
    assert result.out.splitlines() == ["out/b.mp4  (104.0 kB, $0.12)", "out/c.mp4  (104.0 kB, $0.12)"]
    assert "a.jpg: Title of SpendLimitReached" in result.err
    assert "1 of 3 clips failed." in result.err


def test_a_clip_that_ends_without_a_video_is_a_failure_of_its_own(api: FakeApi, run: Run) -> None:
    api.states = [job("failed", error={"code": "GenerationFailed", "message": "Refused."})]
    result = run("generate", *NAMES, "--yes", "--json")
    assert result.code == 4
    assert [clip["status"] for clip in result.json["clips"]] == ["failed"] * 3
    assert "GenerationFailed" in str(result.json["clips"][0]["error"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([*NAMES, "-o", "a.jpg"], "is no folder"),
        (["a.jpg", "no.jpg"], "There is no picture at no.jpg"),
        ([*NAMES, "-o", "-"], "is no folder"),
        ([*NAMES, "--concurrency", "0"], "Invalid value for '--concurrency'"),
        ([*NAMES, "--max-cost", "-1"], "Invalid value for '--max-cost'"),
    ],
)
def test_bad_input_is_said_before_anything_is_sent(api: FakeApi, run: Run, given: list[str], said: str) -> None:
    result = run("generate", *given, "--yes")
    assert (result.code, api.seen) == (2, [])
    assert said in result.err


def test_clips_that_are_there_are_kept(api: FakeApi, run: Run, folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "b.mp4").write_text("mine")
    result = run("generate", *NAMES, "--yes")
    assert (result.code, api.seen) == (2, [])
    assert "out/b.mp4 would be replaced" in result.err
    assert run("generate", *NAMES, "--yes", "--force").code == 0
    assert (folder / "out" / "b.mp4").read_bytes() == CLIP


def test_pictures_of_one_name_get_clips_of_their_own(run: Run, folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "A.png").write_bytes(JPEG)
    given = ["a.jpg", "more/A.png", "https://x.example/a.webp?v=2", "data:image/png;base64,AAAA", "s3://in/"]
    result = run("generate", *given, "--yes")
    assert [line.split()[0] for line in result.out.splitlines()] == [
        f"out/{name}.mp4" for name in ("a", "A-2", "a-3", "clip", "clip-2")
    ]


def test_no_more_than_so_many_are_made_side_by_side(api: FakeApi, run: Run, folder: Path) -> None:
    lock, at_work, most = threading.Lock(), 0, 0

    def answer(seen: Seen) -> Reply:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.05)
        with lock:
            at_work -= 1
        return Reply(202, job("queued", request=seen.body))

    for number in range(8):
        (folder / f"{number}.jpg").write_bytes(JPEG)
    api.on("POST /v1/videos", answer, times=8)
    assert run("generate", *(f"{n}.jpg" for n in range(8)), "--yes", "--no-wait", "--concurrency", "2").code == 0
    assert most == 2


def test_a_picture_from_standard_input_and_the_clip_to_standard_output(api: FakeApi, folder: Path) -> None:
    result = CliRunner().invoke(app, ["generate", "-", "-o", "-"], input=JPEG)
    assert (result.exit_code, result.stdout_bytes) == (0, CLIP)
    [form] = api.calls("POST /s3/in")
    assert JPEG in form.body
    assert "Submitted" in result.stderr
    assert not (folder / "-").exists()


def test_download_and_watch_write_to_standard_output_too(api: FakeApi, folder: Path) -> None:
    for name in ("download", "watch"):
        assert CliRunner().invoke(app, [name, JOB_ID, "-o", "-"]).stdout_bytes == CLIP


def test_a_clip_that_does_not_arrive_whole_writes_nothing(api: FakeApi, folder: Path) -> None:
    api.states = [job("completed", video=[api.video(checksum="sha256:0")])]
    result = CliRunner().invoke(app, ["generate", "a.jpg", "-o", "-"])
    assert (result.exit_code, result.stdout_bytes) == (7, b"")


def test_a_clip_and_json_do_not_share_standard_output(api: FakeApi, run: Run) -> None:
    result = run("generate", "a.jpg", "-o", "-", "--json")
    assert (result.code, api.seen) == (2, [])
    assert "-o - writes the clip to standard output, where --json prints" in result.json["error"]["message"]


def test_what_is_no_picture_on_standard_input_is_refused(api: FakeApi, folder: Path) -> None:
    result = CliRunner().invoke(app, ["generate", "-"], input=b"hello")
    assert (result.exit_code, api.seen) == (2, [])
    assert "is text, not a picture" in " ".join(result.stderr.split())


@pytest.mark.slow
def test_ctrl_c_ends_the_waiting_and_leaves_the_jobs(
    api: FakeApi, start: Callable[..., "subprocess.Popen[bytes]"], folder: Path
) -> None:
    api.states = [job("in_progress")]
    process = start("generate", *NAMES, "--yes", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while len(api.calls(f"GET /v1/videos/{JOB_ID}")) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(2)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == b""
    assert b"Jobs that were submitted keep running: stillmotion list" in err


def test_the_table_shows_what_is_at_work_first() -> None:
    class Stream(StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    terminal.errors.file = Stream()
    names = [f"picture-{number:02}" for number in range(SHOWN + 5)]
    table = SeveralTable(terminal, names)
    table.update("picture-00", "stored, out/picture-00.mp4")
    table.update("picture-24", "in_progress, vid_1")
    terminal.errors.print(table._draw())
    text = terminal.errors.file.getvalue()
    assert "and 5 more" in text
    assert "1 of 25" in text
    assert "picture-00" not in text


def test_standard_input_keeps_its_key(api: FakeApi, folder: Path) -> None:
    """The same command with the same key again must find the first one's job."""
    (folder / "b.jpg").write_bytes(JPEG)
    keys = []
    for _ in range(2):
        command = ["generate", "-", "b.jpg", "--yes", "--no-wait", "--idempotency-key", "k"]
        assert CliRunner().invoke(app, command, input=JPEG).exit_code == 0
        keys.append(sorted(seen.headers["Idempotency-Key"] for seen in api.calls("POST /v1/videos")))
        api.seen.clear()
    assert keys[0] == keys[1]
    assert len(keys[0]) >= 2


def test_equal_pictures_of_one_key_have_one_address(api: FakeApi, run: Run, folder: Path) -> None:
    """A second run finds one address for both: a first run with two of them would be another request."""
    for name in ("a", "b"):
        (folder / f"{name}.jpg").write_bytes(JPEG)
    for _ in range(2):
        assert run("generate", "a.jpg", "b.jpg", "--yes", "--no-wait", "--idempotency-key", "k").code == 0
    sent = [seen.body["frame_images"][0]["image_url"]["url"] for seen in api.calls("POST /v1/videos")]
    assert len(sent) == 4
    assert len(set(sent)) == 1


def test_an_address_without_end_gives_a_name_that_a_file_can_have(api: FakeApi, run: Run, folder: Path) -> None:
    (folder / "a.jpg").write_bytes(JPEG)
    result = run("generate", "a.jpg", f"https://pictures.example/{'ü' * 140}.jpg", "--yes")
    assert result.code == 0
    assert (folder / "out" / f"{'ü' * 100}.mp4").exists()
