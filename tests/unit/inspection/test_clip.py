"""Facts of clips: what they are, whether they decode to the end, and what is said of damaged ones."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from stillmotion.errors import StorageFailed
from stillmotion.inspection.clip import Limits, NotInspectable, watch
from tests.support.clips import clip, picture
from tests.support.stretching import Bytes, stretched

ROOMY = Limits(seconds=60)
GIB = 2**30


@cache
def encode(codec: str, container: str, pixel_format: str = "yuv420p", frames: int = 12, **options: object) -> bytes:
    """A clip of moving noise of 64 x 48 pixels by one of ffmpeg's own encoders."""
    file, random_ = io.BytesIO(), np.random.default_rng(7)
    with av.open(file, "w", format=container, options={k: str(v) for k, v in options.items()}) as output:
        stream = output.add_stream(codec, rate=12)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
        for number in range(frames):
            pixels = random_.integers(0, 255, (48, 64, 3), dtype=np.uint8) // 2 + number % 100
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=pixel_format)
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def test_facts_of_a_whole_clip() -> None:
    content = clip(picture(), seconds=2, audio=True)
    facts = watch(Bytes(content), ROOMY).facts
    assert (facts.container, facts.codec, facts.pixel_format) == ("mp4", "h264", "yuv420p")
    assert (facts.width, facts.height, facts.frames, facts.fps) == (320, 180, 48, 24.0)
    assert (facts.duration_seconds, facts.faststart) == (2.0, True)
    assert (facts.sound, facts.sound_codec) == (True, "aac")
    assert (facts.bytes, facts.bit_rate) == (len(content), round(len(content) * 4))
    assert facts.decodes_to_end is True
    assert facts.decode_note is None


def test_a_clip_without_sound_and_with_its_index_behind() -> None:
    facts = watch(Bytes(encode("libx264", "mp4")), ROOMY).facts
    assert (facts.sound, facts.sound_codec) == (False, None)
    assert facts.faststart is False
    assert facts.decodes_to_end is True


@pytest.mark.parametrize(
    ("codec", "container", "pixel_format", "name", "kind"),
    [
        ("libx265", "mp4", "yuv420p", "hevc", "mp4"),
        ("libx264", "mp4", "yuv422p10le", "h264", "mp4"),
        ("libx264", "mov", "yuv444p", "h264", "mov"),
        ("mpeg4", "mp4", "yuv420p", "mpeg4", "mp4"),
        ("mjpeg", "mov", "yuvj420p", "mjpeg", "mov"),
        ("libvpx-vp9", "webm", "yuv420p", "vp9", "webm"),
        ("libvpx", "webm", "yuv420p", "vp8", "webm"),
        ("libsvtav1", "mp4", "yuv420p", "av1", "mp4"),
        ("ffv1", "matroska", "yuv420p", "ffv1", "matroska"),
    ],
)
def test_odd_codecs_are_named(codec: str, container: str, pixel_format: str, name: str, kind: str) -> None:
    watched = watch(Bytes(encode(codec, container, pixel_format)), ROOMY)
    assert (watched.facts.codec, watched.facts.container, watched.facts.frames) == (name, kind, 12)
    assert watched.facts.decodes_to_end is True
    assert watched.last is not None
    assert watched.last.size == (64, 48)


def test_fragments_are_read_to_the_end() -> None:
    content = encode("libx264", "mp4", movflags="frag_keyframe+empty_moov")
    facts = watch(Bytes(content), ROOMY).facts
    assert (facts.frames, facts.decodes_to_end) == (12, True)


def test_the_ends_are_the_first_and_the_last_frame() -> None:
    content = clip(picture("lake"), picture("hill"), seconds=1)
    with av.open(io.BytesIO(content)) as container:
        frames = list(container.decode(video=0))
    watched = watch(Bytes(content), ROOMY)
    for found, frame in ((watched.first, frames[0]), (watched.last, frames[-1])):
        assert found is not None
        assert np.abs(np.asarray(found, dtype=int) - frame.to_ndarray(format="rgb24")).mean() < 1


def test_a_turned_track_is_shown_as_players_do() -> None:
    content = bytearray(clip(picture()))
    at = content.index(b"tkhd") + 4 + 40
    # Quarter turn clockwise (ISO/IEC 14496-12: the matrix is a b u c d v x y w, 16.16 fixed point).
    struct.pack_into(">9i", content, at, 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    upright, turned = watch(Bytes(clip(picture())), ROOMY), watch(Bytes(bytes(content)), ROOMY)
    assert (turned.facts.width, turned.facts.height) == (180, 320)
    assert turned.first.tobytes() == upright.first.transpose(Image.Transpose.ROTATE_270).tobytes()


def test_the_preview_shows_eight_frames_a_second() -> None:
    preview = watch(Bytes(clip(picture(), seconds=2)), ROOMY).preview
    assert len(preview) == 16
    assert {image.size for image in preview} == {(320, 180)}


@pytest.mark.slow
def test_a_gibibyte_is_read_at_its_ends_only() -> None:
    source = stretched(clip(picture(), seconds=16, audio=True), GIB)
    watched = watch(source, ROOMY)
    assert source.requests <= 12
    assert source.fetched <= 8 * 2**20
    assert watched.facts.bytes > GIB
    assert (watched.facts.decodes_to_end, watched.facts.frames) == (None, 16 * 24)
    assert watched.facts.decode_note == "it is too large to be decoded as a whole"
    assert watched.last is not None
    assert watched.last.tobytes() == watch(Bytes(clip(picture(), seconds=16, audio=True)), ROOMY).last.tobytes()


@pytest.mark.slow
def test_a_clip_of_any_length_is_inspected_in_bounded_memory() -> None:
    code = (
        "import resource, sys\n"
        "from tests.support.clips import clip, picture\n"
        "from tests.support.stretching import stretched\n"
        "from stillmotion.inspection.clip import Limits, watch\n"
        "source = stretched(clip(picture(), seconds=16), 2**30)\n"
        "watch(stretched(clip(picture()), 1000), Limits())\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "watch(source, Limits(whole_bytes=2**40, max_bytes=2**40))\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
    )
    root = Path(__file__).parents[3]
    env = {"PYTHONPATH": f"{root}:{root / 'shared'}", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=env, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 60, f"{done.stdout} MiB more for a clip of 1 GiB"


def test_out_of_time_the_ends_are_still_found() -> None:
    ticks = iter(range(10_000))
    watched = watch(Bytes(clip(picture(), seconds=8)), Limits(seconds=100), clock=lambda: float(next(ticks)))
    assert watched.facts.decodes_to_end is None
    assert "time was over" in str(watched.facts.decode_note)
    assert watched.facts.duration_seconds == 8.0


def test_no_time_at_all_is_said() -> None:
    ticks = iter((0.0,))
    with pytest.raises(NotInspectable, match="time for this clip was over"):
        watch(Bytes(clip(picture())), Limits(seconds=10), clock=lambda: next(ticks, 100.0))


def test_storage_errors_are_raised_as_they_are() -> None:
    class Failing(Bytes):
        def read(self, start: int, end: int) -> bytes:
            if start > 0:
                raise StorageFailed("S3 is away.")
            return super().read(start, end)

    with pytest.raises(StorageFailed, match="S3 is away"):
        watch(Failing(encode("rawvideo", "mov", "yuv420p", frames=400)), ROOMY)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "does not begin like"),
        (b"<!DOCTYPE html><html>", "does not begin like"),
        (b"#EXTM3U\n#EXTINF:4,\nfile:///etc/passwd\n", "does not begin like"),
        (picture(), "does not begin like"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "cannot be read"),
    ],
)
def test_what_is_no_clip_is_said(content: bytes, why: str) -> None:
    with pytest.raises(NotInspectable, match=why):
        watch(Bytes(content), ROOMY)


def test_sound_alone_is_no_clip() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 48000, 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with pytest.raises(NotInspectable, match="no video track"):
        watch(Bytes(file.getvalue()), ROOMY)


def test_a_clip_that_ends_early_is_said_with_its_frames() -> None:
    content = clip(picture(), seconds=2)
    facts = watch(Bytes(content[: len(content) * 6 // 10]), ROOMY).facts
    assert facts.decodes_to_end is False
    assert "of 48 frames" in str(facts.decode_note)
    assert facts.frames is not None
    assert facts.frames < 48


def test_a_clip_without_its_index_is_said() -> None:
    content = clip(picture())
    with pytest.raises(NotInspectable, match="cannot be read"):
        watch(Bytes(content.replace(b"moov", b"junk", 1)), ROOMY)


def damaged(number: int) -> bytes:
    """One of many damaged clips: cut off, bits flipped, a part zeroed, overwritten, doubled or taken out."""
    dice = random.Random(number)
    base = (clip(picture(), audio=True), encode("libx264", "mp4"), encode("libvpx-vp9", "webm"))[number % 3]
    data = bytearray(base)
    at = dice.randrange(len(data)) if number % 2 else dice.randrange(min(2000, len(data)))
    length = dice.randrange(1, 400)
    match number % 7:
        case 0:
            del data[max(at, 1) :]
        case 1 | 2:
            for _ in range(dice.randrange(1, 60)):
                data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        case 3:
            data[at : at + length] = bytes(len(data[at : at + length]))
        case 4:
            data[at : at + length] = dice.randbytes(len(data[at : at + length]))
        case 5:
            data[at:at] = data[at : at + length]
        case 6:
            del data[at : at + length]
    return bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("tens", range(20))
def test_two_hundred_damaged_clips_are_inspected_or_say_why(tens: int) -> None:
    for number in range(10 * tens, 10 * tens + 10):
        source, begun = Bytes(damaged(number)), time.process_time()
        try:
            facts = watch(source, ROOMY).facts
        except NotInspectable as error:
            said = str(error)
        else:
            said = facts.decode_note or "whole"
            assert facts.width > 0
            assert (said == "whole") is facts.decodes_to_end
        assert len(said) >= 5
        assert time.process_time() - begun < 20
        assert source.fetched < 200 * max(source.size, 100_000)
