"""Writing frames into an MP4 file: H.264, optional AAC, index in front."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from threading import Event

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import PictureType
from av.video.stream import VideoStream

from local.simulator.frames import FPS, Array

AUDIO_RATE = 48_000
AUDIO_BLOCK = 1024
BT709 = 1
LIMITED_RANGE = 1
# A fixed number of threads keeps the bytes the same on every machine. Key frames get more bits than usual: the first
# and the last are compared with the pictures that were asked for.
X264_OPTIONS = {"preset": "superfast", "crf": "25", "bf": "0", "threads": "2", "x264-params": "ipratio=3.5"}


class RenderStoppedError(Exception):
    """The simulator is closing, so the clip was left unfinished."""


def encode(
    frames: Iterable[Array], width: int, height: int, *, seconds: int, tone_hz: float | None, stop: Event
) -> bytes:
    """Encode `seconds` × 24 frames to an MP4 and return its bytes.

    Frames are yuv420p arrays in BT.709 limited range. With `tone_hz` the clip carries a quiet stereo tone as AAC.
    The `moov` box comes before `mdat`. Raises RenderStoppedError once `stop` is set.
    """
    # The muxer reads the file back to move its index to the front, so it needs a real file.
    with tempfile.TemporaryDirectory(prefix="modelgates-") as folder:
        path = Path(folder) / "clip.mp4"
        options = {"movflags": "+faststart", "fflags": "+bitexact"}
        with av.open(str(path), "w", format="mp4", options=options) as container:
            video = _video_stream(container, width, height)
            audio = _audio_stream(container) if tone_hz is not None else None
            _write_video(container, video, frames, seconds * FPS - 1, stop)
            if audio is not None and tone_hz is not None:
                _write_audio(container, audio, tone_hz, seconds)
        return path.read_bytes()


def _video_stream(container: OutputContainer, width: int, height: int) -> VideoStream:
    stream = container.add_stream("libx264", rate=FPS, options=X264_OPTIONS)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = BT709
    context.color_range = LIMITED_RANGE
    context.gop_size = 2 * FPS
    return stream


def _audio_stream(container: OutputContainer) -> AudioStream:
    return container.add_stream("aac", rate=AUDIO_RATE, layout="stereo")


def _write_video(
    container: OutputContainer, stream: VideoStream, frames: Iterable[Array], last_number: int, stop: Event
) -> None:
    for number, pixels in enumerate(frames):
        if stop.is_set():
            raise RenderStoppedError
        frame = av.VideoFrame.from_ndarray(pixels, format="yuv420p")
        frame.pts = number
        if number in (0, last_number):
            frame.pict_type = PictureType.I
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _write_audio(container: OutputContainer, stream: AudioStream, tone_hz: float, seconds: int) -> None:
    for start in range(0, seconds * AUDIO_RATE, AUDIO_BLOCK):
        at = np.arange(start, min(start + AUDIO_BLOCK, seconds * AUDIO_RATE)) / AUDIO_RATE
        wave = (0.1 * np.sin(2 * np.pi * tone_hz * at)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = AUDIO_RATE, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
