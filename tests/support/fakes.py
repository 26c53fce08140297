"""Fakes of the domain's ports: in memory, with the same guarantees, and able to crash at any point."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from stillmotion.errors import GenerationExpired, JobStateConflict, StorageFailed
from stillmotion.generation.record_failure import Failures
from stillmotion.generation.submit import LEASE_SECONDS, Origin, Submission
from stillmotion.jobs.callbacks import CallbackState
from stillmotion.jobs.lifecycle import OF_PURGED, Status, Transition, check_transition
from stillmotion.jobs.markers import ProviderIdTaken
from stillmotion.jobs.public import http_view
from stillmotion.jobs.record import Job, ProviderState, StoredVideo, now
from stillmotion.jobs.spend import CeilingReached, Entries, EntriesChanged, Spend
from stillmotion.modelgates.job import ProviderJob
from stillmotion.modelgates.models import ModelCatalogue, VideoModel
from stillmotion.ports import HttpAnswer
from stillmotion.requests.media import Picture
from stillmotion.requests.owned_names import Names
from stillmotion.requests.video_request import VideoRequest

MODEL = "google/veo-3.1-lite"
FRAME_URL = "https://pictures.example.com/cat.png"


class Died(BaseException):
    """The process crashes here: none of our code may catch it."""


@dataclass
class Fuse:
    """Records every effect, and crashes right after the ``after``-th, as a killed Lambda does."""

    after: int | None = None
    effects: list[str] = field(default_factory=list)

    def burn(self, effect: str) -> None:
        self.effects.append(effect)
        if len(self.effects) == self.after:
            raise Died(effect)


class MemoryJobStore:
    """A :class:`stillmotion.ports.JobStore` in memory. ``down`` names the actions that fail."""

    def __init__(self, fuse: Fuse | None = None) -> None:
        self.jobs: dict[str, Job] = {}
        self.days: dict[str, int] = {}
        self.limits: dict[str, int] = {}
        self.markers: dict[str, str] = {}
        self.down: set[str] = set()
        self.before_update: Callable[[str, dict[str, Any]], None] | None = None
        self._fuse = fuse or Fuse()

    def create(self, job: Job) -> bool:
        self._work("create")
        if job.id in self.jobs:
            return False
        self.jobs[job.id] = deepcopy(job)
        self._fuse.burn("create")
        return True

    def find(self, job_id: str) -> Job | None:
        self._work("find")
        return self.jobs.get(job_id)

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
        expected = transition.sources if only is None else {only}
        check_transition(transition, expected)
        if transition.target is not None:
            changes["status"] = transition.target
        self._work("update")
        self._work(f"update:{changes.get('status')}")
        if self.before_update is not None:
            self.before_update(job_id, changes)
        job = self.jobs.get(job_id)
        purged = job is not None and job.purge_begun_at is not None and transition not in OF_PURGED
        if job is None or job.status not in expected or purged or unchanged_since not in (None, job.updated_at):
            raise JobStateConflict(f"Job '{job_id}' is {job.status if job else 'gone'}.")
        if self.markers.get(claims_provider_id or "", job_id) != job_id:
            raise ProviderIdTaken(str(claims_provider_id))
        self._count(spend)
        if claims_provider_id is not None:
            self.markers[claims_provider_id] = job_id
        kept = {each.name: getattr(job, each.name) for each in fields(job)} | changes | {"updated_at": now()}
        self.jobs[job_id] = Job.parse({name: value for name, value in kept.items() if value is not None})
        self._fuse.burn(f"update:{changes.get('status', 'same')}")
        return self.jobs[job_id]

    def _count(self, spend: Spend | None) -> None:
        if spend is None:
            return
        counters = {spend.day: None if spend.guard is None else spend.guard.everyone}
        if spend.caller is not None:
            counters[f"{spend.day}#{spend.caller}"] = None if spend.guard is None else spend.guard.caller
        if spend.guard is not None and spend.guard.entries != self.entries_for(spend.caller):
            raise EntriesChanged
        for key, ceiling in counters.items() if spend.micro_usd else ():
            if ceiling is not None and self.days.get(key, 0) > ceiling:
                raise CeilingReached(self.days.get(key, 0), by_caller="#" in key)
        for key in counters if spend.micro_usd else ():
            self.days[key] = self.days.get(key, 0) + spend.micro_usd

    def entries_for(self, caller: str | None) -> Entries:
        return Entries(self.limits.get("*"), None if caller is None else self.limits.get(caller))

    def put(self, job: Job) -> Job:
        self.jobs[job.id] = job
        return job

    def age(self, job_id: str, seconds: float = LEASE_SECONDS + 1) -> Job:
        """Set the time of the record's last change that many seconds back."""
        then = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
        return self.put(replace(self.jobs[job_id], updated_at=then.replace("+00:00", "Z")))

    def _work(self, action: str) -> None:
        if action in self.down:
            raise StorageFailed(f"DynamoDB did not {action}.")


class MemoryCallbacks:
    """What callbacks have left, in memory; ``kept`` are the jobs whose items were kept on purpose."""

    def __init__(self, fuse: Fuse | None = None) -> None:
        self.states: dict[str, CallbackState] = {}
        self.kept: list[str] = []
        self.down = False
        self._fuse = fuse or Fuse()

    def note(self, job_id: str, provider_id: str | None) -> CallbackState | None:
        before = self.find(job_id)
        self.states[job_id] = replace(before, wakes=before.wakes + 1, provider_id=before.provider_id or provider_id)
        self._fuse.burn("callback")
        return before

    def find(self, job_id: str) -> CallbackState:
        if self.down:
            raise StorageFailed("DynamoDB did not answer.")
        return self.states.get(job_id, CallbackState())

    def keep(self, job_id: str) -> CallbackState:
        self.kept.append(job_id)
        return self.find(job_id)

    def drop(self, job_id: str, provider_id: str) -> None:
        found = self.find(job_id)
        if found.provider_id == provider_id:
            self.states[job_id] = replace(found, provider_id=None)
        self._fuse.burn("dropped")


class MemoryEvents:
    """An event sink that keeps its events as they would be sent; ``down`` refuses everything."""

    def __init__(self, fuse: Fuse | None = None) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.down = False
        self._fuse = fuse or Fuse()

    @property
    def names(self) -> list[str]:
        return [name.removeprefix("Video Generation ") for name, _ in self.sent]

    def send(self, detail_type: str, job: Job) -> None:
        if self.down:
            raise StorageFailed("EventBridge did not take it.")
        self.sent.append((detail_type, http_view(job)))
        self._fuse.burn(f"event:{detail_type}")


class MemoryContent:
    """An open HTTP answer with this body."""

    def __init__(self, body: bytes) -> None:
        self.headers = {"Content-Type": "video/mp4", "Content-Length": str(len(body))}
        self._body = body

    def read(self, amt: int | None = None) -> bytes:
        read, self._body = (self._body, b"") if amt is None else (self._body[:amt], self._body[amt:])
        return read


class ScriptedProvider:
    """A ModelGates with scripted ``submits`` and ``answers``, which are answers or errors; the last one is repeated."""

    def __init__(self, fuse: Fuse | None = None) -> None:
        self.submits: list[ProviderJob | BaseException] = [ProviderJob("job-1", "pending", polling_url="/poll/1")]
        self.answers: list[ProviderJob | BaseException] = [ProviderJob("job-1", "completed", cost_usd=0.25)]
        self.contents: list[bytes | BaseException] = [b"video"]
        self.sent: list[Mapping[str, Any]] = []
        self.polled: list[tuple[str, str | None]] = []
        self.opened: list[int] = []
        self.outputs = 1
        self._fuse = fuse or Fuse()

    def submit(self, body: Mapping[str, Any]) -> ProviderJob:
        self.sent.append(body)
        self._fuse.burn("paid call")
        return _next(self.submits)

    def job(self, job_id: str, polling_url: str | None = None) -> ProviderJob:
        self.polled.append((job_id, polling_url))
        return _next(self.answers)

    @contextmanager
    def content(self, job: ProviderJob, index: int) -> Iterator[HttpAnswer]:
        if index >= max(job.outputs, self.outputs):
            raise GenerationExpired("404")
        self.opened.append(index)
        yield MemoryContent(_next(self.contents))


class MemoryVideos:
    """An output bucket in memory; ``failures`` are raised by the next calls of ``store``."""

    def __init__(self, fuse: Fuse | None = None) -> None:
        self.objects: dict[str, tuple[StoredVideo, Mapping[str, str]]] = {}
        self.failures: list[BaseException] = []
        self._fuse = fuse or Fuse()

    def find(self, key: str, job_id: str) -> StoredVideo | None:
        video, metadata = self.objects.get(key, (None, {}))
        return video if metadata.get("job-id") == job_id else None

    def store(self, answer: HttpAnswer, key: str, metadata: Mapping[str, str]) -> StoredVideo:
        if self.failures:
            raise self.failures.pop(0)
        content = answer.read()
        video = StoredVideo(
            bucket="clips",
            key=key,
            bytes=len(content),
            content_type="video/mp4",
            checksum=f"sha256:{hashlib.sha256(content).hexdigest()}",
        )
        self.objects[key] = (video, metadata)
        self._fuse.burn(f"stored:{key}")
        return video


class EasyImages:
    """Images that are all usable; ``refuses`` is raised by ``check``, ``unsendable`` by
    ``with_fetchable_urls``."""

    def __init__(self) -> None:
        self.refuses: Exception | None = None
        self.unsendable: Exception | None = None

    def check(self, request: VideoRequest, names: Names) -> list[Picture]:
        if self.refuses is not None:
            raise self.refuses
        return []

    def upload_inline_media(self, request: VideoRequest, job_id: str, owner: str | None) -> VideoRequest:
        return request

    def with_fetchable_urls(self, request: VideoRequest) -> VideoRequest:
        if self.unsendable is not None:
            raise self.unsendable
        return request


class Bench:
    """The use cases over fakes that share one fuse."""

    def __init__(self, die_after: int | None = None, store: MemoryJobStore | None = None) -> None:
        self.fuse = Fuse(die_after)
        self.store = store or MemoryJobStore(self.fuse)
        self.provider = ScriptedProvider(self.fuse)
        self.events = MemoryEvents(self.fuse)
        self.videos = MemoryVideos(self.fuse)
        self.images = EasyImages()
        self.catalogue = ModelCatalogue(lambda: [VideoModel(id=MODEL, supported_durations=[4, 6, 8])])
        self.failures = Failures(self.store, self.events)
        self.submission = Submission(self.store, self.provider, self.catalogue, self.images, self.events)

    def accept(self, job_id: str = "vid_1", **changes: Any) -> Job:
        return self.submission.accept(a_request(**changes), job_id, Origin({"type": "test"})).job

    @property
    def job(self) -> Job:
        [job] = self.store.jobs.values()
        return job


def a_request(**changes: Any) -> VideoRequest:
    """A request that works, with some fields changed."""
    frame = {"type": "image_url", "image_url": {"url": FRAME_URL}, "frame_type": "first_frame"}
    given = {"model": MODEL, "prompt": "a slow push in", "duration": 4, "frame_images": [frame]}
    return VideoRequest.model_validate(given | changes)


def a_job(status: Status = Status.IN_PROGRESS, **changes: Any) -> Job:
    """A record in some state; one that was submitted has the provider's id."""
    moment = now()
    submitted = status not in (Status.QUEUED, Status.SUBMITTING)
    given: dict[str, Any] = {
        "id": "vid_1",
        "status": status,
        "request": a_request().as_given(),
        "request_hash": "h",
        "source": {"type": "test"},
        "provider": ProviderState(job_id="job-1", status="pending", polling_url="/poll/1")
        if submitted
        else ProviderState(),
        "created_at": moment,
        "updated_at": moment,
    }
    return Job.parse(given | changes)


def _next[T](script: list[T | BaseException]) -> T:
    answer = script.pop(0) if len(script) > 1 else script[0]
    if isinstance(answer, BaseException):
        raise answer
    return answer
