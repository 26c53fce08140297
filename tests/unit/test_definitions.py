"""Every definition, examples included, is valid Amazon States Language.

Two checks, because no library has both. moto's parser knows the grammar: fields, types of values, paths, intrinsic
functions. It accepts a transition to a state that does not exist, so the names are followed here. cfn-lint's schema
(E3601) refuses InputPath and OutputPath of a Succeed state, which the language has, and accepts wrong transitions.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

from tests.support.template import DEFINITION, ROOT

DEFINITIONS = sorted((ROOT / "workflows").rglob("*.asl.json"))
TERMINAL = ("Succeed", "Fail")


def parse(definition: dict[str, Any]) -> None:
    """Parse with every placeholder filled in as text, as a deployment does. moto does not know JSON Lines, which a Map
    reads (*ItemReader, InputType*).

    Raises:
        Exception: the definition is not valid; moto has several types.
    """
    text = re.sub(r"\$\{(\w+)\}", "30", json.dumps(definition))
    AmazonStateLanguageParser.parse(text.replace('"InputType": "JSONL"', '"InputType": "JSON"'))


def faults(definition: dict[str, Any], where: str = "") -> Iterator[str]:
    """What is wrong with the transitions of a machine and of the machines inside it."""
    states = definition["States"]
    if definition["StartAt"] not in states:
        yield f"{where}StartAt: {definition['StartAt']}"
    for name, state in states.items():
        at = f"{where}{name}"
        for rule in (state, *state.get("Choices", ()), *state.get("Catch", ())):
            yield from (f"{at}: {rule[key]}" for key in ("Next", "Default") if rule.get(key, name) not in states)
        if state["Type"] not in (*TERMINAL, "Choice") and ("Next" in state) == (state.get("End") is True):
            yield f"{at}: neither Next nor End, or both"
        if state["Type"] == "Choice" and not all("Next" in choice for choice in state["Choices"]):
            yield f"{at}: a choice without Next"
        inner = [state[key] for key in ("ItemProcessor", "Iterator") if key in state]
        for machine in (*inner, *state.get("Branches", ())):
            yield from faults(machine, f"{at}/")


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.name)
def test_a_definition_is_valid(path: Path) -> None:
    definition = json.loads(path.read_text())
    parse(definition)
    assert list(faults(definition)) == []


def test_all_definitions_are_checked() -> None:
    assert [path.name for path in DEFINITIONS] == [
        "cheapest_prompt.asl.json",
        "second_model.asl.json",
        "generate_batch.asl.json",
        "generate_video.asl.json",
    ]
    assert not list((ROOT / "docs").rglob("*.asl.json"))


MISTAKES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "an unknown field": lambda states: states["Wait"].update(Second=1),
    "no resource": lambda states: states["Poll"].pop("Resource"),
    "an unknown type": lambda states: states["Poll"].update(Type="Job"),
    "two kinds of wait": lambda states: states["Wait"].update(Seconds=3),
    "a path without $": lambda states: states["Poll"].update(ResultPath="job"),
    "a time-out as text": lambda states: states["Poll"].update(TimeoutSeconds="90"),
    "a misspelt retry": lambda states: states["Poll"]["Retry"][0].update(MaxAttempt=3),
    "an unknown intrinsic": lambda states: states["CountPoll"]["Parameters"].update({"count.$": "States.Sum(1, 2)"}),
    "a choice without a test": lambda states: states["Status?"]["Choices"][0].pop("Variable"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_parser_refuses_a_mistake(mistake: str) -> None:
    definition = json.loads(DEFINITION.read_text())
    parse(copy.deepcopy(definition))
    MISTAKES[mistake](definition["States"])
    with pytest.raises(Exception, match=r"."):
        parse(definition)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda machine: machine.update(StartAt="Nowhere"), "StartAt: Nowhere"),
        (lambda machine: machine["States"]["Wait"].update(Next="Nowhere"), "Wait: Nowhere"),
        (lambda machine: machine["States"]["Status?"].update(Default="Nowhere"), "Status?: Nowhere"),
        (lambda machine: machine["States"]["Poll"]["Catch"][0].update(Next="Nowhere"), "Poll: Nowhere"),
        (lambda machine: machine["States"]["CountPoll"].pop("Next"), "CountPoll: neither Next nor End, or both"),
    ],
)
def test_a_wrong_transition_is_found(change: Callable[[dict[str, Any]], Any], expected: str) -> None:
    definition = json.loads(DEFINITION.read_text())
    change(definition)
    assert list(faults(definition)) == [expected]
