"""Pictures of every shape go through the deployed stack, and its own inspection finds them again in their clips.

python -m pytest -s tests/e2e/test_shapes.py    prints the table
"""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

from local.simulator.pictures import landscape
from stillmotion_cli import generation, pictures
from stillmotion_cli.client import Job
from tests.e2e.support import JOB_TIMEOUT, MIN_PSNR, Caller, SimulatorControl, inspected
from tests.support.clips import encoded, picture

# It offers seven shapes, and small clips.
MODEL, LINES = "bytedance/seedance-2.0", "480p"
AT_ONCE = 4
ROW = "{:<11}{:>11}{:>11}{:>9}{:>8}{:>7}  {}"


class Shape(NamedTuple):
    """How a picture is made, its size as one sees it, its clip's size, and the share of it that the clip loses."""

    make: Callable[[], bytes]
    seen: tuple[int, int]
    clip: tuple[int, int]
    lost: float = 0.0


def alpha() -> bytes:
    image = landscape("lake", 960, 540).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return encoded(image)


def large() -> bytes:
    return encoded(landscape("lake", 4000, 3000).resize((8000, 6000)), "JPEG", quality=85)


def turned(orientation: int) -> Shape:
    return Shape(lambda: picture("harbour", 900, 1200, "JPEG", exif=orientation), (900, 1200), (480, 640))


SHAPES = {
    "landscape": Shape(lambda: picture("lake", 1600, 900), (1600, 900), (854, 480)),
    "portrait": Shape(lambda: picture("cliff", 1080, 1920), (1080, 1920), (480, 854)),
    "square": Shape(lambda: picture("lake", 800, 800), (800, 800), (480, 480)),
    "panorama": Shape(lambda: picture("ridge", 2400, 800), (2400, 800), (1120, 480), 0.2222),
    "alpha": Shape(alpha, (960, 540), (854, 480)),
    "16x16": Shape(lambda: picture("lake", 16, 16), (16, 16), (480, 480)),
    "8000x6000": Shape(large, (8000, 6000), (640, 480)),
} | {f"EXIF {orientation}": turned(orientation) for orientation in range(1, 9)}


@pytest.fixture(scope="module")
def jobs(caller: Caller, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Job]:
    """The inspected job of each shape, with the answer of its dry run under `planned`. Prints the table."""
    folder = tmp_path_factory.mktemp("shapes")

    def make(name: str) -> Job:
        mine = Caller(caller.stack)
        asked = mine.request(
            first_frame=pictures.upload(caller.stack, stored(folder / name.replace(" ", "-"), SHAPES[name].make())),
            model=MODEL,
            resolution=LINES,
            aspect_ratio=None,
            prompt=name,
            generate_audio=False,
        )
        planned = mine.client.dry_run(asked)
        job = mine.client.submit(asked)
        job = generation.wait(mine.client, job, lambda _: None, timeout=JOB_TIMEOUT, interval=0.5)
        return inspected(mine, job) | {"planned": planned}

    with ThreadPoolExecutor(AT_ONCE) as pool:
        made = dict(zip(SHAPES, pool.map(make, SHAPES), strict=True))
    print("", ROW.format("shape", "picture", "clip", "PSNR", "SSIM", "lost", "warnings"), sep="\n")
    for name, job in made.items():
        print(row(name, job))
    return made


def stored(path: Path, content: bytes) -> Path:
    """The picture as a file, which is named for its format."""
    with Image.open(io.BytesIO(content)) as image:
        path = path.with_suffix(f".{(image.format or '').lower()}")
    path.write_bytes(content)
    return path


def row(name: str, job: Job) -> str:
    (found,) = job["inspection"]["videos"]
    (first,) = found["likeness"]
    facts, warnings = found["facts"], [*job["planned"]["warnings"], *found["warnings"]]
    width, height = SHAPES[name].seen
    return ROW.format(
        name,
        f"{width}x{height}",
        f"{facts['width']}x{facts['height']}",
        f"{first['psnr_db']:.1f} dB",
        f"{first['ssim']:.3f}",
        f"{first['lost_share']:.0%}",
        "; ".join(warnings) or "none",
    )


@pytest.mark.parametrize("name", SHAPES)
def test_a_picture_of_this_shape_is_found_again_in_its_clip(jobs: dict[str, Job], name: str) -> None:
    shape, (found,) = SHAPES[name], jobs[name]["inspection"]["videos"]
    facts: dict[str, Any] = found["facts"]
    assert (facts["width"], facts["height"]) == shape.clip
    (first,) = found["likeness"]
    assert first["psnr_db"] > MIN_PSNR
    assert first["ssim"] > 0.9
    assert first["lost_share"] == pytest.approx(shape.lost, abs=0.002)
    assert found["warnings"] == []


def test_what_a_shape_costs_is_said_before_it_is_paid(jobs: dict[str, Job]) -> None:
    said = {name: job["planned"]["warnings"] for name, job in jobs.items() if job["planned"]["warnings"]}
    assert said.keys() == {"panorama", "alpha"}
    assert "22% of the picture is cropped away" in said["panorama"][0]
    assert "has transparency" in said["alpha"][0]


def test_a_clip_of_another_picture_is_warned_of(caller: Caller, simulator: SimulatorControl) -> None:
    with simulator.settings(clip="tiny"):  # These are drawn without the given picture.
        job = inspected(caller, caller.make())
    (found,) = job["inspection"]["videos"]
    (said,) = (warning for warning in found["warnings"] if "look like" in warning)
    assert said.startswith("The first frame does not look like the given picture: PSNR ")
    assert found["likeness"][0]["psnr_db"] < MIN_PSNR
    assert (job["status"], job.get("error")) == ("completed", None)
