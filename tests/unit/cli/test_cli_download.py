"""How a clip reaches this machine: whole, checked, and over nobody's file."""

from pathlib import Path

import pytest

from tests.unit.cli.fake_api import CLIP, JOB_ID, FakeApi, Reply, job
from tests.unit.cli.support import Run


def test_a_clip_is_written_to_the_given_path(run: Run, folder: Path) -> None:
    assert run("download", JOB_ID, "-o", "here.mp4").code == 0
    assert run("download", JOB_ID).out.startswith(f"out/{JOB_ID}.mp4  ")
    assert run("download", JOB_ID, "-o", ".").out.startswith(f"{JOB_ID}.mp4  ")
    for path in ("here.mp4", f"out/{JOB_ID}.mp4", f"{JOB_ID}.mp4"):
        assert (folder / path).read_bytes() == CLIP


def test_the_link_is_fetched_without_our_signature(api: FakeApi, run: Run) -> None:
    run("download", JOB_ID)
    [sent] = api.calls("GET /s3")
    assert "Authorization" not in sent.headers


def test_a_file_that_is_there_is_kept_unless_forced(api: FakeApi, run: Run, folder: Path) -> None:
    clip = folder / "clip.mp4"
    clip.write_text("precious")
    result = run("download", JOB_ID, "-o", "clip.mp4")
    assert result.code == 2
    assert "clip.mp4 exists and is kept. Give another -o, or --force to replace it." in result.err
    assert clip.read_text() == "precious"
    assert not api.calls("GET /s3")
    assert run("download", JOB_ID, "-o", "clip.mp4", "--force").code == 0
    assert clip.read_bytes() == CLIP


def test_a_clip_that_is_there_already_is_not_fetched_again(api: FakeApi, run: Run) -> None:
    assert run("download", JOB_ID).code == 0
    assert run("download", JOB_ID).code == 0
    assert len(api.calls("GET /s3")) == 1


def test_a_clip_with_another_checksum_is_not_kept(api: FakeApi, run: Run, folder: Path) -> None:
    api.states = [job("completed", video=[api.video(checksum="sha256:" + "0" * 64)])]
    result = run("download", JOB_ID, "-o", "clip.mp4")
    assert result.code == 6
    assert "the record says sha256:0000" in result.err
    assert sorted(path.name for path in folder.iterdir()) == [".local", "still.jpg"]


def test_a_clip_without_a_link_says_why(api: FakeApi, run: Run) -> None:
    video = api.video(url=None, url_reason="The video is in old, an earlier output bucket of this stack.")
    api.states = [job("completed", video=[video])]
    done = run("download", JOB_ID)
    assert done.code == 6
    assert "The video is in old, an earlier output bucket of this stack." in done.err


def test_a_clip_of_another_size_is_fetched_again_and_then_refused(api: FakeApi, run: Run, folder: Path) -> None:
    api.states = [job("completed", video=[api.video(bytes=len(CLIP) + 1)])]
    result = run("download", JOB_ID, "-o", "clip.mp4")
    assert result.code == 6
    assert "104,000 of 104,001 bytes arrived" in result.err
    assert len(api.calls("GET /s3")) == 3
    assert not (folder / "clip.mp4").exists()


def test_an_expired_link_is_fetched_anew(api: FakeApi, run: Run) -> None:
    api.expired = {"1"}
    assert run("download", JOB_ID).code == 0
    assert [sent.query["link"] for sent in api.calls("GET /s3")] == [["1"], ["2"]]


def test_a_transfer_that_breaks_off_is_started_again(api: FakeApi, run: Run, folder: Path) -> None:
    api.on("GET /s3/clip", Reply(200, CLIP[:100], {"Content-Length": str(len(CLIP)), "Connection": "close"}), Reply(0))
    assert run("download", JOB_ID, "-o", "clip.mp4").code == 0
    assert (folder / "clip.mp4").read_bytes() == CLIP


def test_s3s_refusal_ends_after_three_links(api: FakeApi, run: Run) -> None:
    api.expired = {str(number) for number in range(9)}
    result = run("download", JOB_ID)
    assert result.code == 6
    assert "S3 answered 403" in result.err
    assert len(api.calls("GET /s3")) == 3


def test_further_videos_get_a_number(api: FakeApi, run: Run, folder: Path) -> None:
    api.states = [job("completed", video=[api.video(), api.video(key="videos/x-1.mp4")])]
    result = run("download", JOB_ID, "-o", "clip.mp4", "--json")
    assert [clip["path"] for clip in result.json["files"]] == ["clip.mp4", "clip-1.mp4"]
    assert (folder / "clip-1.mp4").read_bytes() == CLIP


@pytest.mark.parametrize(("status", "code"), [("in_progress", 2), ("failed", 4), ("timed_out", 5)])
def test_a_job_without_a_clip_has_nothing_to_download(api: FakeApi, run: Run, status: str, code: int) -> None:
    api.states = [job(status)]
    assert run("download", JOB_ID).code == code


def test_a_folder_that_cannot_be_made_is_reported(run: Run) -> None:
    result = run("download", JOB_ID, "-o", "still.jpg/")
    assert result.code == 2
    assert "The folder still.jpg cannot be made" in result.err


@pytest.mark.parametrize("command", [["generate", "still.jpg"], ["watch", JOB_ID], ["resume", JOB_ID, "--wait"]])
def test_a_paid_clip_that_is_not_stored_has_its_own_exit_code(api: FakeApi, run: Run, command: list[str]) -> None:
    api.expired = {str(number) for number in range(50)}
    result = run(*command)
    assert result.code == 7
    assert "The clip is finished, but is not stored here." in result.err
    assert f"stillmotion download {JOB_ID} -o CLIP.mp4" in result.err
    assert result.err.count("S3 answered 403") == 1


def test_a_name_that_is_taken_while_waiting_leaves_the_way_back(api: FakeApi, run: Run, folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / f"{JOB_ID}.mp4").write_text("mine")
    result = run("generate", "still.jpg")
    assert result.code == 7
    assert f"stillmotion download {JOB_ID}" in result.err
    assert (folder / "out" / f"{JOB_ID}.mp4").read_text() == "mine"


@pytest.mark.parametrize("blocked", ["out", "made"])
def test_a_folder_that_cannot_be_written_to_is_refused_first(
    api: FakeApi, run: Run, folder: Path, blocked: str
) -> None:
    (folder / blocked).write_text("a file where a folder should be")
    arguments = [] if blocked == "out" else ["-o", "made/clip.mp4"]
    result = run("generate", "still.jpg", *arguments)
    assert (result.code, api.seen) == (2, [])
    assert f"cannot be stored: {blocked} is no folder. Give another -o" in result.err
    assert run("generate", "still.jpg", "--no-wait").code == 0


def test_a_name_that_is_too_long_is_refused_first(api: FakeApi, run: Run) -> None:
    result = run("generate", "still.jpg", "-o", "x" * 300 + ".mp4")
    assert (result.code, api.seen) == (2, [])
    assert "too long" in result.err
