"""Conventions of the batch machine's definition and of its place in the template, as checks."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from stillmotion.batches.manifest import MAX_ROW_BYTES
from stillmotion.errors import ERRORS
from stillmotion.requests.batch_order import MAX_CONCURRENCY
from tests.support.cloudformation import expanded_resources
from tests.support.inprocess_batches import BATCH_DEFINITION
from tests.support.template import DEFINITION, resources, template

MACHINE: dict[str, Any] = json.loads(BATCH_DEFINITION.read_text())
MAP: dict[str, Any] = MACHINE["States"]["Items"]
ITEM: dict[str, Any] = MAP["ItemProcessor"]
STATES: dict[str, dict[str, Any]] = MACHINE["States"] | ITEM["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
FOREIGN = ("States.", "Lambda.", "Runtime.", "Sandbox.", "StepFunctions.")
STATE_LIMIT, HISTORY_LIMIT = 262_144, 25_000
BATCH = resources("AWS::Serverless::StateMachine")["GenerateBatchStateMachine"]


def statements() -> dict[str, dict[str, Any]]:
    [policy] = resources("AWS::IAM::Role")["GenerateBatchStateMachineRole"]["Policies"]
    return {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_bounded_retried_and_caught_without_losing_the_batch(name: str) -> None:
    task = TASKS[name]
    assert task["TimeoutSeconds"]
    assert task["ResultSelector"]
    assert task["ResultPath"].startswith("$.")
    assert [rule["ErrorEquals"] for rule in task["Catch"]] == [["States.ALL"]]
    assert all(rule["ResultPath"].startswith("$.") for rule in task["Catch"])
    for rule in task["Retry"]:
        assert 0 < rule["MaxAttempts"] <= 10
        assert rule["MaxDelaySeconds"]
        assert rule["JitterStrategy"] == "FULL"
        assert all(error.startswith(FOREIGN) or error in ERRORS for error in rule["ErrorEquals"])


@pytest.mark.parametrize("name", [name for name in TASKS if name != "Generate"])
def test_a_task_waits_longer_than_its_function_runs(name: str) -> None:
    [function] = re.findall(r"\$\{(\w+)Arn\}", TASKS[name]["Parameters"]["FunctionName"])
    assert function == f"{name}Function"
    assert TASKS[name]["TimeoutSeconds"] > resources("AWS::Serverless::Function")[function]["Timeout"]


def test_each_machine_gives_up_later_than_the_one_inside_it() -> None:
    inner = json.loads(DEFINITION.read_text())["TimeoutSeconds"]
    assert inner < STATES["Generate"]["TimeoutSeconds"] < MACHINE["TimeoutSeconds"]


def test_an_item_is_never_paid_by_a_retry_of_the_workflow() -> None:
    assert "Name.$" in STATES["Generate"]["Parameters"]
    errors = [error for rule in STATES["Generate"]["Retry"] for error in rule["ErrorEquals"]]
    assert all(error.startswith("StepFunctions.") for error in errors)
    assert "StepFunctions.ExecutionAlreadyExistsException" not in errors
    assert "Retry" not in MAP


def test_an_item_that_fails_in_any_way_is_recorded() -> None:
    [caught] = STATES["Generate"]["Catch"]
    assert (caught["Next"], STATES["Generate"]["Next"]) == ("RecordItem", "RecordItem")
    assert STATES["Recorded?"]["Default"] == "ItemDone"
    assert {STATES[name]["Type"] for name in ("ItemFailed", "ItemUnrecorded")} == {"Fail"}


def test_the_map_is_distributed_and_takes_its_numbers_from_the_order() -> None:
    assert ITEM["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    assert MAP["ItemReader"]["ReaderConfig"] == {"InputType": "JSONL"}
    assert {"MaxConcurrencyPath", "ToleratedFailurePercentagePath"} <= MAP.keys()
    assert MAX_CONCURRENCY <= 10_000


def test_no_list_enters_the_state() -> None:
    # Without ResultWriter the results of all items, and of failed ones their whole input, would be this state's output.
    assert MAP["ResultWriter"]["Resource"] == "arn:${Partition}:states:::s3:putObject"
    assert MAP["ResultPath"] is None
    # An item's row rides through the item's state, the nested execution's input, and what that answers with.
    assert 3 * MAX_ROW_BYTES < STATE_LIMIT


def test_the_history_of_an_item_and_of_the_batch_are_short() -> None:
    def events(states: dict[str, Any]) -> int:
        tries = [1 + sum(rule["MaxAttempts"] for rule in state.get("Retry", ())) for state in states.values()]
        return sum(2 + 3 * number for number in tries)

    assert events(ITEM["States"]) < 100
    assert events(MACHINE["States"]) < 200 < HISTORY_LIMIT


def test_state_names_are_used_once_and_every_state_can_be_reached() -> None:
    assert not MACHINE["States"].keys() & ITEM["States"].keys()
    for machine in (MACHINE, ITEM):
        reached, todo = set(), {machine["StartAt"]}
        while todo:
            state = machine["States"][name := todo.pop()]
            reached.add(name)
            rules = [state, *state.get("Choices", ()), *state.get("Catch", ())]
            todo |= {rule[key] for rule in rules for key in ("Next", "Default") if key in rule} - reached
        assert reached == set(machine["States"])


def test_the_batch_machine_calls_only_functions_it_names() -> None:
    assert set(BATCH["DefinitionSubstitutions"]) == set(re.findall(r"\$\{(\w+)\}", BATCH_DEFINITION.read_text()))
    functions = [found for name, found in BATCH["DefinitionSubstitutions"].items() if name.endswith("FunctionArn")]
    assert sorted(map(str, statements()["InvokeBatchSteps"]["Resource"])) == sorted(map(str, functions))


def test_the_machine_may_run_items_and_videos_and_nothing_else() -> None:
    assert set(statements()) == {
        "InvokeBatchSteps",
        "ReadBatchFiles",
        "WriteMapRunResults",
        "StartItemExecutions",
        "StopItemExecutions",
        "StartVideoExecutions",
        "StopItemVideos",
        "WaitForVideos",
    }
    rule = statements()["WaitForVideos"]["Resource"]["Fn::Sub"]
    assert rule.endswith(":rule/StepFunctionsGetEventsForStepFunctionsExecutionRule")
    assert statements()["StartVideoExecutions"]["Resource"] == {"Ref": "GenerateVideoStateMachine"}
    # By name: the machine's own ARN in its own role would be a circle.
    assert BATCH["Name"] == {"Fn::Sub": "${AWS::StackName}-batches"}
    assert statements()["StartItemExecutions"]["Resource"]["Fn::Sub"].endswith(
        ":stateMachine:${AWS::StackName}-batches"
    )


def test_only_manifests_in_their_folder_start_a_batch() -> None:
    rules = expanded_resources("AWS::Events::Rule")
    manifests = rules["GenerateBatchStateMachineManifestDropped"]["EventPattern"]
    patterns = [matcher["wildcard"] for matcher in manifests["detail"]["object"]["key"]]
    assert patterns == [f"batches/in/*.{suffix}" for suffix in ("csv", "json", "jsonl", "ndjson")]
    pictures = rules["GenerateVideoStateMachinePictureDropped"]["EventPattern"]
    assert pictures["detail"]["object"]["key"] == [{"prefix": "drop/"}]


def test_a_batch_runs_twenty_at_a_time_and_tolerates_failures_by_default() -> None:
    assert template()["Parameters"]["BatchMaxConcurrency"]["Default"] == 20
    assert template()["Parameters"]["BatchToleratedFailurePercentage"]["Default"] == 100
