"""The real ports behind the use cases, made once for each warm Lambda.

The modules of a port are imported when the port is made, so a function loads only the modules that it uses.

Tests make the use cases with ports of their own; nothing but the functions imports this.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config

from stillmotion.aws.clients import DynamoTable, new_client, new_session
from stillmotion.errors import StorageFailed
from stillmotion.jobs.store import DynamoJobStore
from stillmotion.outbound.redaction import redact_all
from stillmotion.setting_types import ImageTransport
from stillmotion.settings import (
    BatchesSettings,
    CallbackSettings,
    CollectBatchSettings,
    ControlSettings,
    DeliverSettings,
    FailureSettings,
    InspectSettings,
    JobsSettings,
    PrepareBatchSettings,
    ProviderSettings,
    RecoverySettings,
    SpendingSettings,
    StoreSettings,
    SubmitApiSettings,
    SubmitSettings,
    SubmitTaskSettings,
    SweepSettings,
    UploadSettings,
    load,
)
from stillmotion.storage.event_bus import INSPECTION_REQUESTED, EventBus
from stillmotion.telemetry import redact_logs

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_dynamodb.service_resource import Table

    from stillmotion.api.views import Link
    from stillmotion.batches.collect import Collecting
    from stillmotion.batches.open import Batches
    from stillmotion.batches.prepare import Preparing
    from stillmotion.batches.record import Batch
    from stillmotion.batches.store import DynamoBatchStore
    from stillmotion.generation.adopt import Adoption
    from stillmotion.generation.callback import Receiving
    from stillmotion.generation.charges import CreditsWatch
    from stillmotion.generation.create import CreateVideo
    from stillmotion.generation.deliver import Delivery
    from stillmotion.generation.limits import Limits
    from stillmotion.generation.poll import Polling
    from stillmotion.generation.record_failure import Failures
    from stillmotion.generation.submit import CalledBack, Submission
    from stillmotion.inspection.inspect_video import Inspecting
    from stillmotion.jobs.budgets import DynamoBudgets
    from stillmotion.jobs.callbacks import DynamoCallbacks
    from stillmotion.jobs.record import Job, StoredVideo
    from stillmotion.modelgates.callback_secrets import VersionedSecret
    from stillmotion.modelgates.client import ModelGates
    from stillmotion.modelgates.models import ModelCatalogue
    from stillmotion.operations.operate import Control
    from stillmotion.operations.purge import Purging
    from stillmotion.operations.reconcile import Recovery
    from stillmotion.outbound.guarded_client import GuardedClient
    from stillmotion.requests.uploads import Uploads
    from stillmotion.requests.whose_pictures import InputBucket
    from stillmotion.stepfunctions.dropped_jobs import DroppedJobs
    from stillmotion.stepfunctions.executions import StepFunctions, VideoExecutions
    from stillmotion.storage.lines_writer import LinesWriter
    from stillmotion.storage.object_store import S3ObjectStore

redact_logs(redact_all)

QUICK = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
_BULK = Config(
    connect_timeout=3,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 4},
    signature_version="s3v4",
    # Over TLS, S3 checks bodies against their checksums, which are signed. Hashing every byte for the signature as well
    # would take a third of a delivery's processor time.
    s3={"payload_signing_enabled": False},
)


def prepare[S, P](port: Callable[[S], P], settings: type[S]) -> None:
    """Make a port while a Lambda starts; elsewhere it is made when it is first used.

    Clients take 0.1 to 0.2 s of processor time. A call at 256 MB has a seventh of a processor (*Lambda memory*: one at
    1,769 MB), so that would take about a second there; Lambda usually gives a start more.
    """
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        port(load(settings, os.environ))


@cache
def sdk() -> Session:
    """Credentials, region and models, the same for all clients."""
    return new_session()


@cache
def client(service: str, config: Config = QUICK) -> Any:
    """One client for each service; the endpoint is ``AWS_ENDPOINT_URL`` where that is set."""
    return new_client(sdk(), service, config)


@cache
def table(name: str) -> Table:
    return cast("Table", DynamoTable(name, client("dynamodb")))


@cache
def bulk_s3() -> Any:
    """S3 for pictures and videos.

    On AWS it uses regional virtual-hosted URLs: presigned global URLs redirect outside us-east-1, and ModelGates
    rejects redirects. A local cloud has no host for each bucket.
    """
    there = not {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} & os.environ.keys()
    virtual = Config(s3={"addressing_style": "virtual", "payload_signing_enabled": False})
    return client("s3", _BULK.merge(virtual) if there else _BULK)


@cache
def object_store() -> S3ObjectStore:
    from stillmotion.storage.object_store import S3ObjectStore

    return S3ObjectStore(bulk_s3())


def open_lines(bucket: str, key: str) -> LinesWriter:
    from stillmotion.storage.lines_writer import LinesWriter

    return LinesWriter(bulk_s3(), bucket, key)


@cache
def job_store(settings: StoreSettings) -> DynamoJobStore:
    return DynamoJobStore(table(settings.table_name), table(settings.spend_table_name))


@cache
def callbacks(settings: StoreSettings) -> DynamoCallbacks:
    from stillmotion.jobs.callbacks import DynamoCallbacks

    return DynamoCallbacks(table(settings.table_name))


@cache
def versioned_secret(arn: str) -> VersionedSecret:
    from stillmotion.modelgates.callback_secrets import VersionedSecret

    return VersionedSecret(client("secretsmanager"), arn)


@cache
def called_back(settings: SubmitSettings) -> CalledBack | None:
    """What submits need where ModelGates calls back; ``None`` where it does not."""
    from stillmotion.generation.submit import CalledBack
    from stillmotion.modelgates.callback_secrets import CallbackAddresses

    if not settings.callback_url:
        return None
    addresses = CallbackAddresses(settings.callback_url, versioned_secret(settings.callback_secret_arn))
    return CalledBack(addresses, adoption(settings))


@cache
def adoption(settings: ProviderSettings) -> Adoption:
    from stillmotion.generation.adopt import Adoption

    def same_model(one: str, other: str) -> bool:
        return catalogue(settings).same(one, other)

    return Adoption(job_store(settings), callbacks(settings), provider(settings), event_bus(settings), same_model)


@cache
def receiving(settings: CallbackSettings) -> Receiving:
    from stillmotion.generation.callback import Receiving, Signing

    signing = None
    if settings.signing_secret_arn:
        signing = Signing(versioned_secret(settings.signing_secret_arn), settings.signature_header.lower())
    secret = versioned_secret(settings.callback_secret_arn)
    return Receiving(secret, callbacks(settings), step_functions(), signing)


@cache
def event_bus(settings: StoreSettings) -> EventBus:
    return EventBus(client("events"), settings.event_bus_name)


@cache
def guarded(trusted_origins: frozenset[str]) -> GuardedClient:
    from stillmotion.outbound.guarded_client import GuardedClient

    return GuardedClient(origins(trusted_origins))


@cache
def provider(settings: ProviderSettings) -> ModelGates:
    from stillmotion.modelgates.api_key import SecretApiKey
    from stillmotion.modelgates.client import ModelGates

    key = SecretApiKey(client("secretsmanager"), settings.api_key_secret_arn)
    return ModelGates(settings.modelgates_base_url, key, guarded(settings.trusted_origins))


@cache
def catalogue(settings: ProviderSettings) -> ModelCatalogue:
    from stillmotion.modelgates.models import ModelCatalogue

    return ModelCatalogue(provider(settings).models)


@cache
def links(settings: JobsSettings) -> Link:
    """Links to videos in the stack's output bucket. The function may read no other: a video in an earlier output
    bucket has no link, since S3 would refuse it."""
    from stillmotion.api.views import VideoLink

    def link(video: StoredVideo) -> VideoLink:
        if video.bucket != settings.output_bucket:
            return VideoLink(
                None,
                f"The video is in {video.bucket}, an earlier output bucket of this stack; links are made for "
                f"{settings.output_bucket} only. Read its s3_uri with permission of your own.",
            )
        try:
            return VideoLink(object_store().link(video.bucket, video.key, settings.link_seconds))
        except StorageFailed as error:
            return VideoLink(None, f"The link could not be signed ({error.aws_code}). Try again in a minute.")

    return link


def results_link(settings: BatchesSettings) -> Callable[[Batch], str | None]:
    """Links to the results of batches; none where the results are in an earlier output bucket of the stack."""

    def link(batch: Batch) -> str | None:
        address = f"s3://{settings.output_bucket}/{batch.results_key}"
        if batch.summary is None or batch.summary.results != address:
            return None
        try:
            return object_store().link(settings.output_bucket, batch.results_key, settings.link_seconds)
        except StorageFailed:
            return None

    return link


@cache
def uploads(settings: UploadSettings) -> Uploads:
    from stillmotion.requests.uploads import Uploads

    return Uploads(bulk_s3(), settings.input_bucket)


@cache
def pictures(settings: SubmitSettings | BatchesSettings | PrepareBatchSettings) -> InputBucket:
    from stillmotion.requests.whose_pictures import InputBucket

    return InputBucket(settings.input_bucket, settings.shared_image_prefix)


def limits_of(settings: SubmitSettings | SpendingSettings) -> Limits:
    from stillmotion.generation.limits import Limits

    return Limits(
        settings.daily_spend_limit_usd, settings.per_job_spend_limit_usd, settings.caller_daily_spend_limit_usd
    )


@cache
def budgets(settings: StoreSettings) -> DynamoBudgets:
    from stillmotion.jobs.budgets import DynamoBudgets

    return DynamoBudgets(table(settings.spend_table_name))


@cache
def submission(settings: SubmitSettings) -> Submission:
    from stillmotion.generation.submit import Submission
    from stillmotion.requests.media import Images

    inline = settings.image_transport is ImageTransport.INLINE
    images = Images(object_store(), pictures(settings), guarded(settings.trusted_origins), inline=inline)
    limits = limits_of(settings)
    store, events = job_store(settings), event_bus(settings)
    answered = called_back(settings)
    return Submission(store, provider(settings), catalogue(settings), images, events, limits, answered)


@cache
def polling(settings: ProviderSettings) -> Polling:
    from stillmotion.generation.poll import Polling

    listened_to = callbacks(settings) if settings.callbacks else None
    return Polling(job_store(settings), provider(settings), listened_to, lambda: adoption(settings))


@cache
def delivery(settings: DeliverSettings) -> Delivery:
    from stillmotion.generation.deliver import Delivery
    from stillmotion.storage.sidecars import S3Notes
    from stillmotion.storage.video_store import VideoStore

    videos = VideoStore(bulk_s3(), settings.output_bucket)
    notes = S3Notes(object_store(), settings.output_bucket)
    inspected = settings.enable_inspection == "true"
    return Delivery(job_store(settings), provider(settings), videos, event_bus(settings), notes, inspected=inspected)


@cache
def inspecting(settings: InspectSettings) -> Inspecting:
    from stillmotion.inspection.inspect_video import Inspecting, Ports
    from stillmotion.inspection.report import Thresholds
    from stillmotion.storage.given_pictures import GivenPictures
    from stillmotion.storage.sidecars import S3Notes
    from stillmotion.storage.stored_clips import StoredClips

    ports = Ports(
        store=job_store(settings),
        clips=StoredClips(object_store()),
        given=GivenPictures(object_store(), guarded(settings.trusted_origins)),
        events=event_bus(settings),
        notes=S3Notes(object_store(), settings.output_bucket),
    )
    return Inspecting(ports, Thresholds(settings.inspection_min_psnr, settings.inspection_min_ssim))


@cache
def batch_store(table_name: str) -> DynamoBatchStore:
    from stillmotion.batches.store import DynamoBatchStore

    return DynamoBatchStore(table(table_name))


@cache
def batches(settings: BatchesSettings | PrepareBatchSettings) -> Batches:
    from stillmotion.batches.open import Batches

    return Batches(batch_store(settings.batch_table_name), object_store(), step_functions().running, pictures(settings))


@cache
def preparing(settings: PrepareBatchSettings) -> Preparing:
    from stillmotion.batches.prepare import Limits, Preparing

    concurrency, tolerated = settings.batch_max_concurrency, settings.batch_tolerated_failure_percentage
    limits = Limits(settings.output_bucket, concurrency, tolerated, settings.default_model)
    store, jobs = batch_store(settings.batch_table_name), job_store(settings)
    return Preparing(store, jobs, catalogue(settings), object_store(), open_lines, limits, pictures(settings))


@cache
def collecting(settings: CollectBatchSettings) -> Collecting:
    from stillmotion.batches.collect import Collecting

    store = batch_store(settings.batch_table_name)
    return Collecting(store, object_store(), open_lines, settings.output_bucket, event_bus(settings))


@cache
def drops(settings: SubmitTaskSettings) -> DroppedJobs:
    from stillmotion.drops.folder import Drops
    from stillmotion.generation.defaults import Defaults
    from stillmotion.jobs.drop_marks import DynamoDropMarks
    from stillmotion.stepfunctions.dropped_jobs import DroppedJobs

    defaults, marks = Defaults(catalogue(settings), settings.default_model), DynamoDropMarks(table(settings.table_name))
    return DroppedJobs(Drops(object_store()), defaults, settings.default_fields, marks, job_store(settings))


@cache
def failures(settings: StoreSettings) -> Failures:
    """The use case of ending a job; only with an output bucket in the settings does it write notes for failed drops."""
    from stillmotion.generation.record_failure import Confirming, Failures
    from stillmotion.storage.sidecars import S3Notes

    notes = (
        S3Notes(object_store(), settings.output_bucket)
        if isinstance(settings, FailureSettings | RecoverySettings)
        else None
    )
    window = settings.poll_interval_seconds * settings.max_poll_attempts
    confirming = Confirming(callbacks(settings), window) if settings.callbacks else None
    return Failures(job_store(settings), event_bus(settings), notes, confirming)


@cache
def step_functions() -> StepFunctions:
    from stillmotion.stepfunctions.executions import StepFunctions

    return StepFunctions(client("stepfunctions"))


@cache
def executions(machine_arn: str) -> VideoExecutions:
    from stillmotion.stepfunctions.executions import VideoExecutions

    return VideoExecutions(step_functions(), machine_arn)


@cache
def create_video(settings: SubmitApiSettings) -> CreateVideo:
    from stillmotion.generation.create import CreateVideo

    return CreateVideo(submission(settings), failures(settings), executions(settings.state_machine_arn))


@cache
def control(settings: ControlSettings) -> Control:
    from stillmotion.operations.operate import Control

    machine = executions(settings.state_machine_arn)
    ends, service = failures(settings), provider(settings)
    return Control(job_store(settings), ends, service, machine, called_back=settings.callbacks)


@cache
def purging(settings: ControlSettings) -> Purging:
    from stillmotion.operations.purge import Purging
    from stillmotion.storage.object_versions import S3ObjectVersions

    versions = S3ObjectVersions(bulk_s3())
    return Purging(job_store(settings), versions, settings.input_bucket, settings.output_bucket)


@cache
def recovery(settings: RecoverySettings) -> Recovery:
    from stillmotion.operations.reconcile import Recovery

    bus = event_bus(settings)

    def ask_for_inspection(job: Job) -> None:
        bus.tell(INSPECTION_REQUESTED, {"id": job.id})

    inspected = isinstance(settings, SweepSettings) and settings.enable_inspection == "true"
    machine = executions(settings.state_machine_arn)
    return Recovery(
        job_store(settings),
        failures(settings),
        provider(settings),
        machine,
        ask_for_inspection=ask_for_inspection if inspected else None,
        adoption=adoption(settings),
    )


@cache
def credits_watch(settings: RecoverySettings) -> CreditsWatch:
    from stillmotion.generation.charges import CreditsWatch

    return CreditsWatch(provider(settings))


def origins(trusted: frozenset[str]) -> frozenset[str]:
    """These origins in canonical form."""
    from stillmotion.outbound.address_guard import origin

    return frozenset(map(origin, trusted))
