"""Requests, pictures and events that work, for tests to change."""

from __future__ import annotations

import io
from typing import Any

import boto3
from PIL import Image

from local.simulator import Simulator


def request(simulator: Simulator, **changes: Any) -> dict[str, Any]:
    """A request that works, with some fields changed."""
    frame = {"type": "image_url", "image_url": {"url": simulator.image_url()}, "frame_type": "first_frame"}
    given = {
        "model": "google/veo-3.1-lite",
        "prompt": "a slow push in",
        "duration": 4,
        "resolution": "720p",
        "aspect_ratio": "16:9",
        "frame_images": [frame],
    }
    return given | changes


def png() -> bytes:
    """A small picture."""
    picture = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(picture, "PNG")
    return picture.getvalue()


def rows(simulator: Simulator, *prompts: str) -> list[dict[str, Any]]:
    """Rows of a manifest, one for each prompt."""
    return [request(simulator, prompt=prompt) | {"item_id": f"item-{at}"} for at, prompt in enumerate(prompts)]


def requested(detail: dict[str, Any], event_id: str = "7b1d") -> dict[str, Any]:
    """The event with which any system asks for a video."""
    return {"id": event_id, "detail-type": "Video Generation Requested", "source": "shop.orders", "detail": detail}


def dropped(key: str, sequencer: str = "01") -> dict[str, Any]:
    """The event that S3 sends to EventBridge for the object that lies there now."""
    etag = boto3.client("s3").head_object(Bucket="pictures", Key=key)["ETag"].strip('"')
    return {
        "version": "0",
        "id": "2d4eba74-fd51-3966-4bfa-b013c9da8ff1",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "detail": {
            "bucket": {"name": "pictures"},
            "object": {"key": key, "size": 3, "etag": etag, "sequencer": sequencer},
            "reason": "PutObject",
        },
    }
