"""Where a clip differs from what was asked, and what the record says of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stillmotion.inspection.report import Facts, Likeness, VideoReport, damages, differences

FACTS = Facts("mp4", "h264", "yuv420p", 1280, 720, 96, 24.0, 4.0, False, None, True, 1_850_000, 926_506, True)


@pytest.mark.parametrize(
    ("asked", "changed", "said"),
    [
        ({"duration": 4}, {"duration_seconds": 4.5}, []),
        ({"duration": 4}, {"duration_seconds": 4.51}, ["The clip is 4.5 s long; 4 s were asked for."]),
        ({"duration": 8}, {}, ["The clip is 4.0 s long; 8 s were asked for."]),
        ({"duration": 8}, {"duration_seconds": None}, []),
        ({"size": "1280x720"}, {}, []),
        ({"size": "720x1280"}, {}, ["The clip is 1280x720; 720x1280 was asked for."]),
        ({"aspect_ratio": "16:9"}, {"width": 1366, "height": 768}, []),
        ({"aspect_ratio": "9:16"}, {}, ["The clip is 1280x720; the shape 9:16 was asked for."]),
        ({"resolution": "720p"}, {"height": 704}, []),
        ({"resolution": "1080p"}, {}, ["The clip is 1280x720; 1080p was asked for."]),
        ({"resolution": "4K"}, {}, []),
        ({"generate_audio": True}, {}, ["The clip has no sound; sound was asked for."]),
        ({"generate_audio": True}, {"sound": True}, []),
        ({"generate_audio": False}, {"sound": True}, ["The clip has sound; none was asked for."]),
        ({"generate_audio": None}, {"sound": True}, []),
    ],
)
def test_differences_are_said(asked: dict[str, Any], changed: dict[str, Any], said: list[str]) -> None:
    assert list(differences(replace(FACTS, **changed), asked)) == said


def test_damage_is_said_and_an_unfinished_look_is_not() -> None:
    broken = replace(FACTS, decodes_to_end=False, decode_note="it ends after 3 of 96 frames")
    assert list(damages(broken)) == ["The clip does not decode to its end: it ends after 3 of 96 frames."]
    assert not list(damages(replace(FACTS, decodes_to_end=None, decode_note="it is too large")))


def test_the_record_leaves_out_what_is_not_known() -> None:
    report = VideoReport(replace(FACTS, fps=None), (Likeness("first_frame", problem="It is gone."),), {"poster": "k"})
    record = report.as_record()
    assert record["likeness"] == [{"frame": "first_frame", "problem": "It is gone."}]
    assert record["facts"]["sound"] is False
    assert not {"fps", "decode_note", "sound_codec"} & record["facts"].keys()
    assert VideoReport(problem="It is no clip.").as_record() == {"problem": "It is no clip.", "warnings": []}
