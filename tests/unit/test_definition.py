"""Conventions of the state machine's definition, as checks."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest

from stillmotion.errors import ERRORS
from stillmotion.generation.poll import UNCONFIRMED
from stillmotion.generation.submit import LEASE_SECONDS
from stillmotion.modelgates.responses import MAX_RETRY_AFTER_SECONDS
from tests.support.template import DEFINITION, resources, template

# The file as it stands, without anything filled in: it is JSON, for editors and for whoever reads it.
MACHINE: dict[str, Any] = json.loads(DEFINITION.read_text())
STATES: dict[str, dict[str, Any]] = MACHINE["States"]
TASKS = {name: state for name, state in STATES.items() if state.get("Resource", "").endswith(":lambda:invoke")}
FOREIGN = ("States.", "Lambda.", "Runtime.", "Sandbox.")
SUBMIT_LOOP = {"CountSubmit", "Submit", "Submitted?", "WaitToSubmit"}
POLL_LOOP = {"Status?", "WaitForCallback", "Wait", "CountPoll", "Poll", "PollsLeft?"}
HISTORY_LIMIT = 25_000
MAX_BACKOFF_SECONDS = 750


def parameter(name: str, bound: str = "MaxValue") -> int:
    return int(template()["Parameters"][name][bound])


def retried(state: dict[str, Any]) -> list[str]:
    return [error for rule in state["Retry"] for error in rule["ErrorEquals"]]


def caught(state: dict[str, Any]) -> list[str]:
    return [error for rule in state["Catch"] for error in rule["ErrorEquals"]]


def function_seconds(state: dict[str, Any]) -> int:
    """The time-out of the function that a task calls."""
    [name] = re.findall(r"\$\{(\w+)Arn\}", state["Parameters"]["FunctionName"])
    return int(resources("AWS::Serverless::Function")[name]["Timeout"])


def tries(state: dict[str, Any]) -> int:
    return 1 + sum(rule["MaxAttempts"] for rule in state.get("Retry", ()))


def history_events(state: dict[str, Any]) -> int:
    """Entered and exited; each try of a task is scheduled, started and ends (*AWS Step Functions, history events*)."""
    return 2 + 3 * tries(state) if state["Type"] == "Task" else 2


def task_seconds(state: dict[str, Any]) -> float:
    """How long a task can take with all its retries and the pauses between them."""
    pauses = [
        min(rule["IntervalSeconds"] * rule["BackoffRate"] ** at, rule.get("MaxDelaySeconds", math.inf))
        for rule in state["Retry"]
        for at in range(rule["MaxAttempts"])
    ]
    return state["TimeoutSeconds"] * tries(state) + sum(pauses)


def following(state: dict[str, Any]) -> set[str]:
    rules = [state, *state.get("Choices", ()), *state.get("Catch", ())]
    return {rule[name] for rule in rules for name in ("Next", "Default") if name in rule}


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_bounded_retried_and_caught(name: str) -> None:
    task = TASKS[name]
    assert task["TimeoutSeconds"] > function_seconds(task)
    assert task["Retry"]
    assert "States.ALL" in caught(task)
    assert all(rule["ResultPath"].startswith("$.") for rule in task["Catch"])
    assert task["ResultPath"].startswith("$.")
    assert task["ResultSelector"]


@pytest.mark.parametrize("name", TASKS)
def test_every_error_that_is_waited_for_exists(name: str) -> None:
    for error in (*retried(TASKS[name]), *caught(TASKS[name])):
        assert error.startswith(FOREIGN) or error in ERRORS, error


@pytest.mark.parametrize("name", TASKS)
def test_every_retry_is_bounded_and_a_time_out_has_a_policy_of_its_own(name: str) -> None:
    for rule in TASKS[name]["Retry"]:
        assert 0 < rule["MaxAttempts"] <= 10
        assert rule["IntervalSeconds"] >= 1
        if rule["BackoffRate"] > 1:
            assert rule["MaxDelaySeconds"]
            assert rule["JitterStrategy"] == "FULL"
        if "States.Timeout" in rule["ErrorEquals"]:
            assert rule["MaxAttempts"] <= 2
            assert not [error for error in rule["ErrorEquals"] if error in ERRORS]


def test_a_submit_whose_outcome_is_unknown_is_never_retried() -> None:
    listed = set(retried(TASKS["Submit"]))
    assert not listed & {"SubmitOutcomeUnknown", "States.ALL", "States.TaskFailed", "ProviderError"}
    final = {"ProviderRejected", "ProviderUnauthorized", "ProviderOutOfCredits", "InvalidRequest", "JobStateConflict"}
    assert not listed & final


def test_a_claimed_submit_is_checked_again_until_the_claim_expires() -> None:
    [rule] = [rule for rule in TASKS["Submit"]["Retry"] if "SubmitInProgress" in rule["ErrorEquals"]]
    assert rule["IntervalSeconds"] * rule["MaxAttempts"] > LEASE_SECONDS
    assert rule["BackoffRate"] == 1


def test_a_failed_poll_counts_as_not_finished_yet() -> None:
    [rule] = TASKS["Poll"]["Catch"]
    assert (rule["Next"], rule["ResultPath"]) == ("PollsLeft?", "$.poll_error")
    # Not for a callback: the one that caused a failed poll would cause the next one at once, and the next.
    assert STATES["PollsLeft?"]["Default"] == "Wait"
    [last] = STATES["PollsLeft?"]["Choices"]
    assert (last["NumericGreaterThanEqualsPath"], last["Next"]) == ("$.settings.max_poll_attempts", "RecordFailure")
    assert "ProviderThrottled" not in retried(TASKS["Poll"])  # waited for by the loop, as long as it asks


def test_the_outcome_counts_before_the_number_of_polls() -> None:
    rules = STATES["Status?"]["Choices"]
    assert rules[0]["StringEquals"] == "completed"
    assert "NumericGreaterThanEqualsPath" in rules[2]
    assert (rules[3]["StringEquals"], rules[3]["Next"]) == ("true", "WaitForCallback")
    told = {rule["StringEquals"] for rule in rules[1]["Or"]}
    assert told == {"failed", "cancelled", "expired", UNCONFIRMED}
    assert STATES["Status?"]["Default"] == "Wait"


def test_a_wait_begins_only_after_every_callback_was_polled() -> None:
    wait = STATES["WaitForCallback"]
    assert wait["Resource"] == "arn:${Partition}:states:::aws-sdk:dynamodb:updateItem.waitForTaskToken"
    given = wait["Parameters"]
    assert given["Key"] == {"id": {"S.$": "States.Format('callback#{}', $.job.id)"}}
    assert given["ConditionExpression"] == "attribute_not_exists(wakes) OR wakes = :seen"
    assert given["ExpressionAttributeValues"][":seen"] == {"N.$": "$.job.wakes"}
    for name in ("Submit", "Poll"):
        assert {"wakes", "wakes.$"} & STATES[name]["ResultSelector"].keys()
    for name in ("TakeOver", "TakeOverLater"):
        assert STATES[name]["Parameters"]["wakes"] == "0"


def test_a_callback_is_polled_for_and_not_counted_and_a_time_out_is() -> None:
    wait = STATES["WaitForCallback"]
    assert wait["TimeoutSecondsPath"] == STATES["Wait"]["SecondsPath"]
    assert wait["Next"] == "Poll"
    timed_out, seen_late, other = wait["Catch"]
    assert (timed_out["ErrorEquals"], timed_out["Next"]) == (["States.Timeout"], "CountPoll")
    # Step Functions writes the service's name in one way, other engines in the other.
    assert seen_late["ErrorEquals"] == [f"{name}.ConditionalCheckFailedException" for name in ("DynamoDb", "DynamoDB")]
    assert seen_late["Next"] == "Poll"
    assert (other["ErrorEquals"], other["Next"]) == (["States.ALL"], "Wait")
    assert "Retry" not in wait


def test_a_job_that_is_confirming_waits_on_and_its_error_is_forgotten() -> None:
    assert STATES["RecordFailure"]["Next"] == "Ended?"
    [confirming] = STATES["Ended?"]["Choices"]
    assert (confirming["StringEquals"], confirming["Next"]) == ("confirming", "Confirm")
    assert STATES["Ended?"]["Default"] == "Failed"
    # The whole state anew: with the old error in it, a job that is adopted and fails later would end as unknown.
    assert "ResultPath" not in STATES["Confirm"]
    assert {name.removesuffix(".$") for name in STATES["Confirm"]["Parameters"]} == {
        *("input", "settings", "submits", "polls", "job")
    }
    assert STATES["Confirm"]["Next"] == "Status?"


def test_a_delivery_is_retried_for_exactly_what_may_be_tried_again() -> None:
    ours = {error for error in retried(TASKS["Deliver"]) if error in ERRORS}
    retryable = {name for name, kind in ERRORS.items() if kind.retryable}
    elsewhere = {"SubmitInProgress", "PollingTimedOut"}  # of submitting and of the machine itself
    # A finished video waits at ModelGates: a key that was just rotated is worth another try, and so is content that
    # was not there at one look.
    assert ours == retryable - elsewhere | {"ProviderUnauthorized", "GenerationExpired"}


def test_every_state_can_be_reached_and_leads_to_an_end() -> None:
    reached, todo = set(), {MACHINE["StartAt"]}
    while todo:
        name = todo.pop()
        reached.add(name)
        todo |= following(STATES[name]) - reached
    assert reached == set(STATES)
    for name, state in STATES.items():
        assert following(state) or state["Type"] in ("Succeed", "Fail"), name
        assert state["Type"] != "Choice" or "Default" in state, name


def test_a_longest_execution_stays_within_the_history() -> None:
    loops = {name: parameter("MaxPollAttempts") for name in POLL_LOOP}
    loops |= dict.fromkeys(SUBMIT_LOOP, STATES["Prepare"]["Parameters"]["settings"]["max_submit_attempts"])
    events = sum(history_events(state) * (loops.get(name, 1) + 1) for name, state in STATES.items())
    assert events < HISTORY_LIMIT


def test_the_machine_gives_up_later_than_every_way_through_it() -> None:
    polls, interval = parameter("MaxPollAttempts"), parameter("PollIntervalSeconds")
    assert MACHINE["TimeoutSeconds"] > polls * interval
    submits = STATES["Prepare"]["Parameters"]["settings"]["max_submit_attempts"]
    wait_to_submit = max(MAX_BACKOFF_SECONDS, MAX_RETRY_AFTER_SECONDS)
    wait_to_poll = max(interval, MAX_RETRY_AFTER_SECONDS)
    longest = (
        submits * (task_seconds(TASKS["Submit"]) + wait_to_submit)
        + polls * (task_seconds(TASKS["Poll"]) + wait_to_poll)
        + task_seconds(TASKS["Deliver"])
        + task_seconds(TASKS["RecordFailure"])
    )
    # A machine that times out records nothing: only what nobody planned for may end that way.
    assert MACHINE["TimeoutSeconds"] > longest


def test_numbers_come_in_as_text_so_that_the_file_stays_json() -> None:
    settings = STATES["Prepare"]["Parameters"]["settings"]
    assert settings["poll_interval_seconds.$"] == "States.StringToJson('${PollIntervalSeconds}')"
    assert settings["max_poll_attempts.$"] == "States.StringToJson('${MaxPollAttempts}')"
    assert STATES["Wait"]["SecondsPath"] == "$.job.wait_seconds"
    assert MACHINE.get("QueryLanguage", "JSONPath") == "JSONPath"
