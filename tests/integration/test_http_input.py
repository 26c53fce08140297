"""What callers send besides well-formed requests: other media types, and times that are none."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from local.simulator import Simulator
from tests.support.inprocess import Cloud
from tests.support.requests import request

MULTIPART = '--b\r\nContent-Disposition: form-data; name="content_type"\r\n\r\nimage/png\r\n--b--\r\n'


@pytest.mark.parametrize("given", ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8"])
def test_json_is_read_however_its_type_is_written(stack: Cloud, given: str) -> None:
    status, _, upload = stack.http("POST", "/uploads", {"content_type": "image/png"}, headers={"Content-Type": given})
    assert (status, upload["fields"]["Content-Type"]) == (201, "image/png")


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ("text/plain", '{"content_type": "image/png"}'),
        ("application/jsonx", '{"content_type": "image/png"}'),
        ("application/json-patch+json", '{"content_type": "image/png"}'),
        ("application/x-www-form-urlencoded", "content_type=image/png"),
        ("multipart/form-data", MULTIPART),
        ("multipart/form-data; boundary=b", MULTIPART),
    ],
)
@pytest.mark.parametrize("path", ["/uploads", "/videos", "/videos?dry_run=true"])
def test_a_body_of_another_type_is_refused_whatever_it_holds(stack: Cloud, path: str, given: str, body: str) -> None:
    status, headers, problem = stack.http("POST", path, body, headers={"Content-Type": given})
    assert (status, problem["code"]) == (415, "UnsupportedMediaType")
    assert headers["Content-Type"] == "application/problem+json"
    assert "application/json" in problem["detail"]


@pytest.mark.parametrize("given", ["0", "0.5", "-1", "1790000000", "yesterday", "2026-11-22T12:00:00"])
def test_a_time_that_does_not_say_what_it_means_is_refused(stack: Cloud, given: str) -> None:
    status, _, problem = stack.http("GET", f"/videos?created_after={quote(given)}")
    assert (status, problem["errors"][0]["pointer"]) == (400, "#/created_after")


@pytest.mark.parametrize("given", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_utc_cannot_hold_is_refused(stack: Cloud, given: str) -> None:
    status, _, problem = stack.http("GET", f"/videos?created_after={quote(given)}")
    assert (status, problem["errors"][0]["pointer"]) == (400, "#/created_after")


@pytest.mark.parametrize("given", ["2026-11-22T12:00:00Z", "2026-11-22T12:00:00.5+02:00"])
def test_a_time_with_an_offset_is_taken(stack: Cloud, given: str) -> None:
    assert stack.http("GET", f"/videos?created_after={quote(given)}")[0] == 200


def test_a_whole_number_may_be_written_with_a_point(stack: Cloud, simulator: Simulator) -> None:
    asked = request(simulator) | {"duration": 4.0, "seed": 7.0}
    assert stack.http("POST", "/videos?dry_run=true", asked)[0] == 200


@pytest.mark.parametrize("given", [4.5, "4", True])
def test_another_kind_of_value_is_no_whole_number(stack: Cloud, simulator: Simulator, given: object) -> None:
    status, _, problem = stack.http("POST", "/videos?dry_run=true", request(simulator) | {"duration": given})
    assert (status, problem["errors"][0]["pointer"]) == (400, "#/duration")


@pytest.mark.parametrize("given", ["s3://«»/rows.csv", "s3://b/rows.csv", "s3://pictures", "rows.csv"])
def test_an_address_that_no_manifest_can_have_is_refused(stack: Cloud, given: str) -> None:
    status, _, problem = stack.http("POST", "/batches", {"manifest": given})
    assert (status, problem["errors"][0]["detail"]) == (400, "must be s3://bucket/key")


@pytest.mark.parametrize("path", ["/videos", "/videos?dry_run=true", "/batches"])
def test_a_field_that_is_given_twice_is_refused(stack: Cloud, simulator: Simulator, path: str) -> None:
    body = json.dumps(request(simulator))[:-1] + ', "duration": 4, "duration": 8}'
    status, _, problem = stack.http("POST", path, body)
    assert status == 400
    assert "'duration' twice" in json.dumps(problem)
    assert simulator.jobs() == []
