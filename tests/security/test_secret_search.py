"""Secrets planted in every input of a stack, searched for in everything that it lets out or writes down.

What has to hold a secret is left out, by name: a caller's own request and metadata on the job's record,
where ModelGates wants to be polled, and what callers and senders put into S3 and Step Functions themselves.
"""

from __future__ import annotations

import json
import random
import string
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer

from local.simulator import Simulator
from stillmotion.api import views
from stillmotion.telemetry import logger
from stillmotion_cli.render import show_job
from stillmotion_cli.terminal import Terminal
from tests.security.table import count
from tests.support.inprocess import CALLBACK_SECRET, OPERATOR
from tests.support.inprocess_batches import BatchCloud, batch_cloud
from tests.support.logs import Log
from tests.support.recovery import age
from tests.support.requests import dropped, png, request, requested
from tests.support.secret_shapes import SHAPES
from tests.support.wire import Wire, answer

MUST_HOLD = {"jobs": ("request", "metadata"), "batches": (), "days": ()}
OWN_OBJECTS = ("drop/", "shared/", "uploads/", "batches/in/")
OWN_LINKS = ("https://clips.s3", "https://s3.eu-central-1.amazonaws.com/clips/", "https://s3.amazonaws.com/clips/")
ENVIRONMENT = {"AWS_SECRET_ACCESS_KEY": "the functions own secret key", "AWS_SESSION_TOKEN": "the functions own token"}


class Planted:
    """Makes secrets, each of which is told apart from all others."""

    def __init__(self) -> None:
        self._chance = random.Random(11)
        self._shapes = iter(SHAPES)
        self.secrets: dict[str, str] = {}

    def secret(self, where: str) -> str:
        """A new secret, without any shape."""
        made = "".join(self._chance.choice(string.ascii_letters + string.digits) for _ in range(40)) + "7"
        self.secrets[made] = where
        return made

    def text(self, where: str, times: int = 1) -> str:
        """Secrets in the next shapes, as one text."""
        return " and ".join(self._next(where) for _ in range(times))

    def every(self, where: str) -> str:
        """A secret in every shape there is, as one text."""
        return self.text(where, len(SHAPES))

    def link(self, where: str, base: str) -> str:
        """A link that works, signed with a secret."""
        return f"{base}{'&' if '?' in base else '?'}X-Amz-Signature={self.secret(where)}"

    def _next(self, where: str) -> str:
        try:
            shape = next(self._shapes)
        except StopIteration:
            self._shapes = iter(SHAPES)
            shape = next(self._shapes)
        return SHAPES[shape](self.secret(f"{where}, as {shape}"))


@pytest.fixture
def planted() -> Planted:
    return Planted()


@pytest.fixture
def logged() -> Iterator[Log]:
    handler = Log()
    logger.addHandler(handler)
    yield handler
    logger._logger.removeHandler(handler)


@pytest.fixture
def hostile_pictures(planted: Planted) -> Iterator[Wire]:
    """A picture server each of whose answers is full of secrets."""
    told = {
        "Set_Cookie": f"session={planted.secret('cookie of a picture server')}",
        "X_Why": planted.text("its header"),
    }
    scripts = [
        answer(404, planted.every("its page").encode(), Content_Type="text/html", **told),
        answer(302, Location=planted.link("its redirect", "https://pictures.example/a.png"), **told),
        answer(
            200, planted.every("its text").encode(), Content_Type=planted.text("its type").replace("\n", " "), **told
        ),
    ]
    with Wire(scripts) as wire:
        yield wire


@pytest.fixture
def batches(
    simulator: Simulator, hostile_pictures: Wire, monkeypatch: pytest.MonkeyPatch, logged: Log
) -> Iterator[BatchCloud]:
    trusted = f"{simulator.url},{hostile_pictures.url}"
    with batch_cloud(simulator, max_polls=3, TrustedOrigins=trusted, OperatorRoleArns=OPERATOR) as made:
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        yield made


class Search:
    """Puts secrets in, and looks for them in everything that came out."""

    def __init__(self, batches: BatchCloud, simulator: Simulator, planted: Planted) -> None:
        self.batches, self.stack, self.simulator, self.planted = batches, batches.stack, simulator, planted
        self.texts: list[tuple[str, str]] = []
        self.jobs: list[dict[str, Any]] = []

    def request(self, where: str, **changes: Any) -> dict[str, Any]:
        """A request with a secret in every field that takes texts."""
        text = self.planted.text
        asked = request(self.simulator, prompt=self.planted.every(f"{where}: prompt"), **changes)
        for frame in asked["frame_images"]:
            place = frame["image_url"]
            place["url"] = self.planted.link(f"{where}: link", place["url"])
        return asked | {
            "metadata": {"order": text(f"{where}: metadata")},
            "user": text(f"{where}: user")[:256],
            "session_id": text(f"{where}: session")[:256],
            "trace": {"deep": [{"er": text(f"{where}: trace", 2)}]},
        }

    def http(self, method: str, path: str, body: Any = None, caller: str = "", **headers: str) -> Any:
        sent = {name: self.planted.secret(f"header {name}") for name in ("Cookie", "X-Amz-Security-Token")}
        sent |= {"Authorization": f"AWS4-HMAC-SHA256 Signature={self.planted.secret('header Authorization')}"} | headers
        who = {"caller": caller} if caller else {}
        status, told, shown = self.stack.http(method, path, body, headers=sent, **who)
        self.texts.append(
            (f"answer of {method} {path.partition('?')[0]}", json.dumps([status, told, _unsigned(shown)]))
        )
        return shown

    def submit(self, where: str, **changes: Any) -> Any:
        """Order a clip; its record once its execution has ended."""
        key = {"Idempotency-Key": self.planted.secret(f"{where}: key")}
        job = self.http("POST", "/videos", self.request(where, **changes), **key)
        if "execution_arn" not in job:
            return job
        self.texts.append((f"end of {where}", json.dumps(self.stack.finish(job["execution_arn"]), default=str)))
        self.jobs.append(self.http("GET", f"/videos/{job['id']}"))
        return job

    def finish(self, where: str, execution: str) -> None:
        ended = self.stack.finish(execution)
        for name in ("output", "error", "cause"):
            self.texts.append((f"{name} of {where}", str(ended.get(name))))

    def collect(self, logged: Log, printed: str) -> None:
        """Everything that is written down or sent, beside the answers."""
        self.texts += [("log", line) for line in logged.lines] + [("standard output", printed)]
        self.texts += [("event", json.dumps(event)) for event in self.stack.events()]
        plain = TypeDeserializer()
        for table, held in MUST_HOLD.items():
            for page in boto3.client("dynamodb").get_paginator("scan").paginate(TableName=table):
                for item in page["Items"]:
                    found = {name: plain.deserialize(value) for name, value in item.items() if name not in held}
                    found.get("provider", {}).pop("polling_url", None)
                    self.texts.append((f"item of {table}", json.dumps(found, default=str)))
        self._collect_objects()
        self._collect_histories()

    def _collect_objects(self) -> None:
        s3 = boto3.client("s3")
        for bucket in ("pictures", "clips"):
            for one in s3.list_objects_v2(Bucket=bucket).get("Contents", ()):
                got = s3.get_object(Bucket=bucket, Key=one["Key"])
                rows = bucket == "clips" and one["Key"].endswith(("rows.jsonl", "items.jsonl"))
                if one["Key"].startswith(OWN_OBJECTS) or rows:
                    continue
                seen = [one["Key"], got["Metadata"], got["ContentType"], got["Body"].read().decode(errors="replace")]
                self.texts.append((f"object {one['Key']}", json.dumps(seen)))

    def _collect_histories(self) -> None:
        """Of the jobs that were ordered over HTTP: others' inputs are their senders' own."""
        client = boto3.client("stepfunctions")
        for job in self.jobs:
            pages = client.get_paginator("get_execution_history").paginate(executionArn=job["execution_arn"])
            for page in pages:
                self.texts.append((f"history of {job['id']}", json.dumps(page["events"], default=str)))

    def hits(self) -> list[str]:
        """Each secret that is in a text, with its place and where it was planted."""
        known = {self.simulator.api_key: "API key", CALLBACK_SECRET: "callback secret"}
        known |= {value: name for name, value in ENVIRONMENT.items()}
        found = []
        for place, text in self.texts:
            for secret, where in (self.planted.secrets | known).items():
                if secret in text or quote(secret, safe="") in text:
                    at = text.find(secret)
                    found.append(f"{place} has the {where}: …{text[max(at - 120, 0) : at + 60]}…")
        return found


def _unsigned(shown: Any) -> Any:
    """An answer without the signatures of the links that it gives: whoever gets one may use it."""
    if isinstance(shown, list):
        return [_unsigned(part) for part in shown]
    if not isinstance(shown, dict):
        return shown
    ours = {name: value for name, value in shown.items() if str(value).startswith(OWN_LINKS)}
    return {name: _unsigned(value) for name, value in shown.items()} | {
        name: value.partition("?")[0] for name, value in ours.items()
    }


def _modelgates_says(simulator: Simulator, planted: Planted, key: str) -> Iterator[str]:
    """Faults, one after the other, in which ModelGates says secrets; and the name of each."""
    for wording in ("error", "metadata_raw", "moderation", "message", "detail", "detail_list"):
        simulator.fault("submit", refusal=f"{planted.every('refusal')} your key is {key}", wording=wording)
        yield f"refusal in {wording}"
    for status in (401, 402, 429, 500, 503):
        body = {"error": {"code": status, "message": planted.text(f"answer {status}", 4)}}
        headers = {"X-Debug": planted.text(f"header of {status}").replace("\n", " ")}
        simulator.fault("submit", times=3, status=status, body=body, headers=headers)
        yield f"answer {status}"
        simulator.clear_faults()
    for status in ("failed", "cancelled", "expired"):
        error = {"message": planted.every("error of a job"), "key": f"Bearer {key}"}
        simulator.fault("poll", times=None, job={"status": status, "error": error})
        yield f"job that {status}"
        simulator.clear_faults()
    own = {"generation_id": planted.text("generation id", 2), "urls": [planted.link("urls", "https://s.example/a.mp4")]}
    simulator.fault("poll", times=None, job=own)
    yield "job with links"
    simulator.clear_faults()
    simulator.fault("submit", job={"polling_url": planted.link("polling url", "https://elsewhere.example/x")})
    yield "polling_url elsewhere"
    simulator.fault("content", times=None, redirect=planted.link("redirect of a download", "https://10.0.0.1/a.mp4"))
    yield "download that leads inside"
    simulator.clear_faults()


def test_the_search_finds_what_one_view_forgets(
    batches: BatchCloud, simulator: Simulator, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "redact_all", lambda value: value)
    search = Search(batches, simulator, planted)
    search.submit("completed job")
    search.http("GET", "/videos")
    [hit] = search.hits()
    assert hit.startswith("answer of GET /videos has the completed job: metadata")


@pytest.mark.timeout(110)
def test_no_secret_of_any_input_is_in_any_output(
    batches: BatchCloud,
    simulator: Simulator,
    hostile_pictures: Wire,
    planted: Planted,
    logged: Log,
    capsys: pytest.CaptureFixture[str],
) -> None:
    search, stack = Search(batches, simulator, planted), batches.stack
    done = search.submit("completed job")
    stack.invoke("InspectFunction", {"detail": {"id": done["id"]}})
    for name in _modelgates_says(simulator, planted, simulator.api_key):
        search.submit(name)
    frame = {"type": "image_url", "frame_type": "first_frame"}
    for number in range(3):
        place = {"image_url": {"url": f"{hostile_pictures.url}/{number}.png"}}
        search.submit("picture of a hostile server", frame_images=[frame | place])
    cancelled = search.submit("cancelled job")
    age(cancelled["id"], timedelta(0), status="in_progress", video=[])
    search.http("DELETE", f"/videos/{cancelled['id']}")
    search.http("DELETE", f"/videos/{done['id']}?purge=true")
    _by_other_ways(search)
    stack.invoke("SweepFunction", {})
    asked = quote(planted.text("query", 2), safe="")
    for path in ("/videos", f"/videos?next_token={asked}", "/usage?by=caller", f"/usage?from={asked}", "/limits"):
        search.http("GET", path, caller=OPERATOR)
    terminal = Terminal()
    for job in search.jobs:
        show_job(terminal, job)
    search.collect(logged, "".join(capsys.readouterr()))
    assert len(planted.secrets) > 1000
    hits = search.hits()
    count("secrets planted", len(planted.secrets) + len(ENVIRONMENT) + 2)
    count("texts searched", len(search.texts))
    count("secrets found", len(hits))
    assert not hits, "\n".join(hits)


def _by_other_ways(search: Search) -> None:
    """A bus event, a workflow, a dropped picture, a dropped request and a batch, some of which are refused."""
    stack, batches = search.stack, search.batches
    for number in range(2):
        event = requested(search.request("event"), f"e-{number}")
        search.finish("event", stack.start(event))
        search.simulator.fault("submit", refusal=search.planted.every("refusal of an event"))
    search.finish("workflow", stack.start(search.request("workflow")))
    told = {"prompt": search.planted.text("prompt of a drop").replace("\n", " "), "metadata-a": "b"}
    boto3.client("s3").put_object(Bucket="pictures", Key="drop/a.png", Body=png(), Metadata=told)
    search.finish("drop", stack.start(dropped("drop/a.png")))
    wrong = json.dumps(search.request("dropped request") | {"duration": search.planted.text("wrong field")})
    boto3.client("s3").put_object(Bucket="pictures", Key="drop/b.json", Body=wrong.encode())
    search.finish("dropped request", stack.start(dropped("drop/b.json")))
    wrong = {"manifest": search.planted.link("manifest", "https://x.example/rows.csv"), "max_concurrency": "sig=x"}
    for given in (wrong, {"id": "e-9", "source": "shop", "detail-type": "Video Batch Requested", "detail": wrong}):
        ended = batches.run(given)
        search.texts.append(("end of a wrong order", f"{ended.get('error')} {ended.get('cause')}"))
    rows = [search.request(f"row {number}") | {"item_id": f"item-{number}"} for number in range(3)]
    rows.append(rows[0] | {"item_id": "wrong", "duration": search.planted.text("wrong field of a row")})
    order = {"manifest": batches.manifest(rows)}
    batch = search.http("POST", "/batches", order)
    search.finish("batch", batch["execution_arn"])
    search.http("GET", f"/batches/{batch['id']}")
