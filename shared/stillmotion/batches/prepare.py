"""Preparing a batch: its manifest becomes a list of what is to be run, checked and priced before anything is paid."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import batched
from typing import Any

from stillmotion.aws.errors import CHANGED, MISSING
from stillmotion.batches.item import AttemptState, BatchItem, attempt_state
from stillmotion.batches.manifest import read_rows
from stillmotion.batches.outcome import failed, outcome_of
from stillmotion.batches.record import Batch, BatchStatus, Manifest, Order
from stillmotion.batches.rows import CheckedRow, InvalidRow, Rows, ValidRow
from stillmotion.errors import IdempotencyConflict, InvalidRequest, PriceUnknown, SpendLimitReached, StorageFailed
from stillmotion.generation.limits import passes_on_billed
from stillmotion.generation.submit import request_hash
from stillmotion.jobs.record import Job, derived_job_id
from stillmotion.modelgates.models import ModelCatalogue
from stillmotion.modelgates.price_notes import quote
from stillmotion.modelgates.pricing import Ask
from stillmotion.ports import BatchStore, JobReader, LineSink, ObjectStore, OpenLines
from stillmotion.requests.video_request import VideoRequest
from stillmotion.requests.whose_pictures import InputBucket

MAX_ITEMS = 100_000
ROWS_AT_A_TIME = 100
"""As many records as DynamoDB reads at once (*BatchGetItem*)."""
_CHUNK_BYTES = 64 * 1024
MAX_TOLD = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """Where item lists are stored, and values for orders and rows that give none; without ``default_model``, the
    cheapest.
    """

    output_bucket: str
    max_concurrency: int
    tolerated_failure_percentage: float
    default_model: str = ""

    def completed(self, order: Order) -> Order:
        """The order with a value for every limit."""
        concurrency, tolerated = order.max_concurrency, order.tolerated_failure_percentage
        return replace(
            order,
            max_concurrency=self.max_concurrency if concurrency is None else concurrency,
            tolerated_failure_percentage=float(self.tolerated_failure_percentage if tolerated is None else tolerated),
        )


@dataclass
class _Tally:
    """Counts and sums over the rows read so far. Of each item id only eight bytes of its hash are kept."""

    items: int = 0
    to_run: int = 0
    skipped: int = 0
    failed: int = 0
    unpriced: int = 0
    cost: Decimal = Decimal(0)
    ids: dict[int, int] = field(default_factory=dict)
    twice: list[str] = field(default_factory=list)

    def times(self, item_id: str) -> int:
        """How often an id has come, this time included."""
        short = int.from_bytes(hashlib.sha256(item_id.encode()).digest()[:8])
        self.ids[short] = self.ids.get(short, 0) + 1
        return self.ids[short]


class Preparing:
    """The use case of preparing, over its ports."""

    def __init__(
        self,
        store: BatchStore,
        jobs: JobReader,
        catalogue: ModelCatalogue,
        objects: ObjectStore,
        open_lines: OpenLines,
        limits: Limits,
        pictures: InputBucket,
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._catalogue = catalogue
        self._objects = objects
        self._open_lines = open_lines
        self._limits = limits
        self._pictures = pictures

    @property
    def bucket(self) -> str:
        """The bucket that item lists are stored in."""
        return self._limits.output_bucket

    def prepare(self, batch: Batch) -> Batch:
        """Write ``items.jsonl``, one line for each row that is to be run, and the outcome of every other row.

        Raises:
            InvalidRequest: the manifest cannot be read, holds nothing, too much, or an item id twice.
            SpendLimitReached: the estimate is over the budget.
            PriceUnknown: there is a budget, and what an item costs cannot be known.
            ProviderError, StorageFailed: may be tried again.
        """
        tally = _Tally()

        def admit(request: VideoRequest) -> None:
            self._pictures.require_all(request, batch.names)

        folder, defaults, model = batch.manifest.folder, batch.order.defaults, self._limits.default_model
        rows = Rows(self._catalogue, folder, defaults, model, admit)
        read = (rows.read(row) for row in read_rows(self._chunks(batch.manifest), batch.manifest.key))
        with self._open_lines(self._limits.output_bucket, batch.items_key) as items:
            for group in batched(read, ROWS_AT_A_TIME, strict=False):
                self._list_or_record(batch, rows, self._named(group, tally), items, tally)
            _judge(batch, tally)
        prepared = batch.changed(
            status=BatchStatus.RUNNING,
            order=self._limits.completed(batch.order),
            items=tally.items,
            prepared={"to_run": tally.to_run, "skipped": tally.skipped, "failed": tally.failed},
            estimated_cost_usd=None if tally.unpriced else float(tally.cost),
        )
        self._store.save(prepared)
        return prepared

    def _chunks(self, manifest: Manifest) -> Iterator[bytes]:
        try:
            yield from self._objects.chunks(manifest.bucket, manifest.key, manifest.etag, _CHUNK_BYTES)
        except StorageFailed as error:
            if error.aws_code not in CHANGED | MISSING:
                raise
            raise InvalidRequest(
                f"'{manifest.address}' was replaced or removed since the batch was ordered. Order the new one; "
                "nothing was started."
            ) from None

    def _named(
        self, group: tuple[ValidRow | InvalidRow, ...], tally: _Tally
    ) -> list[tuple[str, ValidRow | InvalidRow]]:
        """Each row with its item id: its own, or made of what it asks for and how often that came before."""
        named = []
        for row in group:
            tally.items += 1
            if tally.items > MAX_ITEMS:
                raise InvalidRequest(f"The manifest has more than {MAX_ITEMS:,} rows. Split it; nothing was started.")
            if row.item_id is not None:
                item_id = row.item_id
                names_it = isinstance(row, ValidRow) or not row.unusable_id
                if names_it and tally.times(item_id) > 1:
                    tally.twice.append(item_id)
            elif isinstance(row, ValidRow):
                known = tally.times(row.content_id)
                item_id = row.content_id if known == 1 else f"{row.content_id}-{known}"
            else:
                item_id = f"unusable-row-{row.number}"
            named.append((item_id, row))
        return named

    def _list_or_record(
        self, batch: Batch, rows: Rows, named: list[tuple[str, CheckedRow]], items: LineSink, tally: _Tally
    ) -> None:
        """Write the rows that are to be run into the list, and record the outcome of the others."""
        found = self._attempts(batch, [item_id for item_id, row in named if isinstance(row, ValidRow)])
        outcomes: list[dict[str, Any]] = []
        for item_id, row in named:
            if isinstance(row, InvalidRow):
                outcomes.append(failed(row.number, item_id, row.error))
                continue
            item, job = found[item_id]
            if job is not None and row.filled:
                row = rows.as_submitted(row, job.request)
            ended = _ended(row, item, job)
            if ended is not None:
                outcomes.append(ended)
                continue
            tally.to_run += 1
            if attempt_state(job) is AttemptState.NEW or (job is not None and job.provider.job_id is None):
                price = quote(row.model, Ask.of(row.request))
                tally.unpriced += not price.certain or passes_on_billed(row.request)
                tally.cost += price.at_most or 0
            items.write(_line(batch, row, item))
        tally.skipped += sum(outcome["status"] == "skipped" for outcome in outcomes)
        tally.failed += sum(outcome["status"] == "failed" for outcome in outcomes)
        self._store.record(batch.id, batch.run, outcomes)

    def _attempts(self, batch: Batch, item_ids: list[str]) -> dict[str, tuple[BatchItem, Job | None]]:
        """Each item's attempt of this run, and the job that an earlier run has left for it."""
        found: dict[str, tuple[BatchItem, Job | None]] = {}
        open_items = [BatchItem(batch.id, item_id, owner=batch.owner) for item_id in dict.fromkeys(item_ids)]
        while open_items:
            jobs = self._jobs.find_many([item.job_id for item in open_items])
            for item in open_items:
                found[item.item_id] = (item, jobs.get(item.job_id))
            over = [item for item in open_items if attempt_state(jobs.get(item.job_id)) is AttemptState.EXHAUSTED]
            open_items = [BatchItem(batch.id, item.item_id, item.attempt + 1, batch.owner) for item in over]
        return found


def _ended(row: ValidRow, item: BatchItem, job: Job | None) -> dict[str, Any] | None:
    """The outcome of a row that is not to be run: its video is there, or it is not known whether it was paid."""
    if job is None or attempt_state(job) not in (AttemptState.DONE, AttemptState.UNKNOWN):
        return None
    if attempt_state(job) is AttemptState.DONE and job.request_hash != request_hash(row.request):
        conflict = IdempotencyConflict(
            f"Item '{item.item_id}' has a video of another request (job '{job.id}'). Give a changed row a new item_id."
        )
        return failed(row.number, item.item_id, conflict)
    return outcome_of(row.number, item, job, skipped=True)


def _line(batch: Batch, row: ValidRow, item: BatchItem) -> dict[str, Any]:
    """What the workflow needs to run an item. Its name is the same for every try within a run, so Step Functions starts
    it once.
    """
    unique = derived_job_id("execution-name", batch.id, str(batch.run), item.item_id).partition("_")[2]
    return {
        "row": row.number,
        "item_id": item.item_id,
        "attempt": item.attempt,
        "execution": f"{batch.id[:44]}-{batch.run}-{unique}",
        "request": row.request.as_given(),
    }


def _judge(batch: Batch, tally: _Tally) -> None:
    """Refuse a batch as a whole, before anything is started."""
    if not tally.items:
        raise InvalidRequest("The manifest has no rows. Nothing was started.")
    if tally.twice:
        shown = ", ".join(f"'{item_id}'" for item_id in tally.twice[:MAX_TOLD])
        more = f" and {len(tally.twice) - MAX_TOLD} more" if len(tally.twice) > MAX_TOLD else ""
        raise InvalidRequest(f"The manifest has an item_id twice: {shown}{more}. Correct it; nothing was started.")
    budget = batch.order.budget_usd
    if budget is None:
        return
    if tally.unpriced:
        raise PriceUnknown(
            f"{tally.unpriced:,} of {tally.to_run:,} items cannot be priced, so the budget of {budget:,.2f} USD cannot "
            "be kept. Leave them out, or order the batch without budget_usd; nothing was started."
        )
    over = tally.cost - Decimal(str(budget))
    if over > 0:
        raise SpendLimitReached(
            f"The {tally.to_run:,} items to run are estimated at {tally.cost:,.2f} USD, {over:,.2f} USD over the "
            f"budget of {budget:,.2f} USD. Raise budget_usd or leave items out; nothing was started."
        )
