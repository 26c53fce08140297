"""Decoding a clip once, from its beginning to its end: what it is, its two ends, and frames for a preview.

One frame is decoded at a time, on one thread. What is kept are the first and the last frame and small pictures of the
first seconds. A clip that is too large or too long to be decoded in its budget is decoded at its beginning and, after a
seek, at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, cast

import av
from av.video.frame import VideoFrame
from PIL import Image

from stillmotion.errors import StorageFailed
from stillmotion.inspection.boxes import container_name, demuxer_for, index_in_front
from stillmotion.inspection.frames import shown, shown_size
from stillmotion.inspection.ranges import BudgetSpent, RangeFile, Source
from stillmotion.inspection.report import Facts

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

PREVIEW_SECONDS = 6.0
PREVIEW_FRAMES_PER_SECOND = 8
PREVIEW_SIDE = 320
MAX_BROKEN_PACKETS = 200
MAX_TRACKS = 32
END_SHARE = 0.3
"""Share of a clip's time that is kept for its end, for a clip that cannot be decoded as a whole."""

# A damaged header may state any size of a frame.
_DECODER_OPTIONS = {"max_pixels": str(8192 * 4352)}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one clip may take: `seconds` in all; above `whole_bytes` only its ends are decoded; at most `max_bytes`
    are read."""

    seconds: float = 120.0
    whole_bytes: int = 256 * 2**20
    max_bytes: int = 384 * 2**20


class NotInspectable(Exception):
    """The clip cannot be inspected; the text says why."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A clip's facts and pictures, as shown. `last` is `None` where its end was not reached; `preview` are small
    pictures, `preview_fps` of them a second."""

    facts: Facts
    first: Image.Image
    last: Image.Image | None
    preview: list[Image.Image]
    preview_fps: float


def watch(source: Source, limits: Limits, clock: Callable[[], float] = monotonic) -> Watched:
    """Decode a clip.

    Raises:
        NotInspectable: it is no clip, or too damaged to show a single frame.
        StorageFailed: it could not be read; try again.
    """
    deadline = clock() + limits.seconds
    file = RangeFile(source, lambda: clock() < deadline, limits.max_bytes)
    try:
        return _watch(file, limits, lambda: deadline - clock())
    except (StorageFailed, NotInspectable):
        raise
    # Demuxers and decoders raise many kinds of errors for damaged bytes.
    except Exception as error:
        if isinstance(file.failure, StorageFailed):
            raise file.failure from error
        why = file.failure or _words(error)
        raise NotInspectable(f"The clip cannot be read: {why}") from error


def _watch(file: RangeFile, limits: Limits, seconds_left: Callable[[], float]) -> Watched:
    head = file.read(64)
    demuxer = demuxer_for(head)
    if demuxer is None:
        raise NotInspectable("It does not begin like an MP4 or WebM file.")
    faststart = index_in_front(file) if demuxer == "mp4" else None
    file.seek(0)
    options = {"protocol_whitelist": "none", "max_streams": str(MAX_TRACKS)}
    with av.open(file, format=demuxer, container_options=options) as opened:
        container = cast("InputContainer", opened)
        stream = _video_stream(container)
        reading = _Reading(container, stream, seconds_left)
        whole = file.size <= limits.whole_bytes
        reading.forward(whole, limits.seconds * END_SHARE)
        if reading.first is None:
            raise NotInspectable(f"No frame of it can be decoded: {reading.note or 'it has none'}.")
        if reading.complete is None:
            reading.to_the_end()
        name = container_name(head, container.metadata)
        facts = _facts(container, stream, reading, file.size, name, faststart)
        last = None if reading.last is None else shown(reading.last, stream)
        return Watched(facts, shown(reading.first, stream), last, reading.preview, reading.preview_fps)


def _video_stream(container: InputContainer) -> VideoStream:
    for stream in container.streams.video:
        if "attached_pic" in (stream.disposition.name or "").lower():
            continue
        if stream.codec_context is None:
            raise NotInspectable("Its video track is of a codec that cannot be decoded here.")
        stream.codec_context.thread_count = 1
        stream.codec_context.options = _DECODER_OPTIONS
        return stream
    raise NotInspectable("It has no video track.")


class _Reading:
    """One pass over a clip's frames. `complete` is `True` or `False` once its end was reached, else `None`."""

    def __init__(self, container: InputContainer, stream: VideoStream, seconds_left: Callable[[], float]) -> None:
        self._container = container
        self._stream = stream
        self._seconds_left = seconds_left
        self._next_preview = 0.0
        self.first: VideoFrame | None = None
        self.last: VideoFrame | None = None
        self.preview: list[Image.Image] = []
        self.preview_fps = float(PREVIEW_FRAMES_PER_SECOND)
        self.frames = self.packets = self.broken = 0
        self.complete: bool | None = None
        self.note: str | None = None

    def forward(self, whole: bool, reserved_seconds: float) -> None:
        """Decode from the beginning: to the end, or only what the preview shows; `reserved_seconds` are left over."""
        try:
            for frame in self._decoded():
                self._take(frame)
                if self._seconds_left() < reserved_seconds:
                    self.note = f"its time was over after {self.frames:,} frames"
                    return
                if not whole and self._next_preview >= PREVIEW_SECONDS:
                    self.note = "it is too large to be decoded as a whole"
                    return
        except BudgetSpent as error:
            self.note = str(error)
            return
        self._judge()

    def to_the_end(self) -> None:
        """Decode from the last key frame on; without its end, the clip has no last frame."""
        self.last, end = None, self._stream.duration or 0
        try:
            self._container.seek((self._stream.start_time or 0) + end, stream=self._stream, backward=True)
            for frame in self._decoded():
                if self._seconds_left() <= 0:
                    self.last = None
                    return
                self.last = frame
        except (BudgetSpent, av.FFmpegError):
            self.last = None

    def _decoded(self) -> Iterator[VideoFrame]:
        """Frames in order; what cannot be decoded is counted and skipped.

        Raises:
            BudgetSpent: no more may be read.
        """
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                self.packets += packet.size > 0
                self.broken += packet.is_corrupt
                frames = packet.decode()
            except (BudgetSpent, StorageFailed):
                raise
            except (av.FFmpegError, ValueError, MemoryError) as error:
                self.broken += 1
                self.note = _words(error)
                if isinstance(error, av.EOFError) or self.broken > MAX_BROKEN_PACKETS:
                    return
                continue
            yield from frames

    def _take(self, frame: VideoFrame) -> None:
        self.first = self.first or frame
        self.last = frame
        self.frames += 1
        self.broken += frame.is_corrupt
        at = self._time(frame)
        if self._next_preview <= at < PREVIEW_SECONDS or (at >= PREVIEW_SECONDS and not self.preview):
            self.preview.append(shown(frame, self._stream, PREVIEW_SIDE))
        if at >= self._next_preview:
            self._next_preview = max(self._next_preview + 1 / PREVIEW_FRAMES_PER_SECOND, at)

    def _time(self, frame: VideoFrame) -> float:
        """Seconds from the first frame; frames without a time are taken to be as far apart as the track says."""
        assert self.first is not None
        if frame.pts is None or self.first.pts is None or frame.time_base is None:
            return (self.frames - 1) / float(self._stream.average_rate or 24)
        return float((frame.pts - self.first.pts) * frame.time_base)

    def _judge(self) -> None:
        """Whether the decoded frames are all there should be."""
        stated = self._stream.frames
        if self.frames and self.packets < stated:
            self.note = f"it ends after {self.frames:,} of {stated:,} frames"
        elif self.broken:
            self.note = f"{self.broken:,} of its frames are damaged" + (f" ({self.note})" if self.note else "")
        self.complete = self.note is None

    @property
    def seconds(self) -> float | None:
        """The decoded length, `None` where not every frame was decoded or has a time."""
        if self.complete is None or self.first is None or self.last is None:
            return None
        if self.last.pts is None or self.first.pts is None or self.last.time_base is None:
            return None
        return self._time(self.last) + float((self.last.duration or 0) * self.last.time_base)


def _facts(
    container: InputContainer,
    stream: VideoStream,
    reading: _Reading,
    size: int,
    name: str,
    faststart: bool | None,
) -> Facts:
    assert reading.first is not None
    width, height = shown_size(reading.first, stream)
    seconds = reading.seconds or _stated_seconds(container, stream)
    audio = next(iter(container.streams.audio), None)
    rate = stream.average_rate or stream.guessed_rate
    context = stream.codec_context
    return Facts(
        container=name,
        codec=context.codec.canonical_name,
        pixel_format=reading.first.format.name,
        width=width,
        height=height,
        frames=(stream.frames or None) if reading.complete is None else reading.frames,
        fps=None if not rate else round(float(rate), 3),
        duration_seconds=None if seconds is None else round(seconds, 3),
        sound=audio is not None,
        sound_codec=None if audio is None or not audio.codec_context else audio.codec_context.codec.canonical_name,
        faststart=faststart,
        bit_rate=round(size * 8 / seconds) if seconds else None,
        bytes=size,
        decodes_to_end=reading.complete,
        decode_note=reading.note,
    )


def _stated_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration and container.duration > 0 else None


def _words(error: Exception) -> str:
    """What an error says, without the name of the Python object that stood for the file."""
    text = error.strerror if isinstance(error, av.FFmpegError) and error.strerror else str(error)
    return text or type(error).__name__
