"""Opening a batch: what was ordered through which door, and whether that is a new run, the same one, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from stillmotion.batches.manifest import SUFFIXES
from stillmotion.batches.record import INPUT_PREFIX, Batch, BatchOrder, BatchStatus, Manifest, parse_order
from stillmotion.batches.store import BatchStore
from stillmotion.errors import InvalidRequest, JobStateConflict, StorageFailed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

OBJECT_CREATED = "Object Created"
REQUESTED = "Video Batch Requested"
_ENDED = (BatchStatus.COMPLETED, BatchStatus.STOPPED, BatchStatus.REFUSED)


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order as it came in. ``manifest`` is known where the door tells which version it is about."""

    order: BatchOrder
    manifest: Manifest | None = None
    owner: str | None = None
    delivery: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """The batch that an order means; ``mine`` when it is this execution's to run."""

    batch: Batch
    mine: bool


def handed_over(data: Any) -> str | None:
    """The id of a batch that the API has put on record, or ``None`` when the input is an order."""
    batch = data.get("batch") if isinstance(data, Mapping) else None
    found = batch.get("id") if isinstance(batch, Mapping) else None
    return found if isinstance(found, str) else None


def ordered(data: Any) -> Ordered | None:
    """The order that an execution was started with: an S3 event, an event on the bus, or the order itself.

    ``None`` for an object that is no manifest.

    Raises:
        InvalidRequest: it cannot be read as an order.
    """
    kind = data.get("detail-type") if isinstance(data, Mapping) else None
    if kind == OBJECT_CREATED and data.get("source") == "aws.s3":
        return _dropped(data.get("detail"))
    if kind == REQUESTED:
        return Ordered(parse_order(data.get("detail")), delivery=str(data.get("id") or "") or None)
    return Ordered(parse_order(data))


def _dropped(detail: Any) -> Ordered | None:
    try:
        found = detail["object"]
        bucket, key = str(detail["bucket"]["name"]), str(found["key"])
        manifest = Manifest(bucket=bucket, key=key, etag=str(found["etag"]), version=found.get("version-id"))
    except (KeyError, TypeError, AttributeError, ValueError):
        raise InvalidRequest("The event does not tell which object was created. Nothing was started.") from None
    if not key.startswith(INPUT_PREFIX) or not key.lower().endswith(SUFFIXES):
        return None
    return Ordered(parse_order({"manifest": manifest.address}), manifest)


class Batches:
    """The use case of opening a batch, over its ports.

    Args:
        running: whether an execution, by its ARN, is still at work.
    """

    def __init__(self, store: BatchStore, s3: S3Client, running: Callable[[str], bool]) -> None:
        self._store = store
        self._s3 = s3
        self._running = running

    def open(self, asked: Ordered, arn: Callable[[str, int], str], own: str | None = None) -> Opened:
        """The batch that an order means, claimed for an execution where there is something to run.

        Args:
            arn: the ARN of the execution for a batch id and the number of its run.
            own: the ARN of the execution that asks, if one does.

        Raises:
            InvalidRequest: there is no such manifest.
            JobStateConflict: the batch is somebody else's.
            StorageFailed: may be tried again.
        """
        manifest = asked.manifest or self.pin(asked.order.manifest)
        batch_id = asked.order.batch_id or manifest.batch_id
        earlier = self._store.find(batch_id)
        if earlier is not None:
            if earlier.owner is not None and earlier.owner != asked.owner:
                raise JobStateConflict(f"Batch '{batch_id}' is somebody else's. Choose another batch_id.")
            if not self._wants_a_run(asked, earlier):
                return Opened(earlier, mine=earlier.execution_arn == own)
        run = 1 if earlier is None else earlier.run + 1
        batch = Batch(
            id=batch_id,
            run=run,
            order=asked.order,
            manifest=manifest,
            execution_arn=arn(batch_id, run),
            owner=asked.owner,
            delivery=asked.delivery,
        )
        if self._store.claim(batch):
            return Opened(batch, mine=True)
        # Somebody else was first, or it was this very try, whose answer was lost.
        first = self._store.get(batch_id, asked.owner)
        return Opened(first, mine=first == batch)

    def _wants_a_run(self, asked: Ordered, earlier: Batch) -> bool:
        """Whether an order means a new run: not one under way, nor what a repeated delivery tells of again.

        One that has ended is run again where the order names the batch, or where nothing had come of it.
        """
        if earlier.status not in _ENDED and self._running(earlier.execution_arn):
            return False
        if asked.delivery is not None and asked.delivery == earlier.delivery:
            return False
        return asked.order.batch_id is not None or earlier.status not in (BatchStatus.COMPLETED, BatchStatus.STOPPED)

    def pin(self, address: str) -> Manifest:
        """The version of a manifest that is there now.

        Raises:
            InvalidRequest: there is none, or it may not be read.
            StorageFailed: S3 did not answer.
        """
        bucket, _, key = address.removeprefix("s3://").partition("/")
        try:
            found = self._s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("404", "403", "NoSuchKey", "NoSuchBucket", "AccessDenied", "400"):
                raise InvalidRequest(
                    f"There is no manifest at '{address}' that the stack may read ({code}). Put it into the input "
                    "bucket, or name its bucket in the parameter ImageObjectArns; nothing was started."
                ) from None
            raise StorageFailed(f"S3 did not answer for the manifest ({code}). Try again.") from error
        except BotoCoreError as error:
            raise StorageFailed(f"S3 did not answer for the manifest ({type(error).__name__}). Try again.") from error
        version = found.get("VersionId")
        known = None if version in (None, "null") else version
        return Manifest(bucket=bucket, key=key, etag=found["ETag"].strip('"'), version=known)
