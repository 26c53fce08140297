"""The recorded model list: ids, capabilities and prices as the service answered them."""

from __future__ import annotations

import json

from stillmotion.modelgates.models import VideoModel
from tests.support.template import ROOT

FILE = ROOT / "local" / "simulator" / "recorded_models.json"


def recorded_models() -> dict[str, VideoModel]:
    """Every recorded model by its id."""
    listed = json.loads(FILE.read_text())["data"]
    return {entry["id"]: VideoModel.model_validate(entry) for entry in listed}
