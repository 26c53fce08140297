"""One transfer from the source into the sink, in a process of its own so that its memory is its own.

``python -m benchmarks.clients NAME SOURCE-ADDRESS KEY`` prints ``{"seconds", "cpu_seconds", "above_bytes"}`` of the
transfer alone; ``above_bytes`` is what the peak of memory grew by after a transfer of a few bytes.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import boto3
import urllib3

BUCKET = "clips"
WARM_BYTES = 4096
"""What is transferred first, and not counted."""

type Open = Callable[[Mapping[str, str]], AbstractContextManager[urllib3.BaseHTTPResponse]]
"""Opens the source with these headers."""


def store(source: Open, key: str) -> None:
    """As the Deliver function does it: the same classes, the same client, continued where a connection drops."""
    from stillmotion.outbound.download import Download
    from stillmotion.storage.video_store import VideoStore
    from stillmotion.wiring import bulk_s3

    with Download(source) as content:
        VideoStore(bulk_s3(), BUCKET).store(content, key, {"job-id": "vid_1", "model": "google/veo-3.1-lite"})


def upload_fileobj(source: Open, key: str) -> None:
    with source({}) as answer:
        boto3.client("s3").upload_fileobj(answer, BUCKET, key)  # type: ignore[arg-type]


def read_all(source: Open, key: str) -> None:
    with source({}) as answer:
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=answer.read())


CLIENTS = {"store": store, "upload_fileobj": upload_fileobj, "read_all": read_all}


def measure(name: str, address: str, key: str) -> dict[str, float]:
    """One transfer with clients that are made already: a warm Lambda's, or any long-lived process's."""
    transfer = CLIENTS[name]
    pool = urllib3.PoolManager(retries=False)
    started, cpu, peak = 0.0, 0.0, 0
    # The first one, of a few bytes, is not counted: it makes the clients and imports what is imported late.
    for url, place in ((f"{address.rsplit('/', 1)[0]}/{WARM_BYTES}", f"{key}-first"), (address, key)):
        started, cpu, peak = time.perf_counter(), time.process_time(), _peak_bytes()
        transfer(partial(_opened, pool, url), place)
    took = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}
    return took | {"above_bytes": _peak_bytes() - peak}


@contextmanager
def _opened(pool: urllib3.PoolManager, url: str, more: Mapping[str, str]) -> Iterator[urllib3.BaseHTTPResponse]:
    headers = {"Accept-Encoding": "identity", **more}
    answer = pool.request("GET", url, preload_content=False, headers=headers)
    try:
        yield answer
    finally:
        answer.close()


def _peak_bytes() -> int:
    """The most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:])))
