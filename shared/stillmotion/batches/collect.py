"""Ending a batch: its results as one file, its summary, its record, and the event."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from stillmotion.batches.public import error_facts, summary_facts
from stillmotion.batches.record import INPUT_PREFIX, Batch, BatchStatus, BatchSummary, Manifest
from stillmotion.drops.folder import note_key
from stillmotion.errors import StillmotionError
from stillmotion.jobs.record import now
from stillmotion.outbound.redaction import redact_all
from stillmotion.ports import BatchEvents, BatchStore, ObjectStore, OpenLines
from stillmotion.problems import problem
from stillmotion.storage.event_bus import BATCH_COMPLETED, BATCH_FAILED
from stillmotion.telemetry import count, logger


@dataclass
class _Tally:
    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    cost: Decimal = Decimal(0)

    def add(self, outcome: Mapping[str, Any]) -> None:
        status = str(outcome["status"])
        self.statuses[status] += 1
        if status == "failed":
            self.reasons[str(outcome["error"]["code"])] += 1
        if status != "skipped":  # what an earlier run has paid
            self.cost += Decimal(str(outcome.get("cost_usd", 0)))


class Collecting:
    """The use case of ending a batch, over its ports. Repeatable: the same outcomes give the same files."""

    def __init__(
        self, store: BatchStore, objects: ObjectStore, open_lines: OpenLines, output_bucket: str, events: BatchEvents
    ) -> None:
        self._store = store
        self._objects = objects
        self._open_lines = open_lines
        self._output_bucket = output_bucket
        self._events = events

    def collect(self, batch: Batch, error: StillmotionError | None = None) -> Batch:
        """End a run, as ``completed`` or with what ended it early.

        Raises:
            StorageFailed: may be tried again.
        """
        tally = _Tally()
        if batch.items is not None:
            with self._open_lines(self._output_bucket, batch.results_key) as results:
                for outcome in self._store.outcomes(batch.id, batch.run):
                    tally.add(outcome)
                    results.write(outcome)
        status = BatchStatus.COMPLETED if error is None else BatchStatus.STOPPED
        status = BatchStatus.REFUSED if batch.items is None else status
        failure = None if error is None else error.as_record()
        summary = self._summary(batch, tally, status, failure)
        ended = batch.changed(status=status, error=failure, summary=summary)
        facts = summary_facts(summary)
        self._put(self._output_bucket, ended.summary_key, facts)
        self._store.save(ended)
        kind = BATCH_COMPLETED if status is BatchStatus.COMPLETED else BATCH_FAILED
        self._events.tell(kind, facts, batch.execution_arn)
        logger.info("batch ended", extra={"batch_id": batch.id, "status": status, "counts": dict(tally.statuses)})
        count("BatchesEnded", status=str(status))
        return ended

    def note(self, manifest: Manifest, error: StillmotionError) -> None:
        """Say in S3 why a dropped manifest was refused: ``failed/<its key>.json`` in its bucket."""
        if manifest.key.startswith(INPUT_PREFIX):
            self._put(manifest.bucket, note_key(manifest.key), redact_all(problem(error)[2]))

    def refuse(self, execution_arn: str, error: StillmotionError) -> None:
        """Publish the failure of an order that was refused before it became a batch."""
        facts = {"status": str(BatchStatus.REFUSED), "error": error_facts(error.as_record())}
        self._events.tell(BATCH_FAILED, facts, execution_arn)

    def _summary(self, batch: Batch, tally: _Tally, status: BatchStatus, error: dict[str, Any] | None) -> BatchSummary:
        ended_at, items = now(), batch.items or 0
        taken = datetime.fromisoformat(ended_at) - datetime.fromisoformat(batch.started_at)
        return BatchSummary(
            id=batch.id,
            run=batch.run,
            status=status,
            manifest=batch.manifest.address,
            items=items,
            done=tally.statuses["done"],
            failed=tally.statuses["failed"],
            skipped=tally.statuses["skipped"],
            not_run=max(items - tally.statuses.total(), 0),
            failed_by_reason=dict(sorted(tally.reasons.items())),
            cost_usd=float(tally.cost),
            duration_seconds=round(taken.total_seconds(), 3),
            started_at=batch.started_at,
            ended_at=ended_at,
            results=None if batch.items is None else f"s3://{self._output_bucket}/{batch.results_key}",
            error=error,
        )

    def _put(self, bucket: str, key: str, document: Mapping[str, Any]) -> None:
        self._objects.put(bucket, key, json.dumps(document, indent=2).encode(), "application/json")
