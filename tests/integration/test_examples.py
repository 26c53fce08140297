"""Examples whose functions run in one process: webhooks and catalogue."""

from __future__ import annotations

import importlib.util
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import boto3
import pytest

from local.simulator import Simulator
from tests.support.inprocess import REGION, Cloud
from tests.support.inprocess_batches import BatchCloud, batch_cloud
from tests.support.requests import png
from tests.support.template import ROOT

SECRET = "s3cret-of-both-sides"


def module(path: str) -> ModuleType:
    """A module of the examples, loaded anew."""
    spec = importlib.util.spec_from_file_location(path.replace("/", "_"), ROOT / "examples" / f"{path}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@dataclass
class Server:
    """A server that takes webhooks; it answers with ``status``."""

    url: str = ""
    status: int = 204
    seen: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    known = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            known.seen.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(known.status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    known.url = f"http://127.0.0.1:{http.server_port}/clips"
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield known
    http.shutdown()
    http.server_close()


@pytest.fixture
def webhooks(stack: Cloud, server: Server, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    found = boto3.client("secretsmanager").create_secret(Name="webhooks", SecretString=SECRET)
    monkeypatch.setenv("SECRET_ARN", found["ARN"])
    monkeypatch.setenv("WEBHOOK_URL", server.url)
    return module("webhooks/app")


def events_of(stack: Cloud, **changes: Any) -> list[dict[str, Any]]:
    """What the bus tells of a job of this request."""
    stack.finish(stack.start({"model": "google/veo-3.1-lite", "prompt": "p", "duration": 4} | changes))
    return [event for event in stack.events() if event["detail-type"] != "Video Generation Submitted"]


@pytest.mark.parametrize(
    ("changes", "kind"), [({}, "Video Generation Completed"), ({"duration": 5}, "Video Generation Failed")]
)
def test_a_webhook_carries_a_signature_that_the_receiver_accepts(
    stack: Cloud, server: Server, webhooks: ModuleType, changes: dict[str, Any], kind: str
) -> None:
    [event] = events_of(stack, **changes)
    webhooks.handler(event, None)
    [(headers, body)] = server.seen
    assert json.loads(body) == {"type": kind, "data": event["detail"]}
    assert headers["Stillmotion-Event-Id"] == event["id"]
    genuine = module("webhooks/receive").is_genuine
    signature = headers["Stillmotion-Signature"]
    assert genuine(signature, body, SECRET.encode(), time.time())
    assert not genuine(signature, body + b" ", SECRET.encode(), time.time())
    assert not genuine(signature, body, b"another", time.time())
    assert not genuine(signature, body, SECRET.encode(), time.time() + 301)
    assert not genuine(signature.replace("t=", "t=0"), body, SECRET.encode(), time.time())


@pytest.mark.parametrize("header", ["", "t=1", "v1=" + "a" * 64, "t=x,v1=" + "a" * 64, "t=1,v1=" + "a" * 63])
def test_a_malformed_signature_is_not_genuine(header: str) -> None:
    assert not module("webhooks/receive").is_genuine(header, b"{}", b"key", 1.0)


def test_a_signature_is_hmac_sha256_over_time_and_body() -> None:
    # The value was computed with: printf '1700000000.{}' | openssl dgst -sha256 -hmac key
    signed = module("webhooks/app").sign(b"key", b"{}", 1700000000)
    assert signed == "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"


@pytest.mark.parametrize("status", [301, 307, 400, 404, 500, 503])
def test_an_answer_other_than_2xx_makes_lambda_try_again(
    stack: Cloud, server: Server, webhooks: ModuleType, status: int
) -> None:
    server.status = status
    event = {"id": "e-1", "detail-type": "Video Generation Completed", "detail": {"id": "vid_1"}}
    with pytest.raises(webhooks.NotDelivered, match=f"HTTP {status} for event e-1"):
        webhooks.handler(event, None)
    assert len(server.seen) == 1


def test_no_answer_makes_lambda_try_again(webhooks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_URL", "http://127.0.0.1:9/")
    with pytest.raises(webhooks.NotDelivered, match="no answer"):
        webhooks.handler({"id": "e-1", "detail-type": "t", "detail": {}}, None)


@pytest.fixture
def nightly(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchCloud]:
    """A stack with the batch machine and a bucket of ours."""
    with batch_cloud(simulator) as batches:
        here: Any = {"LocationConstraint": REGION}
        boto3.client("s3").create_bucket(Bucket="shop", CreateBucketConfiguration=here)
        values = {"CATALOGUE_BUCKET": "shop", "CATALOGUE_KEY": "catalogue.csv", "INPUT_BUCKET": "pictures"}
        values |= {
            "EVENT_BUS_NAME": "events",
            "BATCH_ID": "catalogue",
            "BUDGET_USD": "5",
            "MODEL": "google/veo-3.1-lite",
        }
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        yield batches


def night(batches: BatchCloud, date: str, catalogue: str) -> tuple[Any, dict[str, Any]]:
    """One night: the function's answer, and the batch's summary."""
    sqs, events = boto3.client("sqs"), boto3.client("events")
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"detail-type": ["Video Batch Requested"]})
    events.put_rule(Name="orders", EventBusName="events", EventPattern=pattern)
    events.put_targets(Rule="orders", EventBusName="events", Targets=[{"Id": "queue", "Arn": arn}])
    batches.put("catalogue.csv", catalogue, bucket="shop")
    answer = module("catalogue/app").handler({"time": f"{date}T03:00:00Z"}, None)
    [message] = sqs.receive_message(QueueUrl=queue)["Messages"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    ended = batches.run(json.loads(message["Body"]), name=f"night-{date}")
    assert ended["status"] == "SUCCEEDED", ended
    return answer, json.loads(ended["output"])


def test_each_night_pays_for_new_products_alone(nightly: BatchCloud, simulator: Simulator) -> None:
    picture = nightly.put("shared/a.png", png())
    head, first, second = "sku,prompt,picture\n", f"A-1,a slow push in,{picture}\n", f"A-2,leaves fall,{picture}\n"
    answer, summary = night(nightly, "2026-11-26", head + first)
    assert (answer, summary["done"], summary["skipped"]) == ({"products": 1}, 1, 0)
    answer, summary = night(nightly, "2026-11-27", head + first + second)
    assert (answer, summary["done"], summary["skipped"]) == ({"products": 2}, 1, 1)
    assert [job["request"]["prompt"] for job in simulator.jobs()] == ["a slow push in", "leaves fall"]


@pytest.mark.parametrize(
    ("catalogue", "said"),
    [
        ("sku,prompt\nA,p\n", "has no column picture"),
        ("sku,prompt,picture\nA,p,x\nA,q,y\n", "names a SKU twice: A"),
    ],
)
def test_a_catalogue_that_cannot_work_orders_nothing(nightly: BatchCloud, catalogue: str, said: str) -> None:
    nightly.put("catalogue.csv", catalogue, bucket="shop")
    app = module("catalogue/app")
    with pytest.raises(app.CatalogueError, match=said):
        app.handler({"time": "2026-11-27T03:00:00Z"}, None)
    assert nightly.stack.events() == []


def test_an_empty_catalogue_orders_nothing(nightly: BatchCloud) -> None:
    nightly.put("catalogue.csv", "sku,prompt,picture\n", bucket="shop")
    assert module("catalogue/app").handler({"time": "2026-11-27T03:00:00Z"}, None) == {"products": 0}
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket="pictures", Prefix="shared/catalogue/")
