"""The clips: real H.264, exactly as long and as large as asked, exactly the pictures at their ends."""

import base64
import io
import time
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from local.simulator import FPS, Simulator, fit
from local.simulator.shapes import frame_size
from local.simulator.validation import ASPECT_RATIOS, RESOLUTIONS
from tests.unit.simulator.support import Client, frame

SAMPLE = Path(__file__).parents[3] / "local" / "assets" / "sample.jpg"
GOOD_PSNR = 35.0
# States no durations, so one second will do.
SHORT = "simulator/states-nothing"


@pytest.fixture
def sim():
    with Simulator(seconds_to_ready=0, test_models=True) as running:
        yield running


def psnr(picture: np.ndarray, wanted: Image.Image) -> float:
    error = np.mean((picture.astype(float) - np.asarray(wanted, dtype=float)) ** 2)
    return float(10 * np.log10(255**2 / error))


def picture(client: Client, name: str) -> Image.Image:
    return Image.open(io.BytesIO(client.call("GET", client.sim.image_url(name)).data))


def decoded(clip: bytes) -> list[av.VideoFrame]:
    with av.open(io.BytesIO(clip)) as container:
        return list(container.decode(video=0))


def rendered(client: Client, **fields) -> tuple[bytes, list[av.VideoFrame]]:
    job = client.accepted(**fields)
    while (job := client.poll(job))["status"] == "in_progress":
        time.sleep(0.05)
    clip = client.clip(job)
    return clip, decoded(clip)


@pytest.mark.slow
def test_clip_starts_and_ends_with_its_pictures(sim: Simulator, client: Client) -> None:
    images = [frame(sim.image_url("first.png")), frame(sim.image_url("last.jpg"), "last_frame")]
    clip, frames = rendered(client, model="google/veo-3.1", duration=4, frame_images=images, generate_audio=True)
    assert len(frames) == 4 * FPS
    assert psnr(frames[0].to_ndarray(format="rgb24"), fit(picture(client, "first.png"), 1280, 720)) >= GOOD_PSNR
    assert psnr(frames[-1].to_ndarray(format="rgb24"), fit(picture(client, "last.jpg"), 1280, 720)) >= GOOD_PSNR
    with av.open(io.BytesIO(clip)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert video.codec_context.name == "h264"
        assert video.codec_context.pix_fmt == "yuv420p"
        assert video.average_rate == FPS
        assert (video.width, video.height, video.frames) == (1280, 720, 4 * FPS)
        assert float(video.duration * video.time_base) == 4.0
        assert (frames[0].pts, int(frames[0].colorspace), int(frames[0].color_range)) == (0, 1, 1)
        assert audio.codec_context.name == "aac"
        assert float(audio.duration * audio.time_base) == pytest.approx(4.0, abs=0.05)
    assert clip.index(b"moov") < clip.index(b"mdat")


@pytest.mark.slow
def test_clip_of_a_first_picture_moves_away_from_it(client: Client) -> None:
    inline = f"data:image/jpeg;base64,{base64.b64encode(SAMPLE.read_bytes()).decode()}"
    clip, frames = rendered(client, model=SHORT, duration=1, aspect_ratio="9:16", frame_images=[frame(inline)])
    wanted = fit(Image.open(SAMPLE), 720, 1280)
    assert (frames[0].width, frames[0].height) == (720, 1280)
    assert psnr(frames[0].to_ndarray(format="rgb24"), wanted) >= GOOD_PSNR
    assert psnr(frames[-1].to_ndarray(format="rgb24"), wanted) < GOOD_PSNR
    with av.open(io.BytesIO(clip)) as container:
        assert not container.streams.audio


@pytest.mark.slow
def test_clip_of_a_last_picture_ends_on_it(sim: Simulator, client: Client) -> None:
    _, frames = rendered(client, model=SHORT, duration=1, frame_images=[frame(sim.image_url("end.png"), "last_frame")])
    wanted = fit(picture(client, "end.png"), 1280, 720)
    assert psnr(frames[-1].to_ndarray(format="rgb24"), wanted) >= GOOD_PSNR
    assert psnr(frames[0].to_ndarray(format="rgb24"), wanted) < GOOD_PSNR


def test_colours_come_back_right(client: Client) -> None:
    file = io.BytesIO()
    Image.new("RGB", (320, 180), (200, 40, 90)).save(file, "PNG")
    inline = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    _, frames = rendered(client, model="simulator/upscaler", prompt="x", frame_images=[frame(inline)])
    middle = frames[0].to_ndarray(format="rgb24")[100:-100, 100:-100].reshape(-1, 3).mean(axis=0)
    assert np.abs(middle - (200, 40, 90)).max() < 3


def test_clip_without_pictures_comes_from_prompt_and_seed(sim: Simulator, client: Client) -> None:
    request = {"model": "simulator/text-only", "duration": 1, "resolution": "360p", "seed": 7}
    clip, frames = rendered(client, **request)
    assert len(frames) == FPS
    assert not np.array_equal(frames[0].to_ndarray(format="gray"), frames[-1].to_ndarray(format="gray"))
    other, _ = rendered(client, **{**request, "seed": 8})
    sim.reset()
    again, _ = rendered(client, **request)
    assert clip == again
    assert clip != other
    assert sim.renders() == 2


def test_rendering_is_the_same_in_another_simulator(client: Client) -> None:
    request = {"model": "simulator/text-only", "duration": 1, "resolution": "360p"}
    clip, _ = rendered(client, **request)
    with Simulator(seconds_to_ready=0, test_models=True) as other:
        assert rendered(Client(other), **request)[0] == clip


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"size": "1792x1024"}, (1792, 1024)),
        ({"size": "641x361"}, (640, 360)),
        ({"resolution": "480p", "aspect_ratio": "21:9"}, (1120, 480)),
        ({"resolution": "480p"}, (854, 480)),
        ({}, (1280, 720)),
    ],
)
def test_clip_has_the_size_asked_for(client: Client, fields: dict, size: tuple[int, int]) -> None:
    _, frames = rendered(client, model=SHORT, duration=1, **fields)
    assert (frames[0].width, frames[0].height) == size
    assert len(frames) == FPS


def test_every_frame_size_is_even() -> None:
    sizes = [frame_size(resolution, ratio) for resolution in RESOLUTIONS for ratio in ASPECT_RATIOS]
    assert all(width % 2 == 0 and height % 2 == 0 for width, height in sizes)
    assert frame_size("1080p", "9:16") == (1080, 1920)


def test_tiny_clips_are_small_and_shared(sim: Simulator, client: Client) -> None:
    sim.settings(clip="tiny")
    clip, frames = rendered(client, prompt="one", duration=4, generate_audio=False)
    assert len(frames) == 4 * FPS
    assert (frames[0].width, frames[0].height) == (114, 64)
    assert len(clip) < 60_000
    rendered(client, prompt="two", duration=4, generate_audio=False)
    assert sim.renders() == 1


def test_fit_covers_crops_turns_and_flattens() -> None:
    halves = Image.new("RGB", (40, 10), (255, 0, 0))
    halves.paste((0, 0, 255), (20, 0, 40, 10))
    fitted = fit(halves, 10, 10)
    assert fitted.size == (10, 10)
    assert (fitted.getpixel((0, 5)), fitted.getpixel((9, 5))) == ((255, 0, 0), (0, 0, 255))
    assert fit(Image.new("RGBA", (8, 8), (255, 255, 255, 0)), 4, 4).getpixel((1, 1)) == (0, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    halves.save(file, "PNG", exif=exif)
    turned = fit(Image.open(file), 4, 16)
    assert (turned.getpixel((2, 1)), turned.getpixel((2, 14))) == ((255, 0, 0), (0, 0, 255))


def test_closing_does_not_wait_for_a_clip_to_be_finished() -> None:
    with Simulator(seconds_to_ready=0) as sim:
        Client(sim).accepted(model="bytedance/seedance-2.0", resolution="1080p", duration=12)
        time.sleep(0.2)
        begun = time.monotonic()
    assert time.monotonic() - begun < 1.5


def test_job_goes_on_while_its_clip_is_being_made(sim: Simulator, client: Client) -> None:
    sim.settings(render_patience_seconds=0.01, seconds_pending=0)
    job = client.accepted(duration=4)
    assert client.poll(job)["status"] == "in_progress"


def test_a_renderer_that_breaks_fails_the_job(
    sim: Simulator, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr("local.simulator.studio.render", broken)
    job = client.poll(client.accepted())
    assert job["status"] == "failed"
    assert "MemoryError" in job["error"]
    assert "could not be rendered" in caplog.text
