"""The images (and reference media) of a request: checked before anything is paid, and made fetchable for ModelGates.

``https://`` addresses must answer 200 with the right type directly. ``s3://`` objects stay private: they are read
with the function's own role and given to ModelGates as presigned links (or inline). ``data:`` images are moved
into the input bucket first, so that they never ride through a workflow or a record.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as DeadlineExceeded
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import urllib3
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from urllib3.exceptions import HTTPError

from stillmotion.errors import Fault, ImageNotUsable, StorageFailed
from stillmotion.outbound.guarded_client import REDIRECTS, FetchFailed, ForbiddenAddress, GuardedClient, UnresolvedHost
from stillmotion.outbound.redaction import redact_url
from stillmotion.requests.aspect_ratio import dimensions, shape_warnings
from stillmotion.requests.video_request import VideoRequest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PROBE_BYTES = 64 * 1024  # a photo's dimensions may stand behind a preview of itself
PROBE_DEADLINE_SECONDS = 10.0
MAX_MEDIA_BYTES = 30 * 2**20
_DATA_URL = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)(?:;[\w=.+-]+)*;base64,", re.IGNORECASE | re.ASCII)
_EXTENSIONS = {"image/jpeg": "jpg", "image/svg+xml": "svg", "audio/mpeg": "mp3", "video/quicktime": "mov"}
_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (8, b"WEBP", "image/webp"),
    (0, b"GIF8", "image/gif"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftyphei", "image/heic"),
    (0, b"BM", "image/bmp"),
)


@dataclass(frozen=True, slots=True)
class Media:
    """One address of a request: where it stands there, and which kind of media it must be."""

    pointer: str
    url: str

    @property
    def kind(self) -> str:
        """``image``, ``audio`` or ``video``."""
        return self.pointer.split("/")[-2].removesuffix("_url")

    @property
    def is_frame(self) -> bool:
        """Whether it becomes a frame of the clip as it is."""
        return self.pointer.startswith("#/frame_images/")


class Images:
    """Checks and prepares the addresses of requests.

    Args:
        s3: client for the input bucket and for other buckets that the role may read.
        input_bucket: where ``data:`` images are put, under ``uploads/{job id}/``.
        guarded: fetches the callers' https addresses.
        inline: send ModelGates the images themselves instead of presigned links, where it cannot reach the bucket.
        link_seconds: how long a presigned link is good for.
    """

    def __init__(
        self,
        s3: S3Client,
        input_bucket: str,
        guarded: GuardedClient,
        inline: bool = False,
        link_seconds: int = 3600,
    ) -> None:
        self._s3 = s3
        self._input_bucket = input_bucket
        self._guarded = guarded
        self._inline_media = inline
        self._link_seconds = link_seconds

    def check(self, request: VideoRequest) -> list[str]:
        """Look at every address without keeping anything; warnings about frame images whose shape is not the clip's.

        Raises:
            ImageNotUsable: with every address that will not do, and why.
            StorageFailed: S3 did not answer.
        """
        media = _media(request)
        if not media:
            return []
        pool = ThreadPoolExecutor(max_workers=len(media))
        try:
            probes = [pool.submit(self._look, one) for one in media]
            deadline = monotonic() + PROBE_DEADLINE_SECONDS  # one for all of them: they run at the same time
            seen = [_in_time(one, probe, deadline) for one, probe in zip(media, probes, strict=True)]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        found = [one for one in seen if isinstance(one, Fault)]
        if found:
            told = "; ".join(f"{fault.pointer} {fault.detail}" for fault in found)
            raise ImageNotUsable(
                f"{told}. Give an https:// address that answers 200 with an image directly, an s3:// object that this "
                "stack may read, or a data: address; nothing was submitted.",
                faults=found,
            )
        looked = zip(media, seen, strict=True)
        frames = [(one.pointer, dimensions(head)) for one, head in looked if one.is_frame and isinstance(head, bytes)]
        return list(shape_warnings(request, frames))

    def upload_inline_media(self, request: VideoRequest, job_id: str) -> VideoRequest:
        """The request with every ``data:`` address moved into the input bucket; checked before with :meth:`check`."""
        moved = {}
        for one in _media(request):
            if one.url[:5].lower() == "data:":
                content_type, data = _decode(one.url)
                field, index = one.pointer.removeprefix("#/").split("/")[:2]
                key = f"uploads/{job_id}/{field}-{index}.{extension_of(content_type)}"
                self._put(key, data, content_type)
                moved[one.pointer] = f"s3://{self._input_bucket}/{key}"
        return request.with_media(moved) if moved else request

    def with_fetchable_urls(self, request: VideoRequest) -> VideoRequest:
        """The request as ModelGates can use it: ``s3://`` addresses as presigned links or inline. Never recorded."""
        links = {}
        for one in _media(request):
            if one.url[:5].lower() == "s3://":
                links[one.pointer] = self._inline(one) if self._inline_media else self._presign(one)
        return request.with_media(links) if links else request

    def _look(self, one: Media) -> bytes | Fault:
        """The first bytes of what an address delivers, or what is wrong with it."""
        scheme = one.url.split(":", 1)[0].lower()
        try:
            if scheme == "data":
                content_type, data = _decode(one.url)
                _check_kind(one, content_type)
                return data[:PROBE_BYTES]
            if scheme == "s3":
                return self._s3_head(one)[1]
            return self._probe(one)
        except _Unusable as error:
            return Fault(one.pointer, str(error), given=redact_url(one.url))

    def _probe(self, one: Media) -> bytes:
        """GET with a one-range request: a signed link may refuse HEAD."""
        try:
            with self._guarded.get(one.url, {"Range": f"bytes=0-{PROBE_BYTES - 1}"}) as answer:
                status, content_type = answer.status, answer.headers.get("Content-Type", "")
                head = _read_leniently(answer)
        except ForbiddenAddress as error:
            raise _Unusable(f"is not fetched: {error}") from None
        except UnresolvedHost as error:
            raise _Unusable(f"cannot be reached: {error}") from None
        except FetchFailed as error:
            raise _Unusable(f"did not answer ({error})") from None
        if status in REDIRECTS:
            raise _Unusable(f"answers a redirect (HTTP {status}): give the address it leads to")
        if status not in (200, 206):
            raise _Unusable(f"answers HTTP {status} instead of 200")
        _check_kind(one, content_type.split(";")[0].strip().lower())
        return head

    def _s3_head(self, one: Media) -> tuple[str, bytes]:
        """The object's media type, by its first bytes where they tell, else as it was stored; and those bytes."""
        bucket, key = _s3_address(one.url)
        try:
            answer = self._s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{PROBE_BYTES - 1}")
            head = answer["Body"].read(PROBE_BYTES)
        except ParamValidationError:
            raise _Unusable("is not of the form s3://bucket/key") from None
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500 or code == "SlowDown":
                raise StorageFailed(f"S3 did not answer for an image ({code}). Try again.") from error
            raise _Unusable(f"cannot be read from S3 ({code}): upload it, or let this stack's role read it") from None
        except BotoCoreError as error:
            raise StorageFailed(f"S3 did not answer for an image ({type(error).__name__}). Try again.") from error
        content_type = _sniff(head) or answer.get("ContentType", "").lower()
        _check_kind(one, content_type)
        size = int(answer.get("ContentRange", "/0").rsplit("/", 1)[1])
        if size > MAX_MEDIA_BYTES:
            raise _Unusable(f"has {size:,} bytes, at most {MAX_MEDIA_BYTES:,} are taken")
        return content_type, head

    def _presign(self, one: Media) -> str:
        # The stored type may be binary/octet-stream, which ModelGates refuses; the link says what it really is.
        content_type = self._settled_type(one)
        bucket, key = _s3_address(one.url)
        parameters = {"Bucket": bucket, "Key": key, "ResponseContentType": content_type}
        return self._s3.generate_presigned_url("get_object", Params=parameters, ExpiresIn=self._link_seconds)

    def _inline(self, one: Media) -> str:
        content_type = self._settled_type(one)
        bucket, key = _s3_address(one.url)
        try:
            data = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise StorageFailed(
                f"S3 did not give an image ({type(error).__name__}). Try again; nothing was submitted."
            ) from error
        return f"data:{content_type};base64,{base64.b64encode(data).decode()}"

    def _settled_type(self, one: Media) -> str:
        try:
            return self._s3_head(one)[0]
        except _Unusable as error:
            fault = Fault(one.pointer, str(error), given=one.url)
            raise ImageNotUsable(f"{one.pointer} {error}; nothing was submitted.", faults=[fault]) from None

    def _put(self, key: str, data: bytes, content_type: str) -> None:
        try:
            self._s3.put_object(Bucket=self._input_bucket, Key=key, Body=data, ContentType=content_type)
        except (ClientError, BotoCoreError) as error:
            raise StorageFailed(
                f"S3 did not store the image ({type(error).__name__}). Try again; nothing was submitted."
            ) from error


def extension_of(content_type: str) -> str:
    """The file name extension for a media type, for example ``jpg`` for ``image/jpeg``."""
    return _EXTENSIONS.get(content_type, content_type.split("/")[1])


class _Unusable(Exception):
    """Why one address will not do, to be put behind its pointer."""


def _media(request: VideoRequest) -> Sequence[Media]:
    return [Media(pointer, url) for pointer, url in request.media()]


def _read_leniently(answer: urllib3.BaseHTTPResponse) -> bytes:
    """The first bytes, or none: they are only looked at for the picture's shape."""
    try:
        return answer.read(PROBE_BYTES)
    except (HTTPError, OSError):
        return b""


def _in_time(one: Media, probe: Future[bytes | Fault], deadline: float) -> bytes | Fault:
    try:
        return probe.result(timeout=max(deadline - monotonic(), 0.0))
    except DeadlineExceeded:
        detail = f"did not answer within {PROBE_DEADLINE_SECONDS:.0f} s"
        return Fault(one.pointer, detail, given=redact_url(one.url))


def _check_kind(one: Media, content_type: str) -> None:
    if not content_type.startswith(f"{one.kind}/"):
        raise _Unusable(f"is {content_type or 'of no stated type'}, not {one.kind}/*")


def _decode(url: str) -> tuple[str, bytes]:
    header = _DATA_URL.match(url)
    if header is None:
        raise _Unusable("is not a data:image/…;base64,… address")
    try:
        data = base64.b64decode(url[header.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise _Unusable("is not valid base64") from None
    declared = header["type"].lower()
    if declared.startswith("image/") and declared != "image/svg+xml" and _sniff(data) is None:
        raise _Unusable(f"says {declared}, but its bytes are no image we know")
    return _sniff(data) or declared, data


def _sniff(head: bytes) -> str | None:
    for offset, signature, content_type in _SIGNATURES:
        if head.startswith(signature, offset):
            return content_type
    return None


def _s3_address(url: str) -> tuple[str, str]:
    bucket, _, key = url[len("s3://") :].partition("/")
    if not bucket or not key:
        raise _Unusable("is not of the form s3://bucket/key")
    return bucket, key
