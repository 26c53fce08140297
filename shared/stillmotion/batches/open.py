"""Opening a batch: what was ordered, and whether that is a new run, the same one, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stillmotion.batches.record import Batch, BatchStatus, Manifest, Order
from stillmotion.errors import InvalidRequest, JobStateConflict, OperatorsOnly, StorageFailed
from stillmotion.ports import BatchStore, ObjectStore
from stillmotion.requests.owned_names import Names, names_of
from stillmotion.requests.whose_pictures import InputBucket

MAX_DELIVERIES = 100
"""So many events are remembered that ordered earlier runs."""
_ENDED = (BatchStatus.COMPLETED, BatchStatus.STOPPED, BatchStatus.REFUSED)


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order as it came in. ``manifest`` is known where the event names its version; ``source`` is ``http``,
    ``event``, ``drop`` or ``workflow``; ``operator`` whether its owner is one."""

    order: Order
    manifest: Manifest | None = None
    owner: str | None = None
    delivery: str | None = None
    source: str = "workflow"
    operator: bool = False

    @property
    def names(self) -> Names:
        """What the order may name as its manifest."""
        return names_of({"type": self.source}, self.owner)


@dataclass(frozen=True, slots=True)
class Opened:
    """The batch that an order means; ``owned_by_this_execution`` when it is this execution's to run."""

    batch: Batch
    owned_by_this_execution: bool


class Batches:
    """The use case of opening a batch, over its ports.

    Args:
        running: whether an execution, by its ARN, is still at work.
    """

    def __init__(
        self, store: BatchStore, objects: ObjectStore, running: Callable[[str], bool], pictures: InputBucket
    ) -> None:
        self._store = store
        self._objects = objects
        self._running = running
        self._pictures = pictures

    def open(self, asked: Ordered, arn: Callable[[str, int], str], own: str | None = None) -> Opened:
        """The batch that an order means, claimed for an execution where there is something to run.

        Args:
            arn: gives the execution's ARN for a batch id and the number of its run.
            own: the ARN of the execution that asks, if one does.

        Raises:
            InvalidRequest: there is no such manifest.
            JobStateConflict: the batch belongs to another caller.
            OperatorsOnly: it has no owner, has ended, and is to be run again by a caller who is no operator.
            StorageFailed: may be tried again.
        """
        named = None if asked.order.batch_id is None else self._store.find(asked.order.batch_id)
        shared = named is not None and named.owner is None and asked.owner is not None
        manifest = asked.manifest
        if manifest is None:
            names = named.names if named is not None and shared and asked.operator else asked.names
            manifest = self.pin(asked.order.manifest, names)
        batch_id, earlier = self._meant(asked, manifest, named)
        if earlier is not None:
            if earlier.owner not in (None, asked.owner):
                raise _anothers(batch_id)
            if not self._wants_a_run(asked, earlier):
                return Opened(earlier, owned_by_this_execution=earlier.execution_arn == own)
            if shared and not asked.operator:
                raise _operators_only(batch_id)
        run = 1 if earlier is None else earlier.run + 1
        batch = Batch(
            id=batch_id,
            run=run,
            order=asked.order,
            manifest=manifest,
            execution_arn=arn(batch_id, run),
            owner=asked.owner,
            delivery=asked.delivery,
            earlier_deliveries=[] if earlier is None else _heard(earlier)[-MAX_DELIVERIES:],
            source=asked.source,
        )
        if earlier is not None and shared:
            # It stays without an owner: an operator who runs it again does not make it theirs.
            batch = batch.changed(owner=None, source=earlier.source)
        if self._store.claim(batch):
            return Opened(batch, owned_by_this_execution=True)
        # Another process was first, or this call was, in a try whose answer was lost.
        first = self._store.find(batch_id)
        if first is None or first.owner not in (None, asked.owner):
            raise _anothers(batch_id)
        return Opened(first, owned_by_this_execution=first == batch)

    def _meant(self, asked: Ordered, manifest: Manifest, named: Batch | None) -> tuple[str, Batch | None]:
        """The id of the batch that is ordered, and its record where there is one; ``named`` is that of the order's
        ``batch_id``."""
        if asked.order.batch_id is not None:
            return asked.order.batch_id, named
        batch_id = manifest.batch_id(asked.owner)
        earlier = self._store.find(batch_id)
        if earlier is None and asked.owner is not None:
            # Until 0.2.0 the id was the same for all callers, and this caller's may be under it.
            before = self._store.find(manifest.batch_id())
            if before is not None and before.owner == asked.owner:
                return before.id, before
        return batch_id, earlier

    def _wants_a_run(self, asked: Ordered, earlier: Batch) -> bool:
        """Whether an order starts a new run; a running batch and a repeated delivery of the same order do not.

        A batch that has ended is run again where the order gives its id, or where it was refused or aborted.
        """
        if earlier.status not in _ENDED and self._running(earlier.execution_arn):
            return False
        if asked.delivery is not None and asked.delivery in _heard(earlier):
            return False
        return asked.order.batch_id is not None or earlier.status not in (BatchStatus.COMPLETED, BatchStatus.STOPPED)

    def pin(self, address: str, names: Names) -> Manifest:
        """The version of a manifest that is there now.

        Raises:
            InvalidRequest: there is none, or it may not be named or read.
            StorageFailed: S3 did not answer.
        """
        bucket, _, key = address.removeprefix("s3://").partition("/")
        if not self._pictures.may_name(bucket, key, names):
            raise _no_manifest(address, "404")
        try:
            found = self._objects.head(bucket, key)
        except StorageFailed as error:
            if not error.refused:
                raise
            raise _no_manifest(address, error.aws_code) from None
        if found is None:
            raise _no_manifest(address, "404")
        return Manifest(bucket=bucket, key=key, etag=found.etag, version=found.version)


def _heard(batch: Batch) -> list[str]:
    """The events that have ordered runs of it, newest last."""
    return [*batch.earlier_deliveries, *([] if batch.delivery is None else [batch.delivery])]


def _anothers(batch_id: str) -> JobStateConflict:
    return JobStateConflict(f"Batch '{batch_id}' belongs to another caller. Choose another batch_id.")


def _operators_only(batch_id: str) -> OperatorsOnly:
    return OperatorsOnly(
        f"Batch '{batch_id}' was not ordered over HTTP and has no owner, so only operators (OperatorRoleArns) run it "
        "again from here. Ask one of them, or choose another batch_id; nothing was started."
    )


def _no_manifest(address: str, code: str) -> InvalidRequest:
    return InvalidRequest(
        f"There is no manifest at '{address}' that the stack may read ({code}). Upload it (POST /uploads), put it "
        "under the stack's shared prefix, or name its bucket in the parameter ImageObjectArns; nothing was started."
    )
