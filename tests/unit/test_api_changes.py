"""What counts as a break for clients of the API."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from scripts import api_changes
from scripts.api_changes import DOCUMENT, changes, may_break

type Edit = Callable[[dict[str, Any]], object]
TODAY = json.loads(DOCUMENT.read_text())
POST = ("paths", "/videos", "post")


def schema(name: str, document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"][name]
    return found


def after(edit: Edit) -> list[str]:
    """The breaks that an edit of today's document makes."""
    new = copy.deepcopy(TODAY)
    edit(new)
    return [f"{change.place}: {change.text}" for change in changes(TODAY, new) if change.breaks]


def put(*path: str, value: Any) -> Edit:
    """An edit that sets one place of the document."""

    def edit(document: dict[str, Any]) -> None:
        here = document
        for part in path[:-1]:
            here = here[part]
        here[path[-1]] = value

    return edit


def drop(*path: str) -> Edit:
    """An edit that removes one place of the document."""

    def edit(document: dict[str, Any]) -> None:
        here = document
        for part in path[:-1]:
            here = here[part]
        del here[path[-1]]

    return edit


REQUEST = ("components", "schemas", "VideoRequest")
ANSWER = ("components", "schemas", "JobView")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (drop("paths", "/models"), "GET /models: is gone"),
        (drop("paths", "/videos/{id}", "delete"), "DELETE /videos/{id}: is gone"),
        (put(*POST, "operationId", value="make"), "POST /videos: operationId was create_video, is make"),
        (drop(*POST, "responses", "202"), "POST /videos 202: is no longer answered"),
        (drop(*REQUEST, "properties", "seed"), "VideoRequest.seed: is gone"),
        (drop(*ANSWER, "properties", "polls"), "JobView.polls: is gone"),
        (put(*REQUEST, "required", value=["model", "prompt"]), "VideoRequest.prompt: is now required"),
        (put(*ANSWER, "required", value=["id"]), "JobView.status: may now be missing"),
        (put(*ANSWER, "properties", "polls", "type", value="string"), "JobView.polls: may now be string"),
        (put(*REQUEST, "properties", "model", "maxLength", value=20), "VideoRequest.model: maxLength was 200, is 20"),
        (put(*REQUEST, "properties", "model", "pattern", value="^g"), "VideoRequest.model: pattern was open, is ^g"),
        (put(*REQUEST, "properties", "model", "type", value="integer"), "VideoRequest.model: no longer takes string"),
        (
            lambda document: schema("FrameImage", document)["properties"]["frame_type"]["enum"].remove("last_frame"),
            'FrameImage.frame_type: no longer takes "last_frame"',
        ),
        (
            lambda document: document["paths"]["/videos"]["get"]["parameters"][0].update(required=True),
            "GET /videos query status: is now required",
        ),
        (
            lambda document: document["paths"]["/videos"]["get"]["parameters"].pop(0),
            "GET /videos query status: is no longer taken",
        ),
        (
            lambda document: document["paths"]["/videos"]["get"]["parameters"].append(
                {"name": "owner", "in": "query", "required": True, "schema": {"type": "string"}}
            ),
            "GET /videos query owner: is new and required",
        ),
    ],
)
def test_a_client_of_the_release_would_fail_by_it(edit: Edit, said: str) -> None:
    assert said in after(edit)


@pytest.mark.parametrize(
    "edit",
    [
        put(*REQUEST, "properties", "tempo", value={"type": "string"}),
        put(*ANSWER, "properties", "tempo", value={"type": "string"}),
        put(*REQUEST, "required", value=[]),
        put(*REQUEST, "properties", "model", "maxLength", value=300),
        drop(*REQUEST, "properties", "model", "minLength"),
        put("paths", "/presets", value={"put": {"operationId": "change_presets", "responses": {}}}),
        put(*POST, "responses", "418", value={"description": "tea"}),
        put(*ANSWER, "properties", "polls", "description", value="another"),
        lambda document: schema("FrameImage", document)["properties"]["frame_type"]["enum"].append("middle_frame"),
    ],
)
def test_a_client_of_the_release_goes_on_as_before(edit: Edit) -> None:
    assert after(edit) == []


def test_additions_are_listed_without_being_breaks() -> None:
    new = copy.deepcopy(TODAY)
    put(*ANSWER, "properties", "tempo", value={"type": "string"})(new)
    assert [str(change) for change in changes(TODAY, new)] == ["changes JobView.tempo: is new"]


def test_a_document_does_not_differ_from_itself() -> None:
    assert changes(TODAY, copy.deepcopy(TODAY)) == []


@pytest.mark.parametrize(
    ("old", "new", "may"),
    [
        ("0.2.0", "0.2.1", False),
        ("0.2.0", "0.3.0", True),
        ("0.2.0", "1.0.0", True),
        ("1.2.0", "1.3.0", False),
        ("1.2.0", "2.0.0", True),
        ("2.0.0", "1.9.0", False),
    ],
)
def test_only_a_new_major_version_may_break(old: str, new: str, may: bool) -> None:
    assert may_break(old, new) is may


def test_the_newest_release_is_the_one_compared_with(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_changes, "RELEASES", tmp_path)
    assert api_changes.last_release() is None
    for version in ("0.9.0", "0.10.0"):
        (tmp_path / f"openapi-{version}.json").write_text(json.dumps({"info": {"version": version}}))
    assert api_changes.last_release() == {"info": {"version": "0.10.0"}}


def test_todays_document_breaks_no_client_of_the_last_release() -> None:
    old = api_changes.last_release()
    assert old is not None
    broken = [str(change) for change in changes(old, TODAY) if change.breaks]
    assert broken == [] or may_break(old["info"]["version"], TODAY["info"]["version"])
