"""`make run` and `make local`: what is refused before anything starts, who chooses the model, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local import run
from local.paths import SAMPLE
from local.run import Order, generate
from stillmotion_cli.errors import ApiProblem, BadInput, GenerationFailed, Unreachable
from tests.unit.cli.fake_api import FakeApi, choice, job, problem, serve
from tests.unit.cli.support import local_stack


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with serve() as running:
        running.max_bytes = 10**7
        yield running


def order(**env: str) -> Order:
    return Order.from_environment({"IMAGE": str(SAMPLE)} | env)


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"IMAGE": "s3://bucket/a.png"}, "IMAGE=s3://bucket/a.png cannot be used: the local cloud cannot reach"),
        (
            {"LAST_IMAGE": "http://x.example/a.png"},
            "LAST_IMAGE=http://x.example/a.png cannot be used: ModelGates takes",
        ),
        ({"IMAGE": "ftp://x.example/a.png"}, "IMAGE=ftp://x.example/a.png cannot be used: ftp:// addresses"),
        ({"IMAGE": "no/such.png"}, "IMAGE=no/such.png cannot be used. There is no picture at no/such.png"),
        ({"DURATION": "4s"}, "DURATION=4s is not a whole number of seconds"),
    ],
)
def test_what_cannot_be_used_is_named_as_it_was_typed(env: dict[str, str], told: str) -> None:
    with pytest.raises(BadInput) as refused:
        order(**env)
    assert told in str(refused.value)


@pytest.mark.slow
def test_an_https_picture_goes_into_the_request_as_it_is(api: FakeApi) -> None:
    api.states = [job("completed")]
    generate(local_stack(api), order(IMAGE="https://x.example/a b.png"))
    body = api.calls("POST /v1/videos")[-1].body
    assert body["frame_images"][0]["image_url"]["url"] == "https://x.example/a b.png"


@pytest.mark.slow
def test_without_a_model_the_stacks_choice_is_made_and_printed(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    api.choice = choice("cheap/one", 6, 0.12)
    generate(local_stack(api), order())
    body = api.calls("POST /v1/videos")[-1].body
    assert (body["model"], body["duration"], body["generate_audio"]) == ("cheap/one", 6, False)
    said = capsys.readouterr().err
    assert "Model: cheap/one (the cheapest of 2 models" in said
    assert "Clip: 6 s, $0.12" in said


@pytest.mark.slow
def test_a_named_model_is_priced_too(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    api.choice = choice("dear/one", 4, 1.6)
    generate(local_stack(api), order(MODEL="dear/one", DURATION="8"))
    body = api.calls("POST /v1/videos")[-1].body
    assert (body["model"], body["duration"]) == ("dear/one", 8)
    assert "Model: dear/one. Clip: 8 s, $1.60" in capsys.readouterr().err


def test_where_no_model_can_be_chosen_the_variable_is_named(api: FakeApi) -> None:
    api.choice = None
    with pytest.raises(BadInput, match="choose one, for example MODEL=cheap/one"):
        generate(local_stack(api), order())


def test_a_refusal_names_the_variables(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    fault = {"pointer": "#/duration", "detail": "is 5, but the model takes 4, 6"}
    detail = "m does not offer this: /duration is 5, but the model takes 4, 6. Change the request."
    api.on("POST /v1/videos", problem(422, "UnsupportedByModel", detail, errors=[fault]))
    api.on("DRY POST /v1/videos", problem(422, "UnsupportedByModel", detail, errors=[fault]))
    with pytest.raises(ApiProblem) as refused:
        generate(local_stack(api), order(DURATION="5"))
    run.terminal.failure(refused.value)
    said = capsys.readouterr().err
    assert "DURATION: is 5, but the model takes 4, 6" in said
    assert said.count("the model takes") == 1


SHAPED = "{} is 900x900 and the clip 16:9: 44% of the picture is cropped away, or it is squashed."


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "variable"),
    [
        ("/frame_images/0/image_url/url", "IMAGE"),
        ("/frame_images/1/image_url/url", "LAST_IMAGE"),
        ("#/frame_images/1/frame_type", "LAST_IMAGE"),
        ("/model", "MODEL"),
        ("/prompt", "PROMPT"),
        ("#/duration", "DURATION"),
    ],
)
def test_a_warning_names_the_variable(
    api: FakeApi, capsys: pytest.CaptureFixture[str], field: str, variable: str
) -> None:
    api.warnings, api.states = [SHAPED.format(field)], [job("completed")]
    generate(local_stack(api), order(LAST_IMAGE=str(SAMPLE)))
    assert f"Warning: {SHAPED.format(variable)}" in capsys.readouterr().err


@pytest.mark.slow
def test_a_failed_job_names_the_variable(api: FakeApi, tmp_path: Path) -> None:
    said = "/frame_images/1/image_url/url is gone from S3: upload it again; nothing was submitted."
    failure = {"code": "ImageNotUsable", "message": said}
    api.states = [job("failed", error=failure | {"provider_message": "no /frame_images/1/image_url/url"})]
    with pytest.raises(GenerationFailed) as failed:
        run.make_clip(local_stack(api), order(LAST_IMAGE=str(SAMPLE)), tmp_path)
    assert "\n  LAST_IMAGE is gone from S3: upload it again" in str(failed.value)
    assert "ModelGates said: no /frame_images/1/image_url/url" in str(failed.value)


@pytest.mark.slow
def test_a_clip_that_cannot_be_stored_is_not_lost_silently(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> int:
        raise Unreachable("S3 gave no answer.")

    monkeypatch.setattr(run.generation, "download", fail)
    with pytest.raises(run.NotStored, match=r"is not stored here\. S3 gave no answer\. .* as job_1"):
        run.make_clip(local_stack(api, simulator_url=None), order(), tmp_path)


SLOW_SUPERVISOR = """
import subprocess, sys, time
from local import serve
serve.chosen_catalogue = lambda: None
serve._holder = lambda: []
real = subprocess.Popen
def sleeper(command, **options):
    return real([sys.executable, "-c", "import time; time.sleep(60)"], **options)
serve.subprocess.Popen = sleeper
print("ready", flush=True)
sys.exit(serve.main(["start"]))
"""


@pytest.mark.slow
def test_ctrl_c_ends_make_local_at_once_without_a_traceback(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    program = f"import pathlib\nfrom local import serve\nheld = pathlib.Path({str(tmp_path)!r})\n" + (
        "serve.HELD, serve.LOCK, serve.LOG = held, held / 'lock', held / 'log'\n"
        "serve.STACK_FILE = held / 'stack.json'\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program + SLOW_SUPERVISOR],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert time.monotonic() - begun < 5
    assert process.returncode == 130
    assert said.strip() == "Stopped. What was started so far is being ended in the background."
