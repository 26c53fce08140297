"""Who may call the API: the local cloud checks signatures and policies of every caller but its root."""

from collections.abc import Callable

import boto3
import pytest

from local.paths import SAMPLE
from stillmotion_cli import uploads
from stillmotion_cli.client import ApiClient
from stillmotion_cli.errors import ApiProblem
from stillmotion_cli.stack import Stack
from tests.e2e.support import Caller, SimulatorControl


def _client(stack: Stack, key: str, secret: str) -> ApiClient:
    session = boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret, region_name=stack.region)
    return ApiClient(stack, session)


def test_a_user_who_may_invoke_the_api_gets_through(user: Callable[[str], tuple[str, str]], caller: Caller) -> None:
    client = _client(caller.stack, *user("execute-api:Invoke"))
    picture = uploads.upload(client, SAMPLE, "image/jpeg")
    job = client.submit(caller.request(first_frame=picture))
    assert job["id"].startswith("vid_")


def test_a_user_without_that_permission_is_forbidden(user: Callable[[str], tuple[str, str]], caller: Caller) -> None:
    with pytest.raises(ApiProblem) as refusal:
        _client(caller.stack, *user("execute-api:ManageConnections")).submit(caller.request())
    assert refusal.value.status == 403


def test_a_wrong_signature_is_forbidden(user: Callable[[str], tuple[str, str]], caller: Caller) -> None:
    key, _ = user("execute-api:Invoke")
    with pytest.raises(ApiProblem) as refusal:
        _client(caller.stack, key, "not the secret").submit(caller.request())
    assert refusal.value.status == 403


def test_a_foreign_job_is_not_found(user: Callable[[str], tuple[str, str]], caller: Caller) -> None:
    job = caller.client.submit(caller.request())
    with pytest.raises(ApiProblem) as refusal:
        _client(caller.stack, *user("execute-api:Invoke")).job(job["id"])
    assert refusal.value.status == 404


def test_a_foreign_picture_is_refused(
    user: Callable[[str], tuple[str, str]], caller: Caller, simulator: SimulatorControl
) -> None:
    paid, foreign = len(simulator.jobs()), caller.request()
    with pytest.raises(ApiProblem) as refusal:
        _client(caller.stack, *user("execute-api:Invoke")).submit(foreign)
    assert (refusal.value.status, refusal.value.code) == (422, "ImageNotUsable")
    assert len(simulator.jobs()) == paid
