"""Every route by owner, stranger, operator and unsigned; and a stranger learns nothing of what is not its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from local.simulator import Simulator
from tests.security.table import count
from tests.support.cloudformation import expanded_resources
from tests.support.inprocess import ACCOUNT, CALLER, OPERATOR, api_event
from tests.support.inprocess_batches import BatchCloud, batch_cloud
from tests.support.recovery import age
from tests.support.requests import request, rows
from tests.support.route_matrix import MATRIX, NEW_BATCH, NEW_VIDEO, UNSIGNED, Row
from tests.support.template import ROOT

STRANGER = f"arn:aws:iam::{ACCOUNT}:user/mallory"
CALLERS = {"owner": CALLER, "stranger": STRANGER, "operator": OPERATOR}
PROMPT = "what alice has in mind"
DOCUMENT = json.loads((ROOT / "functions" / "docs" / "openapi.json").read_text())
ABSENT = {"batch": "b-00000000000000000000000000"}


@pytest.fixture
def batches(simulator: Simulator) -> Iterator[BatchCloud]:
    with batch_cloud(simulator, max_polls=2, OperatorRoleArns=OPERATOR, UsageTagKey="project") as made:
        yield made


class Things:
    """What the owner has made, and calls about it."""

    def __init__(self, batches: BatchCloud, simulator: Simulator) -> None:
        self.batches, self.stack, self.simulator = batches, batches.stack, simulator

    def make(self, about: str) -> str:
        """The owner's thing in this state; its id."""
        if about == "batch":
            manifest = self.batches.manifest(rows(self.simulator, PROMPT))
            batch = self._ask("POST", "/batches", {"manifest": manifest})
            self.stack.finish(batch["execution_arn"])
            return str(batch["id"])
        job = self._ask("POST", "/videos", request(self.simulator, prompt=PROMPT, metadata={"project": "hush"}))
        self.stack.finish(job["execution_arn"])
        if about != "completed":
            unknown: dict[str, Any] = {"provider": {}} if about == "submit_unknown" else {}
            age(job["id"], timedelta(0), status=about, video=[], **unknown)
        return str(job["id"])

    def call(self, row: Row, who: str, thing: str | None) -> tuple[int, dict[str, str], str]:
        """Status, headers and body of one call."""
        path = row.path if thing is None else row.path.replace("{id}", thing)
        body = row.body
        if body is NEW_VIDEO:
            body = request(self.simulator)
        elif body is NEW_BATCH:
            body = {"manifest": self.batches.manifest(rows(self.simulator, "a quiet lake"))}
        function, event = api_event(row.method, path, body, caller=CALLERS[who])
        answer = self.stack.invoke(function, event)
        headers = {name: values[0] for name, values in answer.get("multiValueHeaders", {}).items()}
        return answer["statusCode"], headers, answer["body"]

    def _ask(self, method: str, path: str, body: Any) -> dict[str, Any]:
        status, _, answer = self.stack.http(method, path, body)
        assert status in (200, 202), answer
        found: dict[str, Any] = answer
        return found


@pytest.fixture
def things(batches: BatchCloud, simulator: Simulator) -> Things:
    return Things(batches, simulator)


def test_every_route_of_the_document_is_in_the_matrix() -> None:
    documented = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert {row.route for row in MATRIX} == documented


@pytest.mark.parametrize("row", MATRIX, ids=str)
def test_each_caller_is_answered_as_written_down(row: Row, things: Things) -> None:
    wanted = {"owner": row.owner, "stranger": row.stranger, "operator": row.operator}
    found = {}
    for who in ("stranger", "operator", "owner"):
        thing = None if row.about is None else things.make(row.about)
        found[who], headers, body = things.call(row, who, thing)
        if who == "stranger" and thing is not None:
            _tells_nothing(row, things, thing, found[who], headers, body)
    things.stack.close()
    count("routes by callers", len(found))
    count("answered otherwise than written down", sum(found[who] != wanted[who] for who in found))
    assert found == wanted


def _tells_nothing(row: Row, things: Things, thing: str, status: int, headers: dict[str, str], body: str) -> None:
    """The same answer as about what is not there, and nothing of the owner's in it."""
    absent = ABSENT.get(str(row.about), "vid_00000000000000000000000000")
    other = things.call(row, "stranger", absent) if "{id}" in row.path else None
    foreign = (status, headers, body.replace(thing, "ID"))
    same = other is None or foreign == (other[0], other[1], other[2].replace(absent, "ID"))
    owners = [secret for secret in (CALLER, PROMPT, "hush", "0.20", "0.12") if secret in body]
    # An id that the caller has given is in the answer; one that it has not given is the owner's.
    owners += [thing] if "{id}" not in row.path and thing in body else []
    count("answers that tell what exists", int(not same or bool(owners)))
    assert (same, owners) == (True, []), (foreign, other)


def test_a_batch_id_of_anothers_is_taken_and_nothing_more_is_told(things: Things) -> None:
    """Callers choose these ids themselves, so that one is taken cannot be hidden."""
    named = things.make("batch")
    order = {"manifest": things.batches.manifest(rows(things.simulator, "a quiet lake")), "batch_id": named}
    status, _, problem = things.stack.http("POST", "/batches", order, caller=STRANGER)
    said = f"Batch '{named}' belongs to another caller. Choose another batch_id."
    assert (status, problem["detail"]) == (409, said)


@pytest.mark.parametrize("row", MATRIX, ids=str)
def test_an_unsigned_call_reaches_no_function(row: Row) -> None:
    """API Gateway refuses it: every route of the transformed template wants IAM's signature. tests/e2e calls them."""
    [api] = expanded_resources("AWS::ApiGateway::RestApi").values()
    method, path = row.route
    documented = api["Body"]["paths"][path][method.lower()]
    found = UNSIGNED if documented.get("security") == [{"AWS_IAM": []}] else 200
    count("routes by callers")
    count("answered otherwise than written down", int(found != UNSIGNED))
    assert found == UNSIGNED
    assert api["Body"]["components"]["securitySchemes"]["AWS_IAM"]["x-amazon-apigateway-authtype"] == "awsSigv4"


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
def test_a_request_that_names_a_foreign_job_tells_nothing(things: Things, query: str) -> None:
    thing, absent, answers = things.make("completed"), "vid_00000000000000000000000000", set()
    paid = len(things.simulator.jobs())
    for named in (thing, absent):
        asked = request(things.simulator, previous_job_id=named)
        status, _, body = things.stack.http("POST", f"/videos{query}", asked, caller=STRANGER)
        answers.add((status, json.dumps(body).replace(named, "ID")))
    count("routes by callers", 2)
    count("answers that tell what exists", len(answers) - 1)
    assert [status for status, _ in answers] == [400]
    assert len(things.simulator.jobs()) == paid
