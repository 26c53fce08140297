"""Each function's settings: typed, read from the environment at the start.

Every field comes from the variable of its name in capitals. The field's type names its reader, which parses the text
once: numbers, amounts, choices and lists reach the use cases as such. The template allows the same values for its
parameters; ``tests/unit/test_settings.py`` checks that both agree.

Annotations here are objects, not text: ``load`` reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Annotated, Any, get_args

from stillmotion.setting_types import (
    Arn,
    AspectRatio,
    HeaderName,
    ImageTransport,
    Limit,
    Measure,
    Member,
    Name,
    OptionalAddress,
    OptionalName,
    Origins,
    PollSeconds,
    Principals,
    Reader,
    Resolution,
    ServiceOrigin,
    SharedPrefix,
    Switch,
    TagKey,
    Text,
    WholeNumber,
)

_SHOWN_CHARACTERS = 200

type DefaultModel = Annotated[
    str, Text(r"([A-Za-z0-9._-]+/[A-Za-z0-9._:-]+)?", "a model's id (maker/model), or nothing")
]


class InvalidSetting(Exception):
    """An environment variable is not set, or its value is not allowed.

    Attributes:
        variable: the variable's name.
        given: its value; ``None`` where it is not set.
        allowed: what is allowed, in words.
    """

    def __init__(self, variable: str, given: str | None, allowed: str, needed_by: str) -> None:
        self.variable, self.given, self.allowed = variable, given, allowed
        state = "is not set" if given is None else f"is {given[:_SHOWN_CHARACTERS]!r}"
        super().__init__(
            f"The environment variable {variable} {state}. {needed_by} needs {allowed}. Correct the stack's parameter "
            "and deploy again."
        )


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What every function needs: the tables, the bus, how jobs are polled, and whether ModelGates calls back.

    ``poll_interval_seconds`` is checked before anything is paid: the workflow's Wait state fails at a fraction of a
    second, and then the paid video would not be downloaded.
    """

    table_name: Name
    spend_table_name: Name
    event_bus_name: Name
    poll_interval_seconds: PollSeconds
    max_poll_attempts: Annotated[int, WholeNumber(1, 240)]
    callbacks: Annotated[bool, Switch()]


@dataclass(frozen=True, slots=True)
class JobsSettings(StoreSettings):
    """For the read side of the API. Clients are asked to come back after ``poll_interval_seconds``. Links to videos in
    ``output_bucket`` are good for ``link_seconds``; S3 removes videos after ``video_retention_days``, where not 0."""

    link_seconds: Annotated[int, WholeNumber(60, 43_200)]
    output_bucket: Name
    operator_arns: Principals
    video_retention_days: Annotated[int, WholeNumber(0, 3_650)]


@dataclass(frozen=True, slots=True)
class FailureSettings(StoreSettings):
    """For ending jobs without a video."""

    output_bucket: Name


@dataclass(frozen=True, slots=True)
class UploadSettings:
    """For making presigned uploads."""

    input_bucket: Name


@dataclass(frozen=True, slots=True)
class ProviderSettings(StoreSettings):
    """What functions that call ModelGates need."""

    modelgates_base_url: ServiceOrigin
    api_key_secret_arn: Name
    trusted_origins: Origins


@dataclass(frozen=True, slots=True)
class RecoverySettings(ProviderSettings):
    """For resuming jobs, and for ending them."""

    output_bucket: Name
    state_machine_arn: Arn


@dataclass(frozen=True, slots=True)
class SweepSettings(RecoverySettings):
    """For sweeping; with ``enable_inspection`` ``true`` also for asking for inspections."""

    enable_inspection: Annotated[str, Text("true|false", "true or false")]


@dataclass(frozen=True, slots=True)
class InspectSettings(StoreSettings):
    """For inspecting clips; below the last two, in dB and from 0 to 1, a frame does not look like its picture."""

    output_bucket: Name
    trusted_origins: Origins
    inspection_min_psnr: Annotated[float, Measure(100)]
    inspection_min_ssim: Annotated[float, Measure(1)]


@dataclass(frozen=True, slots=True)
class ControlSettings(RecoverySettings):
    """For stopping, resuming, settling and purging jobs behind the API."""

    operator_arns: Principals
    input_bucket: Name


@dataclass(frozen=True, slots=True)
class SubmitSettings(ProviderSettings):
    """For submitting. ``callback_url`` is where ModelGates calls back, empty where it does not."""

    input_bucket: Name
    shared_image_prefix: SharedPrefix
    image_transport: Annotated[ImageTransport, Member(ImageTransport)]
    daily_spend_limit_usd: Annotated[Decimal | None, Limit(1_000_000)]
    per_job_spend_limit_usd: Annotated[Decimal | None, Limit(10_000)]
    caller_daily_spend_limit_usd: Annotated[Decimal | None, Limit(1_000_000)]
    callback_secret_arn: OptionalName
    callback_url: OptionalAddress


@dataclass(frozen=True, slots=True)
class SubmitTaskSettings(SubmitSettings):
    """For submitting from the workflow: defaults for dropped pictures without fields of their own."""

    default_model: DefaultModel
    default_prompt: Annotated[str, Text(r"[^\x00-\x1f\x7f]{0,1500}", "at most 1,500 characters on one line")]
    default_duration: Annotated[int | None, WholeNumber(1, 600, optional=True)]
    default_resolution: Resolution
    default_aspect_ratio: AspectRatio

    @property
    def default_fields(self) -> dict[str, Any]:
        """The request fields of a dropped picture, without the model; those without a default are left out."""
        names = ("prompt", "duration", "resolution", "aspect_ratio")
        values = {name: getattr(self, f"default_{name}") for name in names}
        return {name: value for name, value in values.items() if value}


@dataclass(frozen=True, slots=True)
class SubmitApiSettings(SubmitSettings):
    """For submitting behind the API, which starts the workflow itself."""

    state_machine_arn: Arn
    operator_arns: Principals


@dataclass(frozen=True, slots=True)
class SpendingSettings(StoreSettings):
    """For what may be spent and what was, behind the API; ``usage_tag_key`` is the metadata key that usage can be
    summed up by, empty for none."""

    daily_spend_limit_usd: Annotated[Decimal | None, Limit(1_000_000)]
    per_job_spend_limit_usd: Annotated[Decimal | None, Limit(10_000)]
    caller_daily_spend_limit_usd: Annotated[Decimal | None, Limit(1_000_000)]
    usage_tag_key: TagKey
    operator_arns: Principals


@dataclass(frozen=True, slots=True)
class DeliverSettings(ProviderSettings):
    """For delivering; with ``enable_inspection`` ``true`` what is delivered is inspected after that."""

    output_bucket: Name
    enable_inspection: Annotated[str, Text("true|false", "true or false")]


@dataclass(frozen=True, slots=True)
class CallbackSettings(StoreSettings):
    """For receiving callbacks; ``signing_secret_arn`` is empty where callbacks are not signed."""

    callback_secret_arn: Name
    signing_secret_arn: OptionalName
    signature_header: HeaderName


@dataclass(frozen=True, slots=True)
class BatchSettings(StoreSettings):
    """What functions that read or write batches need."""

    batch_table_name: Name


@dataclass(frozen=True, slots=True)
class BatchesSettings(BatchSettings):
    """For batches behind the API; links to results in ``output_bucket`` are good for ``link_seconds``."""

    batch_state_machine_arn: Arn
    operator_arns: Principals
    input_bucket: Name
    shared_image_prefix: SharedPrefix
    output_bucket: Name
    link_seconds: Annotated[int, WholeNumber(60, 43_200)]


@dataclass(frozen=True, slots=True)
class PrepareBatchSettings(ProviderSettings):
    """For preparing batches: defaults of rows that name no model, and of orders that do not say."""

    batch_table_name: Name
    input_bucket: Name
    shared_image_prefix: SharedPrefix
    output_bucket: Name
    default_model: DefaultModel
    batch_max_concurrency: Annotated[int, WholeNumber(1, 1_000)]
    batch_tolerated_failure_percentage: Annotated[int, WholeNumber(0, 100)]


@dataclass(frozen=True, slots=True)
class RecordItemSettings(BatchSettings):
    """For recording the outcome of a batch's items."""

    state_machine_arn: Arn


@dataclass(frozen=True, slots=True)
class CollectBatchSettings(BatchSettings):
    """For ending batches."""

    output_bucket: Name


def reader_of(annotation: Any) -> Reader:
    """The reader that a field's annotation names."""
    found: Reader = get_args(getattr(annotation, "__value__", annotation))[1]
    return found


def load[T](kind: type[T], environment: Mapping[str, str]) -> T:
    """Settings of this kind, each field from the variable of its name in capitals.

    Raises:
        InvalidSetting: a variable is not set or its value is not allowed.
    """
    values: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        name, reader = field.name.upper(), reader_of(field.type)
        given = environment.get(name)
        try:
            if given is None:
                raise ValueError(name)
            values[field.name] = reader.read(given)
        except ValueError:
            raise InvalidSetting(name, given, reader.allowed, kind.__name__) from None
    return kind(**values)
