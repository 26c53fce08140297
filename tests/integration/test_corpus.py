"""Files as people have them, through every way into the stack: pictures are paid for, all others refused before."""

from __future__ import annotations

import base64
import json
from typing import Any

import boto3
import pytest

from local.simulator import Simulator
from tests.support.inprocess import Cloud
from tests.support.inprocess_batches import batch_cloud
from tests.support.pictures import CUT_OFF, NO_PICTURES, PICTURES
from tests.support.requests import dropped, request

LABEL = "image/jpeg"
"""What every file says it is."""
REFUSED = {name: content for name, (content, _) in NO_PICTURES.items()}
REFUSED |= {f"cut off {name}": content for name, content in CUT_OFF.items()}
TAKEN = {name: content for name, (content, _) in PICTURES.items()}
FILES = REFUSED | TAKEN


def put(key: str, content: bytes) -> str:
    boto3.client("s3").put_object(Bucket="pictures", Key=key, Body=content, ContentType=LABEL)
    return f"s3://pictures/{key}"


def asking_for(simulator: Simulator, url: str) -> dict[str, Any]:
    frame = {"type": "image_url", "image_url": {"url": url}, "frame_type": "first_frame"}
    return request(simulator, frame_images=[frame])


def inline(content: bytes) -> str:
    return f"data:{LABEL};base64,{base64.b64encode(content).decode()}"


@pytest.mark.parametrize("way", ["s3", "data"])
def test_every_file_over_http_is_judged_by_its_bytes(stack: Cloud, simulator: Simulator, way: str) -> None:
    wrong = []
    for at, (name, content) in enumerate(FILES.items()):
        url = put(f"shared/{at}", content) if way == "s3" else inline(content)
        paid = len(simulator.jobs())
        status, _, answer = stack.http("POST", "/videos", asking_for(simulator, url))
        charged = len(simulator.jobs()) - paid
        if name in TAKEN:
            right = (status, charged) == (202, 1)
            stack.finish(answer["execution_arn"])
        else:
            named = name not in NO_PICTURES or NO_PICTURES[name][1] in answer["detail"]
            right = (status, answer["code"], charged, named) == (422, "ImageNotUsable", 0, True)
        if not right:
            wrong.append((name, status, answer.get("code"), answer.get("detail"), charged))
    assert not wrong


def test_every_dropped_file_is_judged_by_its_bytes(stack: Cloud, simulator: Simulator) -> None:
    wrong = []
    for at, (name, content) in enumerate(FILES.items()):
        put(f"drop/{at}.jpg", content)
        paid = len(simulator.jobs())
        ended = stack.finish(stack.start(dropped(f"drop/{at}.jpg")))
        charged = len(simulator.jobs()) - paid
        expected = ("ImageNotUsable", 0) if name in REFUSED else (ended.get("error"), 1)
        if (ended.get("error"), charged) != expected:
            wrong.append((name, ended.get("error"), ended.get("cause"), charged))
    assert not wrong


def test_a_batch_of_every_file_pays_for_the_pictures_only(simulator: Simulator) -> None:
    with batch_cloud(simulator, max_polls=2) as batches:
        rows = [
            {"item_id": f"item-{at}", **asking_for(simulator, put(f"shared/{at}", content))}
            for at, content in enumerate(FILES.values())
        ]
        manifest = "\n".join(json.dumps(row) for row in rows)
        boto3.client("s3").put_object(Bucket="pictures", Key="shared/all.jsonl", Body=manifest.encode())
        ended = batches.run({"manifest": "s3://pictures/shared/all.jsonl", "batch_id": "corpus"})
        assert ended["status"] == "SUCCEEDED", ended
    assert len(simulator.jobs()) == len(TAKEN)


def test_the_corpus_is_as_large_as_it_is_said_to_be() -> None:
    assert len(FILES) * 4 >= 120
