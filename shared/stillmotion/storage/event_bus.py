"""Events on the stack's bus: published only after what they report is on record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stillmotion.aws.errors import storage_errors
from stillmotion.errors import StorageFailed
from stillmotion.jobs.public import event_detail
from stillmotion.jobs.record import SCHEMA_VERSION, Job

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "stillmotion"
SUBMITTED = "Video Generation Submitted"
COMPLETED = "Video Generation Completed"
FAILED = "Video Generation Failed"
INSPECTED = "Video Inspected"
INSPECTION_REQUESTED = "Video Inspection Requested"
BATCH_COMPLETED = "Video Batch Completed"
BATCH_FAILED = "Video Batch Failed"


class EventBus:
    """Events on one EventBridge bus; the detail is the job record's public part, ``schema_version`` first."""

    def __init__(self, events: EventBridgeClient, bus_name: str) -> None:
        self._events = events
        self._bus_name = bus_name

    def send(self, detail_type: str, job: Job) -> None:
        self.tell(detail_type, event_detail(job), job.execution_arn)

    def tell(self, detail_type: str, facts: Mapping[str, Any], execution_arn: str | None = None) -> None:
        """Send one event.

        Raises:
            StorageFailed: the bus did not take it.
        """
        detail = json.dumps({"schema_version": SCHEMA_VERSION} | dict(facts), ensure_ascii=False)
        with storage_errors(f"EventBridge did not take '{detail_type}'"):
            answer = self._events.put_events(
                Entries=[
                    {
                        "Source": SOURCE,
                        "DetailType": detail_type,
                        "Detail": detail,
                        "EventBusName": self._bus_name,
                        "Resources": [execution_arn] if execution_arn else [],
                    }
                ]
            )
        # PutEvents answers 200 also when it refused an entry.
        if answer["FailedEntryCount"]:
            code = answer["Entries"][0].get("ErrorCode", "unknown")
            raise StorageFailed(f"EventBridge refused '{detail_type}' ({code}).")
