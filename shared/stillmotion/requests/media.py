"""The images (and reference media) of a request: checked before anything is paid, and made fetchable for ModelGates.

``s3://`` objects stay private: they are given to ModelGates as presigned links (or inline). ``data:`` images are moved
into the input bucket first, so that neither a workflow's state nor a record holds them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as DeadlineExceeded
from dataclasses import dataclass
from time import monotonic

from stillmotion.errors import Fault, ImageNotUsable, shown_pointer
from stillmotion.outbound.guarded_client import GuardedClient
from stillmotion.ports import ObjectStore
from stillmotion.requests.media_types import extension_of
from stillmotion.requests.owned_names import Names, upload_prefix
from stillmotion.requests.picture_header import PictureHeader, read_header
from stillmotion.requests.probe import PROBE_SECONDS, Found, MediaAddress, Probe, Unusable, unusable
from stillmotion.requests.video_request import VideoRequest
from stillmotion.requests.whose_pictures import InputBucket


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a request that can be used, by its pointer; ``header`` where its first bytes hold it."""

    pointer: str
    content_type: str
    header: PictureHeader | None


class Images:
    """Checks and prepares the addresses of requests.

    Args:
        objects: the input bucket and the other buckets that the role may read.
        bucket: where ``data:`` images are put, under ``uploads/{owner}/{job id}/``.
        guarded: fetches the callers' https addresses.
        inline: send ModelGates the images themselves instead of presigned links, where it cannot reach the bucket.
        link_seconds: how long a presigned link is good for.
    """

    def __init__(
        self,
        objects: ObjectStore,
        bucket: InputBucket,
        guarded: GuardedClient,
        inline: bool = False,
        link_seconds: int = 3600,
    ) -> None:
        self._objects = objects
        self._bucket = bucket
        self._probe = Probe(objects, guarded)
        self._inline_media = inline
        self._link_seconds = link_seconds

    def check(self, request: VideoRequest, names: Names) -> list[Picture]:
        """The pictures of a request, each of which can be used, and may be named there. Nothing is kept.

        Raises:
            ImageNotUsable: with every address that cannot be used, and why.
            StorageFailed: S3 did not answer.
        """
        media = _media(request)
        if not media:
            return []
        pool = ThreadPoolExecutor(max_workers=len(media))
        try:
            probes = [pool.submit(self._look, one, names) for one in media]
            deadline = monotonic() + PROBE_SECONDS  # one for all of them: they run at the same time
            seen = [_in_time(one, probe, deadline) for one, probe in zip(media, probes, strict=True)]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        faults = [one for one in seen if isinstance(one, Fault)]
        if faults:
            raise ImageNotUsable(unusable(faults), faults=faults)
        looked = zip(media, seen, strict=True)
        found = [(one, what) for one, what in looked if one.kind == "image" and isinstance(what, Found)]
        return [Picture(one.pointer, what.content_type, read_header(what.head)) for one, what in found]

    def upload_inline_media(self, request: VideoRequest, job_id: str, owner: str | None) -> VideoRequest:
        """The request with every ``data:`` address moved to its owner's uploads; checked before by :meth:`check`."""
        moved = {}
        for one in _media(request):
            if one.scheme == "data":
                found, data = self._probe.decode(one)
                field, index = one.pointer.removeprefix("#/").split("/")[:2]
                key = f"{upload_prefix(owner)}{job_id}/{field}-{index}.{extension_of(found.content_type)}"
                self._objects.put(self._bucket.name, key, data, found.content_type)
                moved[one.pointer] = f"s3://{self._bucket.name}/{key}"
        return request.with_media(moved) if moved else request

    def with_fetchable_urls(self, request: VideoRequest) -> VideoRequest:
        """The request as ModelGates can use it: ``s3://`` addresses as presigned links or inline. Never recorded."""
        links = {}
        for one in _media(request):
            if one.scheme == "s3":
                links[one.pointer] = self._fetchable(one)
        return request.with_media(links) if links else request

    def _look(self, one: MediaAddress, names: Names) -> Found | Fault:
        try:
            self._bucket.require(one, names)
            return self._probe.inspect(one)
        except Unusable as error:
            return one.fault(error)

    def _fetchable(self, one: MediaAddress) -> str:
        """A link, or the object itself inline; both give the type that the bytes have, not the stored one."""
        try:
            content_type = self._probe.object(one).content_type
            bucket, key = one.place
            if not self._inline_media:
                return self._objects.link(bucket, key, self._link_seconds, content_type)
            data = self._objects.read(bucket, key)
            if data is None:
                raise Unusable("is gone from S3: upload it again")
        except Unusable as error:
            fault = Fault(one.pointer, str(error), given=one.url)
            raise ImageNotUsable(f"{fault.place} {error}; nothing was submitted.", faults=[fault]) from None
        return f"data:{content_type};base64,{base64.b64encode(data).decode()}"


def transparency_warnings(pictures: Sequence[Picture]) -> Iterator[str]:
    """One sentence for each picture that may have transparent parts."""
    for picture in pictures:
        if picture.header is not None and picture.header.transparent:
            yield (
                f"{shown_pointer(picture.pointer)} has transparency. It is sent as it is, and what a model puts "
                "in place of the transparent parts is not stated (black with most). Flatten it onto a colour first to "
                "be sure."
            )


def _media(request: VideoRequest) -> Sequence[MediaAddress]:
    return [MediaAddress(pointer, url) for pointer, url in request.media()]


def _in_time(one: MediaAddress, probe: Future[Found | Fault], deadline: float) -> Found | Fault:
    try:
        return probe.result(timeout=max(deadline - monotonic(), 0.0))
    except DeadlineExceeded:
        detail = f"did not answer within {PROBE_SECONDS:.0f} s"
        return one.fault(Unusable(detail))
