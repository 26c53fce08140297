"""The real ports: S3 as links have to name it, and nothing made before it is needed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from stillmotion import wiring
from stillmotion.jobs.record import StoredVideo
from stillmotion.settings import JobsSettings, UploadSettings
from tests.support.template import ROOT

pytestmark = pytest.mark.usefixtures("account")


@pytest.fixture
def fresh() -> Iterator[None]:
    def forget() -> None:
        wiring.sdk.cache_clear()
        wiring.client.cache_clear()
        wiring.bulk_s3.cache_clear()
        wiring.object_store.cache_clear()

    forget()
    yield
    forget()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    ("region", "host"),
    [("eu-central-1", "s3.eu-central-1.amazonaws.com"), ("us-east-1", "s3.amazonaws.com")],
)
def test_a_link_names_the_host_that_answers_without_a_redirect(
    region: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    place = {"Bucket": "pictures", "Key": "drop/a b.png"}
    link = urlsplit(wiring.bulk_s3().generate_presigned_url("get_object", Params=place))
    assert (link.scheme, link.hostname, link.path) == ("https", f"pictures.{host}", "/drop/a%20b.png")
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in link.query


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_a_link_into_a_local_cloud_names_the_bucket_in_its_path(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "http://localhost:4566")
    link = wiring.bulk_s3().generate_presigned_url("get_object", Params={"Bucket": "pictures", "Key": "a.png"})
    assert link.startswith("http://localhost:4566/pictures/a.png?")


LINKING = JobsSettings("jobs", "days", "bus", 30, 60, False, 3600, "clips", frozenset(), 0)


def stored_in(bucket: str) -> StoredVideo:
    return StoredVideo(bucket=bucket, key="videos/a.mp4", bytes=9, content_type="video/mp4", checksum="sha256:0")


@pytest.mark.usefixtures("fresh")
def test_a_video_in_an_earlier_output_bucket_has_a_reason_and_no_link() -> None:
    link = wiring.links(LINKING)
    here, earlier = link(stored_in("clips")), link(stored_in("clips-of-2025"))
    assert "X-Amz-Expires=3600" in str(here.url)
    assert here.reason is None
    assert earlier.url is None
    assert "clips-of-2025, an earlier output bucket" in str(earlier.reason)
    assert "links are made for clips only" in str(earlier.reason)


@pytest.mark.slow
@pytest.mark.usefixtures("fresh")
def test_a_link_that_cannot_be_signed_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
    monkeypatch.setenv("AWS_CONFIG_FILE", "none")
    found = wiring.links(LINKING)(stored_in("clips"))
    assert (found.url, found.reason) == (
        None,
        "The link could not be signed (NoCredentialsError). Try again in a minute.",
    )


@pytest.mark.parametrize(("environment", "made"), [({}, 0), ({"AWS_LAMBDA_FUNCTION_NAME": "poll"}, 1)])
def test_ports_are_made_at_the_start_of_a_lambda_and_of_nothing_else(
    environment: dict[str, str], made: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME", raising=False)
    for name, value in ({"INPUT_BUCKET": "pictures"} | environment).items():
        monkeypatch.setenv(name, value)
    ports: list[UploadSettings] = []
    wiring.prepare(ports.append, UploadSettings)
    assert ports == [UploadSettings("pictures")] * made


def test_a_function_starts_without_the_modules_of_the_others() -> None:
    code = "import sys, stillmotion.wiring; print(*(name for name in sys.modules if name.startswith('stillmotion.')))"
    shared = str(Path(wiring.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": shared}, capture_output=True, text=True, check=True, timeout=60
    )
    others = ("api", "images", "request", "submission", "transfer", "views")
    assert not {f"stillmotion.{name}" for name in others} & set(done.stdout.split())


@pytest.mark.slow
@pytest.mark.parametrize("function", ["poll", "deliver"])
def test_a_function_that_only_follows_jobs_starts_without_pydantic(function: str) -> None:
    """Importing it takes as much of their start as botocore does."""
    environment = {
        "PYTHONPATH": str(Path(wiring.__file__).parents[1]),
        "AWS_LAMBDA_FUNCTION_NAME": function,  # ports are made at the start
        "AWS_DEFAULT_REGION": "eu-central-1",
        "POWERTOOLS_TRACE_DISABLED": "true",
        "TABLE_NAME": "jobs",
        "SPEND_TABLE_NAME": "days",
        "EVENT_BUS_NAME": "bus",
        "POLL_INTERVAL_SECONDS": "30",
        "MAX_POLL_ATTEMPTS": "60",
        "CALLBACKS": "true",
        "OUTPUT_BUCKET": "clips",
        "ENABLE_INSPECTION": "true",
        "TRUSTED_ORIGINS": "",
        "MODELGATES_BASE_URL": "https://modelgates.ai",
        "API_KEY_SECRET_ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:key",
    }
    code = "import sys, app; print('stillmotion.modelgates.client' in sys.modules, 'pydantic' in sys.modules)"
    folder = ROOT / "functions" / function
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split() == ["True", "False"]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (set(), set()),
        ({"http://127.0.0.1:4566"}, {"http://127.0.0.1:4566"}),
        ({"HTTPS://Example.com/", "http://localhost"}, {"https://example.com:443", "http://localhost:80"}),
    ],
)
def test_trusted_origins_are_read_in_canonical_form(listed: set[str], expected: set[str]) -> None:
    assert wiring.origins(frozenset(listed)) == expected
