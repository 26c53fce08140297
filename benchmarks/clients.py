"""One transfer from the source into the sink, in a process of its own so that its memory is its own.

``python -m benchmarks.clients NAME SOURCE-ADDRESS KEY`` prints ``{"seconds", "cpu_seconds"}`` of the transfer alone.
"""

from __future__ import annotations

import json
import sys
import time

import boto3
import urllib3

BUCKET = "clips"


def store(answer: urllib3.BaseHTTPResponse, key: str) -> None:
    """As the Deliver function does it: the same class, the same client."""
    from stillmotion.storage.video_store import VideoStore
    from stillmotion.wiring import bulk_s3

    VideoStore(bulk_s3(), BUCKET).store(answer, key, {"job-id": "vid_1", "model": "google/veo-3.1-lite"})


def upload_fileobj(answer: urllib3.BaseHTTPResponse, key: str) -> None:
    boto3.client("s3").upload_fileobj(answer, BUCKET, key)  # type: ignore[arg-type]


def read_all(answer: urllib3.BaseHTTPResponse, key: str) -> None:
    boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=answer.read())


CLIENTS = {"store": store, "upload_fileobj": upload_fileobj, "read_all": read_all}


def measure(name: str, address: str, key: str) -> dict[str, float]:
    """One transfer with clients that are made already: a warm Lambda's, or any long-lived process's."""
    transfer = CLIENTS[name]
    pool = urllib3.PoolManager(retries=False)
    started, cpu = 0.0, 0.0
    # The first one, of a few bytes, is not counted: it makes the clients and imports what is imported late.
    for url, place in ((f"{address.rsplit('/', 1)[0]}/4096", f"{key}-first"), (address, key)):
        started, cpu = time.perf_counter(), time.process_time()
        answer = pool.request("GET", url, preload_content=False, headers={"Accept-Encoding": "identity"})
        transfer(answer, place)
    return {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:])))
