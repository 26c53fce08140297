"""ModelGates calling back, through the deployed function URL."""

import json
import time
from typing import Any

import urllib3

from stillmotion_cli.stack import Stack
from tests.e2e.support import Caller, SimulatorControl


def callbacks(simulator: SimulatorControl, job_id: str) -> list[dict[str, Any]]:
    """Every attempt to call back about a job."""
    return [one for one in simulator.webhooks() if f"/callbacks/{job_id}/" in one["url"]]


def taken(simulator: SimulatorControl, job_id: str, seconds: float = 30.0) -> str:
    """The address of the callback about a job, once the stack has taken one: a cold function may need a second try."""
    deadline = time.monotonic() + seconds
    while not (found := [one["url"] for one in callbacks(simulator, job_id) if one["status"] == 204]):
        assert time.monotonic() < deadline, callbacks(simulator, job_id)
        time.sleep(0.2)
    return str(found[0])


def test_modelgates_calls_the_deployed_function_back(caller: Caller, simulator: SimulatorControl, stack: Stack) -> None:
    job = caller.make()
    assert job["status"] == "completed", job
    address = taken(simulator, job["id"])
    item = stack.client("dynamodb").get_item(TableName=stack.table_name, Key={"id": {"S": f"callback#{job['id']}"}})
    assert int(item["Item"]["wakes"]["N"]) >= 1
    assert item["Item"]["provider_id"] == {"S": job["provider"]["job_id"]}
    events = stack.client("stepfunctions").get_execution_history(
        executionArn=caller.execution(job)["executionArn"], maxResults=1000
    )["events"]
    assert "WaitForCallback" in [one.get("stateEnteredEventDetails", {}).get("name") for one in events]
    assert address not in json.dumps(events, default=str)

    path, token = address.rpartition("/")[::2]
    for forged in (f"{path}/{token[::-1]}", f"{path}/", path.rpartition("/")[0], f"{address}?a=b"):
        answer = urllib3.request("POST", forged, body=b"{}", timeout=20, retries=False)
        assert (answer.status, len(answer.data)) == (404, 0), forged


def test_a_deployed_job_without_callbacks_is_polled(caller: Caller, simulator: SimulatorControl) -> None:
    with simulator.settings(webhooks=False):
        job = caller.make()
    assert job["status"] == "completed", job
    assert job["polls"] >= 1
    assert callbacks(simulator, job["id"]) == []
