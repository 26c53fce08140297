"""Each kind of call to ModelGates, made of a client of ours, and the error of one whose answer never comes whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stillmotion.errors import DownloadFailed, ProviderUnavailable, StillmotionError, SubmitOutcomeUnknown
from stillmotion.modelgates.client import ModelGates
from stillmotion.modelgates.job import ProviderJob
from stillmotion.outbound.address_guard import origin
from stillmotion.outbound.guarded_client import GuardedClient

DONE = ProviderJob("vg_1", "completed")
LIMITS = ("QUERY_SECONDS", "SUBMIT_SECONDS", "SUBMIT_CONNECT_SECONDS", "CONTENT_SECONDS")
"""The client module's deadlines, in seconds."""


class Key:
    """The simulator's API key."""

    def get(self, *, refresh: bool = False) -> str:
        return "mg-local-key"


def gates(url: str) -> ModelGates:
    """A client of the ModelGates at this address, which redirects may stay at."""
    return ModelGates(url, Key(), GuardedClient([origin(url)]))


def download(client: ModelGates, job: ProviderJob = DONE, amt: int = 50, at_most: int = 2**62) -> bytes:
    """An output's bytes, read in pieces.

    Raises:
        DownloadFailed: also where there are more than ``at_most``, as the video store does.
    """
    got = b""
    with client.content(job, 0) as content:
        while chunk := content.read(amt):
            got += chunk
            if len(got) > at_most:
                raise DownloadFailed("it is too large")
    return got


type Call = Callable[[ModelGates], object]
CALLS: Mapping[str, tuple[Call, type[StillmotionError]]] = {
    "model list": (ModelGates.models, ProviderUnavailable),
    "poll": (lambda client: client.job("vg_1"), ProviderUnavailable),
    "credits": (ModelGates.credits_left, ProviderUnavailable),
    "submit": (lambda client: client.submit({"prompt": "hills"}), SubmitOutcomeUnknown),
    "content": (download, DownloadFailed),
}
