"""The ModelGates key stays where it was put."""

from local.cloud import LocalCloud
from stillmotion_cli.stack import Stack
from tests.e2e.support import Caller


def test_the_key_is_in_no_log_no_execution_and_no_function(caller: Caller, cloud: LocalCloud, stack: Stack) -> None:
    job = caller.make()
    places = {path.name: path.read_text(errors="replace") for path in cloud.folder.glob("*.log")}
    places |= {"record": str(job), "events": str(cloud.events.about(job["id"]))}
    execution = caller.execution(job)
    states = stack.client("stepfunctions")
    places["execution"] = str(execution)
    places["history"] = str(states.get_execution_history(executionArn=execution["executionArn"], maxResults=1000))
    for function in stack.client("lambda").list_functions()["Functions"]:
        places[function["FunctionName"]] = str(function)
    logs = stack.client("logs")
    for group in logs.describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        places[name] = str(logs.filter_log_events(logGroupName=name)["events"])
    assert len(places) > 10, f"too little was looked at: {sorted(places)}"
    assert [name for name, text in places.items() if cloud.api_key in text] == []
