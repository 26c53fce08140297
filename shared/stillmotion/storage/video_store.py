"""A video from an open HTTP answer into S3, in memory that does not depend on its size.

While a part of 8 MiB is read, the four before it are being uploaded, because S3 takes long to answer for each: five
buffers, which are filled in turn. An object appears only when it is whole; whatever fails, no parts are left behind.

Source of the limits: *Amazon S3 multipart upload limits* (parts of 5 MiB to 5 GiB, the last may be smaller; 10,000).
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, cast

from stillmotion.aws.errors import MISSING, storage_errors
from stillmotion.errors import DownloadFailed, NotAVideo, StorageFailed
from stillmotion.jobs.record import StoredVideo
from stillmotion.ports import HttpAnswer
from stillmotion.requests.image_types import HEAD_BYTES, describe, image_type, is_mp4
from stillmotion.telemetry import logger

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART_BYTES = 8 * 2**20
READ_BYTES = 256 * 2**10
"""Bytes read at once; at most so many of a part are lost where a connection breaks."""
UPLOADS_IN_FLIGHT = 4
MIN_VIDEO_BYTES = 256
MAX_VIDEO_BYTES = 5 * 2**30
_AGAIN = "It is still at ModelGates; the delivery is tried again."
_VIDEO_LABEL = re.compile(r"video/[a-z0-9_.+-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Expected:
    content_type: str
    length: int | None


class VideoStore:
    """Puts videos into one bucket.

    Args:
        s3: client for the bucket.
        bucket: the output bucket.
        max_bytes: larger videos are refused.
    """

    def __init__(
        self, s3: S3Client, bucket: str, max_bytes: int = MAX_VIDEO_BYTES, part_bytes: int = PART_BYTES
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._max_bytes = max_bytes
        self._part_bytes = part_bytes

    def find(self, key: str, job_id: str) -> StoredVideo | None:
        """The object an earlier delivery of this job left whole, or ``None``. It is read once for its checksum."""
        try:
            with storage_errors("S3 did not read the video", _AGAIN):
                answer = self._s3.get_object(Bucket=self._bucket, Key=key)
                if answer["Metadata"].get("job-id") != job_id:
                    return None
                digest, size = hashlib.sha256(), 0
                while chunk := answer["Body"].read(self._part_bytes):
                    digest.update(chunk)
                    size += len(chunk)
        except StorageFailed as error:
            if error.aws_code in MISSING:
                return None
            raise
        return self._stored(key, size, answer["ContentType"], digest.hexdigest())

    def store(self, answer: HttpAnswer, key: str, metadata: Mapping[str, str]) -> StoredVideo:
        """Stream the answer's body to ``key``.

        S3 holds every part against its checksum, and the whole against its size: nothing has to be asked afterwards
        (*Amazon S3, CompleteMultipartUpload: x-amz-mp-object-size*).

        Raises:
            NotAVideo: the type, the first bytes or the size are not those of an MP4.
            DownloadFailed: it ended before its announced length.
            StorageFailed: S3 did not take it.
            urllib3.exceptions.HTTPError: reading broke off.
        """
        expected = self._expect(answer)
        digest = hashlib.sha256()
        parts = self._parts(answer, expected, digest)
        first = next(parts)
        with storage_errors("S3 did not store the video", _AGAIN):
            if len(first) < self._part_bytes:
                # A short first part is the whole video.
                size = len(first)
                self._s3.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=first,
                    ChecksumCRC32=checksum_crc32(first),
                    ContentType=expected.content_type,
                    Metadata=metadata,
                )
            else:
                size = self._multipart(chain((first,), parts), key, expected.content_type, metadata)
        return self._stored(key, size, expected.content_type, digest.hexdigest())

    def _expect(self, answer: HttpAnswer) -> _Expected:
        label = answer.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if label.endswith(("/json", "+json")):
            raise NotAVideo(
                f"The content address delivered {label}, not a video. Look the job up at ModelGates; "
                "the delivery can be resumed."
            )
        # The bytes decide, and are checked as they pass: good videos come labelled as downloads, data or text.
        content_type = label if _VIDEO_LABEL.fullmatch(label) else "video/mp4"
        announced = answer.headers.get("Content-Length", "")
        if answer.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            announced = ""  # the length of the packed bytes, which are unpacked as they are read
        length = int(announced) if announced.isascii() and announced.isdigit() else None
        if length is not None:
            self._check_size(length)
        return _Expected(content_type, length)

    def _parts(self, answer: HttpAnswer, expected: _Expected, digest: hashlib._Hash) -> Iterator[bytes]:
        """The body in parts of full size, the last one shorter and perhaps empty; checked as it passes.

        A part of full size is valid until as many parts as may be in flight, and one more, have been asked for.
        """
        total = 0
        buffers: deque[bytearray] = deque(maxlen=UPLOADS_IN_FLIGHT + 1)
        while True:
            # Memory that is new has to be cleared by the system first; that is a tenth of a transfer's time.
            buffers.append(buffers[0] if len(buffers) == buffers.maxlen else bytearray(self._part_bytes))
            part = _filled(answer, buffers[-1])
            last, total = len(part) < self._part_bytes, total + len(part)
            # Checked before the first bytes are: what broke off early may be a video the next time.
            if last and expected.length is not None and total != expected.length:
                raise DownloadFailed(
                    f"The video ended after {total:,} of {expected.length:,} bytes. The download is tried again."
                )
            if total == len(part):
                _check_head(bytes(part[:HEAD_BYTES]), total)
            self._check_size(total)
            digest.update(part)
            # botocore sends a bytearray as it sends bytes, and its types do not say so.
            yield bytes(part) if last else cast(bytes, buffers[-1])
            if last:
                return

    def _multipart(self, parts: Iterator[bytes], key: str, content_type: str, metadata: Mapping[str, str]) -> int:
        upload = self._s3.create_multipart_upload(
            Bucket=self._bucket, Key=key, ContentType=content_type, Metadata=metadata, ChecksumAlgorithm="CRC32"
        )["UploadId"]
        try:
            completed, size = self._send_parts(parts, key, upload)
            self._s3.complete_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                UploadId=upload,
                MultipartUpload={"Parts": completed},
                MpuObjectSize=size,
            )
        except BaseException:
            self._abort(key, upload)
            raise
        return size

    def _abort(self, key: str, upload: str) -> None:
        try:
            with storage_errors("S3 did not remove the parts"):
                self._s3.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)
        except StorageFailed as error:
            # What made the upload fail is the thing to report; the bucket's lifecycle rule takes the parts away.
            logger.warning("parts left behind", extra={"key": key, "reason": error.aws_code})

    def _send_parts(self, parts: Iterator[bytes], key: str, upload: str) -> tuple[list[CompletedPartTypeDef], int]:
        def send(number: int, part: bytes) -> CompletedPartTypeDef:
            checksum = checksum_crc32(part)
            answer = self._s3.upload_part(
                Bucket=self._bucket, Key=key, UploadId=upload, PartNumber=number, Body=part, ChecksumCRC32=checksum
            )
            return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": checksum}

        completed: list[CompletedPartTypeDef] = []
        in_flight: deque[Future[CompletedPartTypeDef]] = deque()
        size = 0
        # Leaving the pool waits for what is in flight, so that an abort finds no part still arriving.
        with ThreadPoolExecutor(max_workers=UPLOADS_IN_FLIGHT) as pool:
            for number, part in enumerate(filter(None, parts), start=1):
                size += len(part)
                if len(in_flight) == UPLOADS_IN_FLIGHT:
                    completed.append(in_flight.popleft().result())
                in_flight.append(pool.submit(send, number, part))
            completed.extend(future.result() for future in in_flight)
        return completed, size

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise NotAVideo(f"The video has {size:,} bytes or more; at most {self._max_bytes:,} are stored.")

    def _stored(self, key: str, size: int, content_type: str, sha256: str) -> StoredVideo:
        return StoredVideo(
            bucket=self._bucket, key=key, bytes=size, content_type=content_type, checksum=f"sha256:{sha256}"
        )


def _filled(answer: HttpAnswer, buffer: bytearray) -> memoryview:
    """The buffer, filled from the answer; less of it only at the end."""
    size, whole = 0, memoryview(buffer)
    while size < len(buffer) and (chunk := answer.read(min(len(buffer) - size, READ_BYTES))):
        whole[size : size + len(chunk)] = chunk
        size += len(chunk)
    return whole[:size]


def checksum_crc32(part: bytes) -> str:
    """The CRC32 that S3 checks the part's bytes against, in base64. Given here, it saves botocore a copy and a framing
    of the part. S3 wants the same value again when the upload is completed (*Checking object integrity in Amazon S3*).
    """
    return base64.b64encode(zlib.crc32(part).to_bytes(4)).decode()


def _check_head(head: bytes, size: int) -> None:
    if not is_mp4(head):
        what = f"it is {image_type(head) or describe(head).name}"
    elif size < MIN_VIDEO_BYTES:
        what = "it has only a beginning"
    else:
        return
    raise NotAVideo(
        f"What was delivered ({size:,} bytes at first) is no MP4 video: {what}. Look the job up at ModelGates; "
        "the delivery can be resumed."
    )
