"""The models that the simulator offers.

Where the public documents state a capability, it is here; where they do not, the field is null, as the real list
has it: *not stated*, never *none*. The `simulator/…` models are made up, for the cases that no listed one shows.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

CREATED = 1_760_000_000
RESOLUTIONS = ("360p", "480p", "720p", "768p", "1080p", "1K", "2K", "4K")
ASPECT_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9", "9:21")
FRAME_TYPES = ("first_frame", "last_frame")
# Pixels of the shorter side.
LINES = {"360p": 360, "480p": 480, "720p": 720, "768p": 768, "1080p": 1080, "1K": 1024, "2K": 1440, "4K": 2160}


@dataclass(frozen=True, slots=True)
class Model:
    """One model: the fields of the API's VideoModel, and whether it animates an image without a prompt."""

    id: str
    name: str
    pricing_skus: dict[str, str]
    description: str = ""
    hugging_face_id: str | None = None
    supported_resolutions: tuple[str, ...] | None = None
    supported_aspect_ratios: tuple[str, ...] | None = None
    supported_sizes: tuple[str, ...] | None = None
    supported_durations: tuple[int, ...] | None = None
    supported_frame_images: tuple[str, ...] | None = None
    generate_audio: bool | None = None
    seed: bool | None = None
    upscale_factor: dict[str, float] | None = None
    creativity: tuple[int, ...] | None = None
    allowed_passthrough_parameters: tuple[str, ...] = ()
    prompt_optional: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the VideoModel object, every field present."""
        return {
            "id": self.id,
            "canonical_slug": f"{self.id}-20260115",
            "name": self.name,
            "created": CREATED,
            "description": self.description,
            "hugging_face_id": self.hugging_face_id,
            "supported_resolutions": _listed(self.supported_resolutions),
            "supported_aspect_ratios": _listed(self.supported_aspect_ratios),
            "supported_sizes": _listed(self.supported_sizes),
            "supported_durations": _listed(self.supported_durations),
            "supported_frame_images": _listed(self.supported_frame_images),
            "generate_audio": self.generate_audio,
            "seed": self.seed,
            "upscale_factor": self.upscale_factor,
            "creativity": _listed(self.creativity),
            "pricing_skus": dict(self.pricing_skus),
            "allowed_passthrough_parameters": list(self.allowed_passthrough_parameters),
        }

    def cost(self, seconds: int, resolution: str) -> Decimal:
        """Return the price in USD: the rate of this resolution where there is one, else the general rate."""
        general = self.pricing_skus["per-video-second"]
        rate = self.pricing_skus.get(f"per-video-second-{resolution.lower()}", general)
        return Decimal(rate) * seconds


def _listed(values: tuple[Any, ...] | None) -> list[Any] | None:
    return None if values is None else list(values)


MODELS = (
    Model(
        id="google/veo-3.1-lite",
        name="Google: Veo 3.1 Lite",
        description="Short clips from text or from a first and a last frame.",
        pricing_skus={"per-video-second": "0.03", "per-video-second-1080p": "0.05"},
        supported_resolutions=("720p", "1080p"),
        supported_aspect_ratios=("16:9", "9:16"),
        supported_durations=(4, 6, 8),
        supported_frame_images=FRAME_TYPES,
        seed=True,
        allowed_passthrough_parameters=("negativePrompt", "personGeneration"),
    ),
    Model(
        id="google/veo-3.1",
        name="Google: Veo 3.1",
        description="Clips with sound.",
        pricing_skus={"per-video-second": "0.40", "per-video-second-4k": "0.60"},
        supported_resolutions=("720p", "1080p", "4K"),
        supported_aspect_ratios=("16:9", "9:16"),
        supported_durations=(4, 6, 8),
        supported_frame_images=FRAME_TYPES,
        generate_audio=True,
        seed=True,
        allowed_passthrough_parameters=("negativePrompt", "personGeneration"),
    ),
    Model(
        id="google/veo-3.1-fast",
        name="Google: Veo 3.1 Fast",
        description="Clips with sound, sooner.",
        pricing_skus={"per-video-second": "0.15"},
        generate_audio=True,
    ),
    Model(
        id="alibaba/wan-2.7",
        name="Alibaba: Wan 2.7",
        description="First and last frame, up to 1080p.",
        pricing_skus={"per-video-second": "0.04"},
        supported_resolutions=("720p", "1080p"),
        supported_frame_images=FRAME_TYPES,
        allowed_passthrough_parameters=("negative_prompt",),
    ),
    Model(
        id="kwaivgi/kling-v3.0-std",
        name="Kling: v3.0 Standard",
        pricing_skus={"per-video-second": "0.08"},
        supported_aspect_ratios=("16:9", "9:16", "1:1"),
        supported_durations=(5, 10),
        supported_frame_images=FRAME_TYPES,
        generate_audio=False,
        seed=False,
    ),
    Model(
        id="minimax/hailuo-2.3",
        name="MiniMax: Hailuo 2.3",
        description="Animates one image, with or without a prompt.",
        pricing_skus={"per-video-second": "0.05"},
        supported_resolutions=("768p", "1080p"),
        supported_durations=(6, 10),
        supported_frame_images=("first_frame",),
        generate_audio=False,
        prompt_optional=True,
    ),
    Model(
        id="bytedance/seedance-2.0",
        name="ByteDance: Seedance 2.0",
        pricing_skus={"per-video-second": "0.06", "per-video-second-1080p": "0.14"},
        supported_resolutions=("480p", "720p", "1080p"),
        supported_aspect_ratios=("16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "9:21"),
        supported_durations=tuple(range(4, 13)),
        generate_audio=True,
        seed=True,
    ),
    Model(
        id="openai/sora-2-pro",
        name="OpenAI: Sora 2 Pro",
        pricing_skus={"per-video-second": "0.30"},
        supported_sizes=("1280x720", "720x1280", "1792x1024", "1024x1792"),
        supported_durations=(4, 8, 12),
        supported_frame_images=("first_frame",),
        generate_audio=True,
    ),
    Model(
        id="simulator/text-only",
        name="Simulator: text only",
        description="Takes no frame images at all.",
        pricing_skus={"per-video-second": "0.01"},
        supported_resolutions=("360p", "720p"),
        supported_aspect_ratios=ASPECT_RATIOS,
        supported_durations=(1, 2, 4),
        supported_frame_images=(),
        generate_audio=False,
        seed=True,
    ),
    Model(
        id="simulator/upscaler",
        name="Simulator: upscaler",
        description="Animates and enlarges one image.",
        pricing_skus={"per-video-second": "0.02"},
        supported_durations=(1, 2),
        supported_frame_images=("first_frame",),
        upscale_factor={"min": 1, "max": 4},
        creativity=(0, 1, 2, 3),
        prompt_optional=True,
    ),
)
BY_ID = {model.id: model for model in MODELS}


def frame_size(resolution: str, aspect_ratio: str) -> tuple[int, int]:
    """Return width and height in pixels, both even: the resolution is the shorter side."""
    across, down = (int(part) for part in aspect_ratio.split(":"))
    short = LINES[resolution]
    long = round(short * max(across, down) / min(across, down) / 2) * 2
    return (long, short) if across >= down else (short, long)
