"""Write docs/events/*.schema.json, the JSON Schemas of the events' details, from the code's own types.

python -m scripts.schemas          writes them
python -m scripts.schemas --check  only says whether they are as the code is
"""

from __future__ import annotations

import json
import sys
from typing import Any

from scripts.generated import ROOT, keep

FOLDER = ROOT / "docs" / "events"
TITLES = {
    "video-generation-requested": "Detail of 'Video Generation Requested', from any source, on the stack's bus",
    "video-generation-submitted": "Detail of 'Video Generation Submitted' from source stillmotion",
    "video-generation-completed": "Detail of 'Video Generation Completed' from source stillmotion",
    "video-generation-failed": "Detail of 'Video Generation Failed' from source stillmotion",
    "video-inspected": "Detail of 'Video Inspected' from source stillmotion",
    "video-inspection-requested": "Detail of 'Video Inspection Requested' from source stillmotion",
    "video-batch-requested": "Detail of 'Video Batch Requested', from any source, on the stack's bus",
    "video-batch-completed": "Detail of 'Video Batch Completed' from source stillmotion",
    "video-batch-failed": "Detail of 'Video Batch Failed' from source stillmotion",
}


def schemas() -> dict[str, dict[str, Any]]:
    """Every schema by its event's name in kebab case."""
    sys.path.insert(0, str(ROOT / "shared"))
    from stillmotion.api.batch_views import BatchSummaryView
    from stillmotion.api.views import JobView
    from stillmotion.jobs.lifecycle import TERMINAL, Status
    from stillmotion.jobs.record import SCHEMA_VERSION
    from stillmotion.requests.batch_order import BatchOrder
    from stillmotion.requests.video_request import VideoRequest

    requested = VideoRequest.model_json_schema()
    key = {"type": "string", "minLength": 1, "maxLength": 256, "description": "the same key never makes a second job"}
    requested["properties"]["idempotency_key"] = key
    failed = sorted(str(status) for status in TERMINAL - {Status.COMPLETED})
    told = {
        "submitted": sorted(str(status) for status in set(Status) - TERMINAL),
        "completed": ["completed"],
        "failed": failed,
    }
    found = {"video-generation-requested": requested}
    for what, statuses in told.items():
        detail = JobView.model_json_schema()
        detail["properties"] = {"schema_version": {"const": SCHEMA_VERSION}} | detail["properties"]
        detail["properties"]["status"] = {"enum": statuses}
        detail["required"] = ["schema_version", *detail["required"], *(["error"] if what == "failed" else [])]
        found[f"video-generation-{what}"] = detail
    inspected = json.loads(json.dumps(found["video-generation-completed"]))
    inspected["required"].append("inspection")
    found["video-inspected"] = inspected
    found["video-inspection-requested"] = {
        "type": "object",
        "properties": {"schema_version": {"const": SCHEMA_VERSION}, "id": detail["properties"]["id"]},
        "required": ["schema_version", "id"],
    }
    found |= {"video-batch-requested": BatchOrder.model_json_schema()}
    for what, statuses in (("completed", ["completed"]), ("failed", ["refused", "stopped"])):
        detail = BatchSummaryView.model_json_schema()
        detail["properties"] = {"schema_version": {"const": SCHEMA_VERSION}} | detail["properties"]
        detail["properties"]["status"] = {"enum": statuses}
        # What was refused before it was a batch has neither an id nor numbers.
        detail["required"] = ["schema_version", *(detail["required"] if what == "completed" else ["status", "error"])]
        found[f"video-batch-{what}"] = detail
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {name: dialect | schema | {"title": TITLES[name]} for name, schema in found.items()}


def main() -> int:
    """Write or check the schemas; 1 when the check fails."""
    return keep({FOLDER / f"{name}.schema.json": schema for name, schema in schemas().items()}, "make schemas")


if __name__ == "__main__":
    sys.exit(main())
