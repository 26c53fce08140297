"""The deployed API does what its own OpenAPI document says, whatever it is sent."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate
from schemathesis.specs.openapi import checks

from local.paths import ROOT, SAMPLE
from stillmotion_cli import pictures
from stillmotion_cli.stack import Stack
from tests.e2e.signing import TIMEOUT, Api, Signature
from tests.e2e.support import Caller, SimulatorControl

type Document = dict[str, Any]

DOCUMENT = ROOT / "functions" / "docs" / "openapi.json"
EXAMPLES = 30
ACCEPTED = 12
EXCLUDED = [
    # Whether a well-formed request is accepted is up to ModelGates' models, to the images and to the jobs there are.
    checks.positive_data_acceptance,
    # API Gateway answers 403 to what is not signed and to methods that it does not know; these expect 401 and 405.
    checks.missing_required_header,
    checks.unsupported_method,
]
CONFIG = {
    "seed": 1,
    "generation": {
        "mode": "all",
        "max-examples": EXAMPLES,
        "deterministic": True,
        "no-shrink": True,
        # Calls are signed on their way out.
        "with-security-parameters": False,
    },
    "phases": {"stateful": {"enabled": False}},
}


def _schema(document: Document) -> Any:
    return schemathesis.openapi.from_dict(document, config=schemathesis.Config.from_dict(CONFIG))


def _written() -> Document:
    document: Document = json.loads(DOCUMENT.read_text())
    return document


def _of_one_model(picture: str) -> Document:
    """The document with requests narrowed to what one model of the simulator takes, and to one picture."""
    document = _written()
    schemas = document["components"]["schemas"]
    request, reference = schemas["VideoRequest"]["properties"], {"$ref": "#/components/schemas/ImageReference"}
    narrowed = {
        "model": {"const": "google/veo-3.1-lite"},
        "prompt": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[a-z ]+$"},
        "duration": {"enum": [4, 6, 8]},
        "resolution": {"enum": ["720p", "1080p"]},
        "aspect_ratio": {"enum": ["16:9", "9:16"]},
        "frame_images": request["frame_images"]["anyOf"][0] | {"maxItems": 1},
        "input_references": {"type": "array", "items": reference, "minItems": 1, "maxItems": 2},
    }
    kept = ("generate_audio", "seed", "session_id", "user", "trace", "metadata")
    schemas["VideoRequest"]["properties"] = {name: request[name] for name in kept} | narrowed
    schemas["VideoRequest"]["required"] = ["model", "prompt"]
    schemas["MediaUrl"]["properties"]["url"] = {"const": picture}
    return document


EVERYTHING = _schema(_written())
bounded = settings(deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def quick(simulator: SimulatorControl, api: Api) -> Iterator[None]:
    """Clips that are tiny and finished at once; waits until no job of the block is under way any more."""
    with simulator.settings(clip="tiny", complete_on_submit=True, seconds_pending=0.0, seconds_to_ready=0.0):
        yield
        api.wait_until_quiet()


def test_the_stack_serves_its_document_and_it_is_valid_openapi(api: Api) -> None:
    answer = api.call("GET", "/openapi.json")
    assert answer.status_code == 200
    served = answer.json()
    validate(served)
    assert served | {"servers": []} == _written() | {"servers": []}


@EVERYTHING.parametrize()
@bounded
def test_every_answer_is_a_documented_one(case: schemathesis.Case, stack: Stack) -> None:
    case.call_and_validate(base_url=stack.api_url, auth=Signature(stack), timeout=TIMEOUT, excluded_checks=EXCLUDED)


@pytest.mark.usefixtures("quick")
def test_requests_that_are_accepted_are_answered_as_documented(stack: Stack, simulator: SimulatorControl) -> None:
    statuses: Counter[int] = Counter()
    operation = _schema(_of_one_model(pictures.upload(stack, SAMPLE)))["/videos"]["POST"]
    paid = len(simulator.jobs())

    @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE))
    @settings(bounded, max_examples=ACCEPTED, derandomize=True, database=None, phases=[Phase.generate])
    def submit(case: schemathesis.Case) -> None:
        if case.headers and "idempotency-key" in case.headers:
            # Generated keys come twice, with other bodies.
            case.headers["idempotency-key"] += f" {sum(statuses.values())}"
        answer = case.call_and_validate(base_url=stack.api_url, auth=Signature(stack), timeout=TIMEOUT)
        statuses[answer.status_code] += 1

    submit()
    assert set(statuses) <= {200, 202}
    assert statuses[202] >= ACCEPTED // 3, statuses
    assert len(simulator.jobs()) - paid == statuses[202]


@pytest.fixture(scope="module")
def jobs(caller: Caller, api: Api, simulator: SimulatorControl) -> dict[str, str]:
    """The ids of a job that is completed, failed, cancelled, and one whose delivery failed."""
    ids = {}
    with simulator.settings(clip="tiny", complete_on_submit=True):
        ids["completed"] = caller.make()["id"]
        with simulator.fault(on="content", garbage=True, times=None):
            ids["undelivered"] = caller.make()["id"]
    with simulator.settings(fail_with={"status": "failed", "error": "No."}):
        ids["failed"] = caller.make()["id"]
    with simulator.settings(seconds_to_ready=60):
        ids["cancelled"] = caller.client.submit(caller.request())["id"]
        assert api.call("DELETE", f"/videos/{ids['cancelled']}").status_code == 200
    return ids


@pytest.mark.parametrize(
    ("state", "statuses"),
    [
        ("completed", {"GET": 200, "DELETE": 409, "POST": 409}),
        ("failed", {"GET": 200, "DELETE": 409, "POST": 409}),
        ("cancelled", {"GET": 200, "DELETE": 200, "POST": 409}),
        ("undelivered", {"GET": 200, "DELETE": 409, "POST": 202}),
    ],
)
def test_a_job_in_any_state_is_answered_as_documented(
    jobs: dict[str, str], stack: Stack, api: Api, state: str, statuses: dict[str, int]
) -> None:
    for method, status in statuses.items():
        operation = EVERYTHING["/videos/{id}/resume" if method == "POST" else "/videos/{id}"][method]
        case = operation.Case(path_parameters={"id": jobs[state]})
        answer = case.call_and_validate(base_url=stack.api_url, auth=Signature(stack), timeout=TIMEOUT)
        assert answer.status_code == status, (method, answer.text)
    api.wait_until_quiet()
