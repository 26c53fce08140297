"""Models that exist only in tests, for what no listed model shows. They are offered with `--test-models` alone."""

from pathlib import Path
from typing import Any

from local.simulator.catalogue import RECORDED, Catalogue, Model, read_catalogue, read_model

FRAME_TYPES = ["first_frame", "last_frame"]
_PROMPT_OPTIONAL = {"simulator/image-alone", "simulator/upscaler"}
_ENTRIES: tuple[dict[str, Any], ...] = (
    {
        "id": "simulator/text-only",
        "name": "Simulator: text only",
        "description": "Takes no frame images at all.",
        "pricing_skus": {"per-video-second": "0.01"},
        "supported_resolutions": ["360p", "720p"],
        "supported_aspect_ratios": ["16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9", "9:21"],
        "supported_durations": [1, 2, 4],
        "supported_frame_images": [],
        "generate_audio": False,
        "seed": True,
    },
    {
        "id": "simulator/upscaler",
        "name": "Simulator: upscaler",
        "description": "Animates and enlarges one image.",
        "pricing_skus": {"per-video-second": "0.02"},
        "supported_durations": [1, 2],
        "supported_frame_images": ["first_frame"],
        "upscale_factor": {"min": 1, "max": 4},
        "creativity": [0, 1, 2, 3],
    },
    {
        "id": "simulator/states-nothing",
        "name": "Simulator: states nothing",
        "description": "Says nothing about what it can do.",
        "pricing_skus": {"per-video-second": "0.15"},
    },
    {
        "id": "simulator/sizes-only",
        "name": "Simulator: sizes only",
        "description": "Lists sizes and neither resolutions nor ratios.",
        "pricing_skus": {"per-video-second": "0.30"},
        "supported_sizes": ["1280x720", "720x1280", "1792x1024", "1024x1792"],
        "supported_durations": [4, 8, 12],
        "supported_frame_images": ["first_frame"],
        "generate_audio": True,
    },
    {
        "id": "simulator/image-alone",
        "name": "Simulator: image alone",
        "description": "Animates one image, with or without a prompt.",
        "pricing_skus": {"per-video": "0.25"},
        "supported_resolutions": ["768p", "1080p"],
        "supported_durations": [6, 10],
        "supported_frame_images": ["first_frame"],
        "generate_audio": False,
    },
    {
        "id": "simulator/own-words",
        "name": "Simulator: own words",
        "description": "Lists a resolution and a ratio that no other model has.",
        "pricing_skus": {"duration_seconds": "0.02", "duration_seconds_540p": "0.01", "duration_seconds_8k": "1.20"},
        "supported_resolutions": ["540p", "8K"],
        "supported_aspect_ratios": ["5:4", "2.39:1"],
        "supported_durations": [4, 5],
        "supported_frame_images": FRAME_TYPES,
        "generate_audio": False,
    },
)


def made_up_models() -> list[Model]:
    """Return the models for tests, in a fixed order."""
    return [read_model(entry, prompt_optional=entry["id"] in _PROMPT_OPTIONAL) for entry in _ENTRIES]


def offered(path: Path = RECORDED, *, test_models: bool = False) -> Catalogue:
    """Return the catalogue of a file, with the made-up models after it where tests ask for them.

    Raises CatalogueError.
    """
    return Catalogue([*read_catalogue(path), *(made_up_models() if test_models else [])])
