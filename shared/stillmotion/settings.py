"""Each function's settings: read from the environment once, at the start, failing loudly by the variable's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


class MissingSetting(Exception):
    """An environment variable that a function needs is not set or not of its kind."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What every function needs: the table and the bus."""

    table_name: str
    spend_table_name: str
    event_bus_name: str


@dataclass(frozen=True, slots=True)
class JobsSettings(StoreSettings):
    """For the read side of the API; callers are told to come back after ``poll_interval_seconds``, and get links
    to their videos that are good for ``link_seconds``. ``operator_arns`` are comma-separated."""

    poll_interval_seconds: int
    link_seconds: int
    operator_arns: str


@dataclass(frozen=True, slots=True)
class FailureSettings(StoreSettings):
    """For ending jobs without a video."""

    output_bucket: str


@dataclass(frozen=True, slots=True)
class UploadSettings:
    """For offering places for pictures."""

    input_bucket: str


@dataclass(frozen=True, slots=True)
class ProviderSettings(StoreSettings):
    """What functions that talk to ModelGates need. ``trusted_origins`` are comma-separated origins."""

    modelgates_base_url: str
    api_key_secret_arn: str
    trusted_origins: str


@dataclass(frozen=True, slots=True)
class RecoverySettings(ProviderSettings):
    """For going on with jobs, and for ending them."""

    output_bucket: str
    state_machine_arn: str


@dataclass(frozen=True, slots=True)
class ControlSettings(RecoverySettings):
    """For stopping, resuming and settling jobs behind the API. ``operator_arns`` are comma-separated."""

    operator_arns: str


@dataclass(frozen=True, slots=True)
class SubmitSettings(ProviderSettings):
    """For submitting."""

    input_bucket: str
    image_transport: str
    daily_spend_limit_usd: str
    per_job_spend_limit_usd: str


@dataclass(frozen=True, slots=True)
class SubmitTaskSettings(SubmitSettings):
    """For submitting from the workflow: what a dropped picture becomes that says nothing itself."""

    default_model: str
    default_prompt: str
    default_duration: str
    default_resolution: str
    default_aspect_ratio: str

    @property
    def defaults(self) -> dict[str, str]:
        """The request fields of a dropped picture, empty ones included."""
        fields = ("model", "prompt", "duration", "resolution", "aspect_ratio")
        return {field: getattr(self, f"default_{field}") for field in fields}


@dataclass(frozen=True, slots=True)
class SubmitApiSettings(SubmitSettings):
    """For submitting behind the API, which starts the workflow itself."""

    state_machine_arn: str


@dataclass(frozen=True, slots=True)
class DeliverSettings(ProviderSettings):
    """For delivering."""

    output_bucket: str


@dataclass(frozen=True, slots=True)
class BatchSettings(StoreSettings):
    """For what has to do with batches."""

    batch_table_name: str


@dataclass(frozen=True, slots=True)
class BatchesSettings(BatchSettings):
    """For batches behind the API."""

    batch_state_machine_arn: str


@dataclass(frozen=True, slots=True)
class PrepareBatchSettings(ProviderSettings):
    """For preparing batches; the last two hold for orders that do not say."""

    batch_table_name: str
    output_bucket: str
    batch_max_concurrency: int
    batch_tolerated_failure_percentage: int


@dataclass(frozen=True, slots=True)
class RecordItemSettings(BatchSettings):
    """For recording what became of a batch's items."""

    state_machine_arn: str


@dataclass(frozen=True, slots=True)
class CollectBatchSettings(BatchSettings):
    """For ending batches."""

    output_bucket: str


def load[T](kind: type[T], environment: Mapping[str, str]) -> T:
    """Settings of this kind, each field from the variable of its name in capitals.

    Raises:
        MissingSetting: a variable is not set, or not a number where one is needed.
    """
    values: dict[str, Any] = {}
    for field in fields(kind):  # type: ignore[arg-type]
        name = field.name.upper()
        if name not in environment:
            raise MissingSetting(f"The environment variable {name} is not set: {kind.__name__} needs it.")
        value = environment[name]
        if field.type == "int":
            if not value.isdecimal():
                raise MissingSetting(f"The environment variable {name} is '{value}', not a whole number.")
            values[field.name] = int(value)
        else:
            values[field.name] = value
    return kind(**values)
