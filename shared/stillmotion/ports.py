"""What the use cases need from outside, as types: a Lambda passes the real adapters, a test passes fakes.

records     JobStore, JobReader, JobIndex, BatchStore
workflows   Executions, BatchExecutions
objects     ObjectStore, ObjectVersions, OpenLines, Videos, Notes
drops       DropMarks
events      EventSink, BatchEvents
ModelGates  Provider, Credits, ApiKey
callbacks   Callbacks, CallbackSecret, CallbackUrls, Waiting
HTTP        HttpAnswer
requests    Media
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from decimal import Decimal

    from stillmotion.batches.record import Batch
    from stillmotion.jobs.callbacks import CallbackState
    from stillmotion.jobs.index import Query
    from stillmotion.jobs.lifecycle import Status, Transition
    from stillmotion.jobs.record import Job, StoredVideo
    from stillmotion.jobs.spend import Entries, Spend
    from stillmotion.modelgates.job import Outcome, ProviderJob
    from stillmotion.requests.media import Picture
    from stillmotion.requests.owned_names import Names
    from stillmotion.requests.video_request import VideoRequest


class JobStore(Protocol):
    """Where job records are stored."""

    def create(self, job: Job) -> bool:
        """Write a new record; ``False`` when one with this id is already there."""

    def find(self, job_id: str) -> Job | None:
        """The record as last written, or ``None``."""

    def update(
        self,
        job_id: str,
        transition: Transition,
        *,
        only: Status | None = None,
        unchanged_since: str | None = None,
        spend: Spend | None = None,
        claims_provider_id: str | None = None,
        **changes: Any,
    ) -> Job:
        """Make a transition of the table, change fields with it, and return the new record.

        A field that is changed to ``None`` is removed. A ``spend`` changes its day's counters in the same transaction.

        Args:
            only: of the states that the transition starts from, the one that the record has to be in.
            claims_provider_id: an id of ModelGates that from now on is this job's alone.

        Raises:
            JobStateConflict: it is in another state, or its ``updated_at`` is not ``unchanged_since``; nothing is
                changed.
            ForbiddenTransition: the table does not have it.
            CeilingReached: one of the day's counters leaves no room; nothing is changed.
            EntriesChanged: operators allow something else than the ``spend`` relies on; nothing is changed.
            ProviderIdTaken: another job has the id; nothing is changed.
        """

    def entries_for(self, caller: str | None) -> Entries:
        """What operators allow to be spent a day at this moment: by all jobs, and by a caller."""


class JobReader(Protocol):
    """Job records by many ids at once."""

    def find_many(self, job_ids: Collection[str]) -> Mapping[str, Job]:
        """The records there are of at most 100 ids, by id."""


class JobIndex(JobStore, Protocol):
    """Job records that can also be listed by status, and those that are unpublished."""

    def unpublished(self, partition: str) -> Iterator[str]:
        """The ids of one partition's finished jobs whose event is not yet published, oldest first."""

    def uninspected(self, partition: str, since: str) -> Iterator[str]:
        """The ids of one partition's completed jobs, made since that time, whose inspection is not yet published."""

    def entries(
        self, query: Query, partition: str, before: str | None, *, oldest_first: bool = False
    ) -> Iterator[dict[str, Any]]:
        """Entries of one partition, newest first unless said otherwise."""


class BatchStore(Protocol):
    """Where the records of batches and the outcomes of their items are stored."""

    def find(self, batch_id: str) -> Batch | None:
        """The record as last written, or ``None``."""

    def get(self, batch_id: str, caller: str | None = None, *, operator: bool = False) -> Batch:
        """The record if the caller may see it.

        Raises:
            BatchNotFound: there is none, or it is another caller's.
        """

    def claim(self, batch: Batch) -> bool:
        """Write the record of a new run; ``False`` when another run was first."""

    def save(self, batch: Batch) -> None:
        """Write the state of a run, unless a newer run has followed it."""

    def record(self, batch_id: str, run: int, outcomes: Iterable[Mapping[str, Any]]) -> None:
        """Write outcomes, each under its ``row``; the same row again replaces it."""

    def outcomes(self, batch_id: str, run: int) -> Iterator[dict[str, Any]]:
        """The outcome of each row of a run, by row."""


class Executions(Protocol):
    """The executions of the generate machine. Every call may raise ``StorageFailed``."""

    def arn(self, name: str) -> str:
        """The ARN of the execution of this name."""

    def start(self, job: Job, name: str | None = None, outcome: Outcome | None = None, *, wait_seconds: int = 0) -> str:
        """Start an execution that continues a job; one of this name that runs already counts as started.

        Args:
            name: the job's id, where none is given.
            outcome: what ModelGates last said, by the job's record where none is given.
            wait_seconds: before a job that is not submitted yet is submitted.

        Returns:
            The execution's ARN.
        """

    def stop(self, job: Job) -> None:
        """End the job's execution; one that has ended, or was never started, counts as stopped."""

    def running(self, arn: str) -> bool:
        """Whether the execution is under way."""


class BatchExecutions(Protocol):
    """Executions of the batch machine, by their ARNs. Every call may raise ``StorageFailed``."""

    def start(self, arn: str, given: Mapping[str, Any]) -> None:
        """Start the execution of this ARN with this input; one that is there already counts as started."""

    def running(self, arn: str) -> bool:
        """Whether the execution is under way."""

    def item_counts(self, arn: str) -> dict[str, int]:
        """The items of a batch by state: ``pending, running, succeeded, failed, …``, empty before they start."""


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What S3 says of an object: its ETag without quotes, its version where the bucket keeps versions, its stored media
    type in lower case, its whole size in bytes, its user metadata, and when it was put (unix seconds)."""

    etag: str
    version: str | None
    content_type: str
    size: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    put_at: int = 0


class ObjectStore(Protocol):
    """Objects of any bucket that the function's role may use.

    Every method raises :class:`~stillmotion.errors.StorageFailed`. Where the same call would be refused again
    (``NoSuchKey``, ``AccessDenied``, ``InvalidName``), the error's ``refused`` is true; ``aws_code`` says why.
    """

    def head(self, bucket: str, key: str) -> ObjectFacts | None:
        """An object's facts, ``None`` when there is none."""

    def read(self, bucket: str, key: str, limit: int | None = None) -> bytes | None:
        """An object's bytes, of a larger one the first ``limit``; ``None`` when there is none."""

    def first_bytes(self, bucket: str, key: str, count: int) -> tuple[ObjectFacts, bytes]:
        """An object's facts and at most ``count`` bytes of its beginning; nothing more is transferred."""

    def last_bytes(self, bucket: str, key: str, count: int) -> bytes:
        """At most ``count`` bytes of an object's end; nothing more is transferred."""

    def read_range(self, bucket: str, key: str, etag: str, start: int, end: int) -> bytes:
        """The bytes from ``start`` up to, and without, ``end`` of an object that still has this ETag."""

    def chunks(self, bucket: str, key: str, etag: str, size: int) -> Iterator[bytes]:
        """The bytes of an object that still has this ETag, in pieces of at most ``size``."""

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """The keys that begin like this, without those of folders within; in S3's order."""

    def put(self, bucket: str, key: str, body: bytes, content_type: str) -> None:
        """Store an object."""

    def link(self, bucket: str, key: str, seconds: int, content_type: str | None = None) -> str:
        """A presigned URL that gives the object for so many seconds, as this media type where one is given."""


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """A version of an object, or a mark that it was deleted; ``version`` is ``null`` where the bucket keeps none,
    ``put_at`` is ISO-8601."""

    key: str
    version: str
    put_at: str


class ObjectVersions(Protocol):
    """Objects with all their versions. Every method may raise ``StorageFailed``."""

    def versions(self, bucket: str, prefix: str) -> Iterator[ObjectVersion]:
        """The versions of all objects whose keys begin like this."""

    def delete(self, bucket: str, versions: Iterable[ObjectVersion]) -> None:
        """Delete versions for good; those that are gone already do no harm."""


class LineSink(Protocol):
    """An object that is written line by line."""

    def write(self, line: Mapping[str, Any]) -> None:
        """One more line of JSON; may raise ``StorageFailed``."""


type OpenLines = Callable[[str, str], AbstractContextManager[LineSink]]
"""Opens an object of JSON Lines by bucket and key; the object appears when the block ends without an exception."""


class Videos(Protocol):
    """Where videos are stored."""

    def find(self, key: str, job_id: str) -> StoredVideo | None:
        """The object that an earlier delivery of this job stored whole, or ``None``; may raise ``StorageFailed``."""

    def store(self, answer: HttpAnswer, key: str, metadata: Mapping[str, str]) -> StoredVideo:
        """Store the answer's body.

        Raises:
            NotAVideo: it is not an MP4.
            DownloadFailed: it ended before its announced length.
            StorageFailed: it was not stored.
        """


class Notes(Protocol):
    """JSON objects for readers who only see the buckets. Every call may raise ``StorageFailed``."""

    def completed(self, job: Job) -> None:
        """Put the job's public record beside its video."""

    def failed(self, job: Job) -> None:
        """Put the problem document of a job that a dropped object started; nothing for other jobs."""


class EventSink(Protocol):
    """Where the events of jobs go."""

    def send(self, detail_type: str, job: Job) -> None:
        """Publish an event about a job; may raise ``StorageFailed``."""


class BatchEvents(Protocol):
    """Where the events of batches go."""

    def tell(self, detail_type: str, facts: Mapping[str, Any], execution_arn: str | None = None) -> None:
        """Publish an event with these facts; may raise ``StorageFailed``."""


class Provider(Protocol):
    """ModelGates."""

    def submit(self, body: Mapping[str, Any]) -> ProviderJob:
        """Start paid work, with one request that is sent at most once.

        Raises:
            ProviderThrottled, ProviderUnavailable: certainly not accepted; may be sent again later.
            ProviderRejected, ProviderUnauthorized, ProviderOutOfCredits: certainly not accepted; final.
            SubmitOutcomeUnknown: it may have been accepted; must not be sent again.
        """

    def job(self, job_id: str, polling_url: str | None = None) -> ProviderJob:
        """The job as it is now.

        Raises:
            ProviderThrottled, ProviderUnauthorized, ProviderUnavailable: no answer this time.
        """

    def content(self, job: ProviderJob, index: int) -> AbstractContextManager[HttpAnswer]:
        """One output's bytes.

        Raises:
            GenerationExpired: ModelGates no longer holds it.
            DownloadFailed: anything else; may be tried again.
        """


class Credits(Protocol):
    """The account at ModelGates."""

    def credits_left(self) -> Decimal | None:
        """USD left of the key's limit, ``None`` where it has none.

        Raises:
            ProviderUnauthorized, ProviderUnavailable: no answer this time.
        """


class ApiKey(Protocol):
    """Where the API key comes from."""

    def get(self, *, refresh: bool = False) -> str:
        """The key; with ``refresh`` not from a cache."""


@dataclass(frozen=True, slots=True)
class DropMark:
    """Which put of some content became a job: ``job_id`` its id, ``refused_id`` that of the record it has if it was
    refused, ``put_at`` and ``marked_at`` in unix seconds."""

    job_id: str
    refused_id: str
    put_at: int
    marked_at: int


class DropMarks(Protocol):
    """Which dropped content has its job already. Every call may raise ``StorageFailed``."""

    def mark(self, content: str, mark: DropMark, since: int) -> DropMark:
        """Mark content as this put's, unless another put since that time has it.

        Returns:
            The mark that holds now.
        """

    def replace(self, content: str, earlier: DropMark, mark: DropMark) -> bool:
        """Mark content as this put's instead of an earlier one's; ``False`` where that has changed meanwhile."""


class Callbacks(Protocol):
    """What callbacks of ModelGates leave for jobs. Every call may raise ``StorageFailed``."""

    def note(self, job_id: str, provider_id: str | None) -> CallbackState | None:
        """Count a callback and keep the id that it names, if none is kept yet.

        Returns:
            What was there before; ``None`` where no more callbacks count for this job.
        """

    def find(self, job_id: str) -> CallbackState:
        """What callbacks have left for the job so far."""

    def keep(self, job_id: str) -> CallbackState:
        """What callbacks have left for the job so far, kept from now on as long as a new record."""

    def drop(self, job_id: str, provider_id: str) -> None:
        """Forget this id of ModelGates, if it is the one that is kept: it is not the job's."""


class CallbackSecret(Protocol):
    """A secret that callbacks are checked with."""

    def values(self) -> tuple[str, ...]:
        """Its current value, then the previous one where there is one; raises ``StorageFailed``."""


class CallbackUrls(Protocol):
    """Where ModelGates calls back."""

    def address(self, job_id: str) -> str | None:
        """The address for a job, a secret; ``None`` where none can be made now."""


class Waiting(Protocol):
    """Executions that wait for a callback."""

    def wake(self, task_token: str) -> None:
        """Let an execution continue; one that no longer waits is left alone. May raise ``StorageFailed``."""


class HttpAnswer(Protocol):
    """The parts of an HTTP answer whose body is still to be read."""

    @property
    def headers(self) -> Mapping[str, str]: ...

    def read(self, amt: int | None = None) -> bytes: ...


class HttpStatusAnswer(HttpAnswer, Protocol):
    """An HTTP answer with its status."""

    status: int


class Media(Protocol):
    """The pictures and other media of a request."""

    def check(self, request: VideoRequest, names: Names) -> list[Picture]:
        """Check that all pictures can be used and may be named, and return them; else raises ``ImageNotUsable``."""

    def upload_inline_media(self, request: VideoRequest, job_id: str, owner: str | None) -> VideoRequest:
        """The request with every ``data:`` address moved among its owner's uploads."""

    def with_fetchable_urls(self, request: VideoRequest) -> VideoRequest:
        """The request as ModelGates can use it."""
