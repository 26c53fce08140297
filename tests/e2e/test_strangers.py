"""Two callers and an operator: a stranger gets 404 or 403 everywhere, and learns nothing."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
import requests

from local.paths import SAMPLE
from stillmotion_cli.stack import Stack
from tests.e2e.signing import Api
from tests.e2e.support import JOB_TIMEOUT, Caller, SimulatorControl
from tests.support.route_matrix import MATRIX, UNSIGNED, Row

PROMPT = "What alice has in mind"
ABSENT = {"batch": "b-00000000000000000000000000"}
FORGETTABLE = ("date", "content-length", "x-amzn-requestid", "x-amz-request-id", "x-amz-apigw-id", "x-amzn-trace-id")


class House:
    """Alice with a finished job and batch, a stranger, and the operator."""

    def __init__(self, stack: Stack, caller: Caller, user: Callable[..., tuple[str, str]]) -> None:
        self.alice = Api(stack, *user("execute-api:Invoke", "alice"))
        self.stranger = Api(stack, *user("execute-api:Invoke", "mallory"))
        self.operator = Api(stack)
        self._stack, self._caller = stack, caller
        self.ids = {"video": self._video(), "batch": self._batch()}

    def _video(self) -> str:
        place = self.alice.call("POST", "/uploads", {"content_type": "image/jpeg"}).json()
        form = {name: (None, value) for name, value in place["fields"].items()}
        sent = requests.post(place["url"], files=form | {"file": SAMPLE.read_bytes()}, timeout=30)
        assert sent.status_code in (200, 201, 204), sent.text
        asked = self._caller.request(prompt=PROMPT, first_frame=place["s3_uri"])
        return self._ended("/videos", asked, ("completed",))

    def _batch(self) -> str:
        bucket = self._stack.input_bucket
        row = self._caller.request(prompt=PROMPT, first_frame=f"s3://{bucket}/shared/still.jpg") | {"item_id": "one"}
        s3 = self._stack.client("s3")
        s3.upload_file(str(SAMPLE), bucket, "shared/still.jpg", ExtraArgs={"ContentType": "image/jpeg"})
        s3.put_object(Bucket=bucket, Key="shared/alice.jsonl", Body=json.dumps(row))
        return self._ended("/batches", {"manifest": f"s3://{bucket}/shared/alice.jsonl"}, ("completed",))

    def _ended(self, path: str, body: Any, ends: tuple[str, ...]) -> str:
        made = self.alice.call("POST", path, body)
        assert made.status_code == 202, made.text
        thing, deadline = made.json()["id"], time.monotonic() + JOB_TIMEOUT
        while (found := self.alice.call("GET", f"{path}/{thing}").json())["status"] not in ends:
            assert time.monotonic() < deadline, found
            time.sleep(0.5)
        return str(thing)

    def id_of(self, row: Row) -> str:
        return self.ids["batch" if row.about == "batch" else "video"]


@pytest.fixture
def house(
    stack: Stack, caller: Caller, user: Callable[..., tuple[str, str]], simulator: SimulatorControl
) -> Iterator[House]:
    with simulator.settings(clip="tiny"):
        yield House(stack, caller, user)


def _told(answer: requests.Response, thing: str) -> tuple[int, Mapping[str, str], str]:
    """An answer without the id that was asked for, and without what every answer has anew."""
    headers = {name: value for name, value in answer.headers.items() if name.lower() not in FORGETTABLE}
    return answer.status_code, headers, answer.text.replace(thing, "ID")


def test_a_stranger_learns_nothing_and_an_operator_all(house: House) -> None:
    for row in (row for row in MATRIX if "{id}" in row.path and row.stranger == 404):
        thing, absent = house.id_of(row), ABSENT.get(str(row.about), "vid_00000000000000000000000000")
        foreign, none = (
            _told(house.stranger.call(row.method, row.path.replace("{id}", one), row.body), one)
            for one in (thing, absent)
        )
        assert foreign[0] == 404, (str(row), foreign)
        assert foreign == none, str(row)
        unsigned = house.stranger.call(row.method, row.path.replace("{id}", thing), row.body, signed=False)
        assert unsigned.status_code == UNSIGNED, (str(row), unsigned.text)
    for path in ("/videos", "/videos?status=completed", "/usage", "/usage?by=caller", "/limits"):
        shown = house.stranger.call("GET", path)
        assert shown.status_code == 200, shown.text
        assert not [mark for mark in (*house.ids.values(), "alice", PROMPT) if mark in shown.text], path
    limit = {"principal": "*", "daily_usd": "0"}
    assert house.stranger.call("PUT", "/limits", limit).status_code == 403
    assert house.alice.call("PUT", "/limits", limit).status_code == 403
    for path in (f"/videos/{house.ids['video']}", f"/batches/{house.ids['batch']}"):
        assert [api.call("GET", path).status_code for api in (house.alice, house.operator)] == [200, 200]
    assert house.ids["video"] in house.operator.call("GET", "/videos?status=completed").text


@pytest.mark.timeout(600)
def test_fifty_submits_of_two_callers_hold_both_limits(
    stack: Stack, caller: Caller, user: Callable[..., tuple[str, str]], simulator: SimulatorControl
) -> None:
    operator = Api(stack)
    users = {name: Api(stack, *user("execute-api:Invoke", name)) for name in ("carol", "dave")}
    bucket = stack.input_bucket
    stack.client("s3").upload_file(str(SAMPLE), bucket, "shared/still.jpg", ExtraArgs={"ContentType": "image/jpeg"})
    asked = caller.request(first_frame=f"s3://{bucket}/shared/still.jpg", generate_audio=False)
    price = Decimal(operator.call("POST", "/videos?dry_run=true", asked).json()["price"]["at_most_usd"])
    spent = Decimal(operator.call("GET", "/limits").json()["stack"]["spent_usd"])
    limits = {f"arn:aws:iam::000000000000:user/{name}": price * 4 for name in users} | {"*": spent + price * 6}

    def submit(number: int) -> tuple[str, int]:
        name = ("carol", "dave")[number % 2]
        return name, users[name].call("POST", "/videos", asked | {"seed": number}).status_code

    try:
        for principal, usd in limits.items():
            assert _allow(operator, principal, str(usd)) == 200
        with simulator.settings(clip="tiny", complete_on_submit=True), ThreadPoolExecutor(10) as pool:
            paid = len(simulator.jobs())
            answers = Counter(pool.map(submit, range(50)))
            assert len(simulator.jobs()) == paid + 6
    finally:
        for principal in limits:
            assert _allow(operator, principal, None) == 200
    accepted = {name: answers[name, 202] for name in users}
    assert sum(accepted.values()) == 6
    assert max(accepted.values()) <= 4
    assert sum(answers[name, 402] for name in users) == 44


def _allow(operator: Api, principal: str, daily_usd: str | None) -> int:
    return operator.call("PUT", "/limits", {"principal": principal, "daily_usd": daily_usd}).status_code
