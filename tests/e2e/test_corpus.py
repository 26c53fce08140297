"""Files as people have them, sent to the deployed stack by HTTP, drop and batch: pictures are paid for, no other is."""

import base64
import json
import time
from collections.abc import Iterator
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
NOTE_SECONDS = 120
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


def sent(api: Api, rows: dict[str, dict[str, Any]]) -> dict[str, tuple[int, dict[str, Any]]]:
    """What the API answered to each."""

    def send(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        answer = api.call("POST", "/videos", body)
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

    taken = sent(api, {name: rows[name] for name in TAKEN})
    assert {name: answer for name, answer in taken.items() if answer[0] != 202} == {}
    api.wait_until_quiet()
    assert len(simulator.jobs()) == paid + len(TAKEN)


def test_every_dropped_file_is_judged_by_its_bytes(stack: Stack, simulator: SimulatorControl) -> None:
    paid = len(simulator.jobs())
    for at, content in enumerate(FILES.values()):
        put(stack, f"drop/corpus/{at}.jpg", content)
    codes = refusals(stack, len(REFUSED))
    assert codes == {f"failed/corpus/{at}.jpg.json": "ImageNotUsable" for at in range(len(REFUSED))}
    deadline = time.monotonic() + NOTE_SECONDS
    while len(simulator.jobs()) < paid + len(TAKEN):
        assert time.monotonic() < deadline, len(simulator.jobs()) - paid
        time.sleep(0.5)
    time.sleep(2)
    assert len(simulator.jobs()) == paid + len(TAKEN)


def refusals(stack: Stack, expected: int) -> dict[str, str]:
    """The notes of refused drops, once there are as many as expected: key and error code."""
    s3, deadline = stack.client("s3"), time.monotonic() + NOTE_SECONDS
    while True:
        found = s3.list_objects_v2(Bucket=stack.input_bucket, Prefix="failed/corpus/").get("Contents", [])
        if len(found) >= expected:
            break
        assert time.monotonic() < deadline, [note["Key"] for note in found]
        time.sleep(0.5)
    notes = {note["Key"]: s3.get_object(Bucket=stack.input_bucket, Key=note["Key"])["Body"].read() for note in found}
    return {key: json.loads(note)["code"] for key, note in notes.items()}


def test_a_batch_of_every_file_pays_for_the_pictures_only(stack: Stack, simulator: SimulatorControl) -> None:
    rows = [
        {"item_id": f"item-{at}"} | row(put(stack, f"shared/corpus/{at}", content))
        for at, content in enumerate(FILES.values())
    ]
    manifest = put(stack, "shared/corpus.jsonl", "\n".join(map(json.dumps, rows)).encode())
    client, paid = ApiClient(stack), len(simulator.jobs())
    client.start_batch({"manifest": manifest, "batch_id": "corpus", "max_concurrency": AT_A_TIME, "budget_usd": 100})
    deadline = time.monotonic() + NOTE_SECONDS
    while (shown := client.batch("corpus"))["status"] in ("preparing", "running"):
        assert time.monotonic() < deadline, shown
        time.sleep(0.5)
    assert (shown["counts"]["done"], shown["counts"]["failed"]) == (len(TAKEN), len(REFUSED))
    assert len(simulator.jobs()) == paid + len(TAKEN)


def test_the_corpus_is_as_large_as_it_is_said_to_be() -> None:
    assert len(FILES) * 4 >= 120
