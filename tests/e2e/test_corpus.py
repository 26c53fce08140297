"""Files as people have them, sent to the deployed stack by HTTP, drop and batch: pictures are paid for, no other is."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from stillmotion_cli.client import ApiClient
from stillmotion_cli.stack import Stack
from tests.e2e.signing import Api
from tests.e2e.support import MODEL, SimulatorControl
from tests.support.pictures import CUT_OFF, NO_PICTURES, PICTURES

LABEL = "image/jpeg"
"""What every file says it is."""
TAKEN = {name: content for name, (content, _) in PICTURES.items()}
REFUSED = {name: content for name, (content, _) in NO_PICTURES.items()}
REFUSED |= {f"cut off {name}": content for name, content in CUT_OFF.items()}
FILES = REFUSED | TAKEN
WAIT_SECONDS = 120
AT_A_TIME = 4


@pytest.fixture(autouse=True)
def quick(simulator: SimulatorControl) -> Iterator[None]:
    """Clips that are small and done at once."""
    with simulator.settings(clip="tiny", seconds_to_ready=0, seconds_pending=0):
        yield


def row(url: str) -> dict[str, Any]:
    frame = {"type": "image_url", "image_url": {"url": url}, "frame_type": "first_frame"}
    return {"model": MODEL, "prompt": "a slow zoom", "duration": 4, "resolution": "720p", "frame_images": [frame]}


def put(stack: Stack, key: str, content: bytes) -> str:
    stack.client("s3").put_object(Bucket=stack.input_bucket, Key=key, Body=content, ContentType=LABEL)
    return f"s3://{stack.input_bucket}/{key}"


def address(stack: Stack, way: str, at: int, content: bytes) -> str:
    if way == "s3":
        return put(stack, f"shared/corpus/{at}", content)
    return f"data:{LABEL};base64,{base64.b64encode(content).decode()}"


def sent(api: Api, rows: dict[str, dict[str, Any]], query: str = "") -> dict[str, tuple[int, dict[str, Any]]]:
    """What the API answered to each."""

    def send(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        answer = api.call("POST", "/videos" + query, body)
        return answer.status_code, answer.json()

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return dict(zip(rows, pool.map(send, rows.values()), strict=True))


@pytest.mark.parametrize("way", ["s3", "data"])
def test_every_file_by_http_is_judged_by_its_bytes(
    stack: Stack, api: Api, simulator: SimulatorControl, way: str
) -> None:
    rows = {name: row(address(stack, way, at, content)) for at, (name, content) in enumerate(FILES.items())}
    paid = len(simulator.jobs())
    refused = sent(api, {name: rows[name] for name in REFUSED})
    assert {name: answer for name, answer in refused.items() if answer[0] != 422} == {}
    assert {answer["code"] for _, answer in refused.values()} == {"ImageNotUsable"}
    unnamed = {
        name: refused[name][1]["detail"]
        for name, (_, kind) in NO_PICTURES.items()
        if kind not in refused[name][1]["detail"]
    }
    assert unnamed == {}
    assert len(simulator.jobs()) == paid

    # Inline pictures are only checked: a dozen more clips on this stack would take another minute.
    query, status = ("?dry_run=true", 200) if way == "data" else ("", 202)
    taken = sent(api, {name: rows[name] for name in TAKEN}, query)
    assert {name: answer for name, answer in taken.items() if answer[0] != status} == {}
    assert len(simulator.jobs()) == paid + (len(TAKEN) if way == "s3" else 0)


@pytest.mark.timeout(600)
def test_every_dropped_file_is_judged_by_its_bytes(stack: Stack, simulator: SimulatorControl) -> None:
    paid = len(simulator.jobs())
    for number, content in enumerate(REFUSED.values(), start=1):
        put(stack, f"drop/corpus/{number}.jpg", content)
        if number % AT_A_TIME == 0 or number == len(REFUSED):
            wait_until(lambda expected=number: len(notes(stack)) == expected)
    codes = {note["code"] for note in notes(stack).values()}
    assert (codes, len(simulator.jobs())) == ({"ImageNotUsable"}, paid)

    for number, content in enumerate(TAKEN.values(), start=1):
        put(stack, f"drop/taken/{number}.jpg", content)
        if number % AT_A_TIME == 0:
            wait_until(lambda expected=paid + number: len(simulator.jobs()) == expected)
    assert len(notes(stack)) == len(REFUSED)


def test_a_batch_of_files_pays_for_the_pictures_only(stack: Stack, simulator: SimulatorControl) -> None:
    files = [*list(REFUSED.values())[::4], TAKEN["jpeg"], TAKEN["png"], TAKEN["webp"]]
    rows = [
        {"item_id": f"item-{at}"} | row(put(stack, f"shared/corpus/row-{at}", content))
        for at, content in enumerate(files)
    ]
    manifest = put(stack, "shared/corpus.jsonl", "\n".join(map(json.dumps, rows)).encode())
    client, paid = ApiClient(stack), len(simulator.jobs())
    client.start_batch({"manifest": manifest, "batch_id": "corpus", "max_concurrency": AT_A_TIME, "budget_usd": 100})
    wait_until(lambda: client.batch("corpus")["status"] not in ("preparing", "running"))
    counts = client.batch("corpus")["counts"]
    assert (counts["done"], counts["failed"]) == (3, len(files) - 3)
    assert len(simulator.jobs()) == paid + 3


def notes(stack: Stack) -> dict[str, dict[str, Any]]:
    """The notes of the refused drops, by key."""
    s3 = stack.client("s3")
    found = s3.list_objects_v2(Bucket=stack.input_bucket, Prefix="failed/corpus/").get("Contents", [])
    texts = {each["Key"]: s3.get_object(Bucket=stack.input_bucket, Key=each["Key"])["Body"].read() for each in found}
    return {key: json.loads(text) for key, text in texts.items()}


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.3)


def test_the_corpus_is_as_large_as_it_is_said_to_be() -> None:
    assert len(FILES) * 3 >= 120
