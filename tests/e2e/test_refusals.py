"""What the API refuses, before anything is paid."""

import json
from typing import Any

import pytest
import urllib3

from stillmotion_cli.errors import ApiProblem
from stillmotion_cli.stack import Stack
from tests.e2e.support import Caller, SimulatorControl


@pytest.mark.parametrize(("method", "path"), [("POST", "/videos"), ("GET", "/videos/vid_1")])
def test_an_unsigned_request_is_forbidden(stack: Stack, method: str, path: str) -> None:
    body = json.dumps({"model": "m"}) if method == "POST" else None
    answer = urllib3.request(method, stack.api_url + path, body=body, timeout=10, retries=False)
    assert answer.status == 403


@pytest.mark.parametrize(
    ("changes", "code", "pointer"),
    [
        ({"model": "nobody/nothing-1"}, "UnknownModel", "#/model"),
        ({"duration": 5}, "UnsupportedByModel", "#/duration"),
        ({"colour": "blue"}, "InvalidRequest", "#/colour"),
        (
            {"first_frame": "s3://{input_bucket}/shared/missing.jpg"},
            "ImageNotUsable",
            "#/frame_images/0/image_url/url",
        ),
    ],
)
def test_an_unusable_request_is_refused_by_name_and_not_paid(
    caller: Caller, simulator: SimulatorControl, changes: dict[str, Any], code: str, pointer: str
) -> None:
    paid_before = len(simulator.jobs())
    if "first_frame" in changes:
        changes = {"first_frame": changes["first_frame"].format(input_bucket=caller.stack.input_bucket)}
    with pytest.raises(ApiProblem) as refusal:
        caller.client.submit(caller.request(**changes))
    problem = refusal.value
    assert problem.status in (400, 422)
    assert problem.code == code
    assert pointer in [fault["pointer"] for fault in problem.errors]
    assert len(simulator.jobs()) == paid_before


def test_a_body_that_is_not_json_is_refused_as_a_problem_document(caller: Caller) -> None:
    status, content = caller.client._send("POST", "/videos", b"{not json")
    assert status == 400
    problem = json.loads(content)
    assert problem["code"] == "InvalidRequest"
    assert problem["detail"]


def test_a_job_that_does_not_exist_is_not_found(caller: Caller) -> None:
    with pytest.raises(ApiProblem) as refusal:
        caller.client.job("vid_does_not_exist")
    assert (refusal.value.status, refusal.value.code) == (404, "JobNotFound")
