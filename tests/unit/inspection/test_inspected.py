"""What `make run` shows of an inspection."""

from __future__ import annotations

from typing import Any

import pytest

from local import inspected
from local.inspected import findings, wait_for_inspection, warnings
from stillmotion.inspection.report import Facts, Likeness, VideoReport

FACTS = Facts("mp4", "h264", "yuv420p", 1280, 720, 96, 24.0, 4.0, True, "aac", True, 1_850_000, 926_506, True)
LIKENESS = (
    Likeness("first_frame", 43.46, 0.9835, "centre_crop", 0.25),
    Likeness("last_frame", problem="The picture is gone."),
)


def job(*reports: VideoReport) -> dict[str, Any]:
    videos = [{"key": f"videos/{at}.mp4"} for at in range(len(reports))]
    inspection = {"inspected_at": "…", "videos": [report.as_record() for report in reports]}
    return {"id": "vid_1", "status": "completed", "video": videos, "inspection": inspection}


def test_facts_and_likeness_are_shown() -> None:
    assert list(findings(job(VideoReport(FACTS, LIKENESS)), {"first_frame": "still.jpg"})) == [
        "videos/0.mp4: 1280x720, 4.0 s, 96 frames, h264 yuv420p in mp4, sound aac, index in front, decodes to its end",
        "The first frame against still.jpg: PSNR 43.5 dB, SSIM 0.984, 25% of the picture cropped",
        "The last frame against its picture: The picture is gone.",
    ]


def test_warnings_and_problems_are_collected() -> None:
    found = job(VideoReport(FACTS, warnings=("It is short.",)), VideoReport(problem="It is no clip."))
    assert warnings(found) == ["It is no clip.", "It is short."]
    assert list(findings(found, {}))[1] == "videos/1.mp4 could not be inspected: It is no clip."


class Client:
    """An API whose job is inspected at the third look."""

    def __init__(self, after: int = 3) -> None:
        self.looks, self.after = 0, after

    def job(self, job_id: str) -> dict[str, Any]:
        self.looks += 1
        return {"id": job_id} | ({"inspection": {"videos": []}} if self.looks == self.after else {})


def test_an_inspection_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspected, "PAUSE_SECONDS", 0)
    client = Client()
    assert "inspection" in wait_for_inspection(client, {"id": "vid_1"})  # type: ignore[arg-type]
    assert client.looks == 3


def test_an_inspection_that_does_not_come_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspected, "PATIENCE_SECONDS", 0)
    found = wait_for_inspection(Client(), {"id": "vid_1"})  # type: ignore[arg-type]
    assert list(findings(found, {})) == ["vid_1 was not inspected within 0 s."]
