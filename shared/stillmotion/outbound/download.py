"""One output's bytes as one stream, whatever the connection does.

A connection that breaks is opened again where it stopped, with ``Range`` and ``If-Range`` (RFC 9110, sections 13.1.5
and 14.2), as long as each connection delivers bytes. Where the server offers no ranges, or continues with something
else, the download fails and is started over by whoever asked for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Self

from urllib3.exceptions import HTTPError

from stillmotion.errors import DownloadFailed, GenerationExpired
from stillmotion.ports import HttpStatusAnswer
from stillmotion.telemetry import logger

type Opener = Callable[[Mapping[str, str]], AbstractContextManager[HttpStatusAnswer]]
"""Opens the content with these headers: 200 with the whole, or 206 where they ask for a range."""


class Download:
    """A context manager over the content that an opener opens; ``headers`` are those of the first answer.

    Raises:
        DownloadFailed: the server did not continue where it had stopped.
        urllib3.exceptions.HTTPError, OSError: it broke off and cannot be continued.
    """

    def __init__(self, opener: Opener) -> None:
        self._open = opener
        self._opened = ExitStack()
        self._position = self._begun_at = 0

    def __enter__(self) -> Self:
        self._answer = self._opened.enter_context(self._open({}))
        self.headers = self._answer.headers
        self._length = _length(self.headers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> bool | None:
        return self._opened.__exit__(kind, error, at)

    def read(self, amt: int | None = None) -> bytes:
        """Up to ``amt`` bytes; none at the end."""
        while True:
            try:
                chunk = self._answer.read(amt)
            except (HTTPError, OSError) as error:
                if self._length is None or self._position == self._begun_at:
                    raise
                self._go_on(type(error).__name__, self._length)
                continue
            if not chunk and self._length is not None and self._begun_at < self._position < self._length:
                self._go_on("end", self._length)
                continue
            self._position += len(chunk)
            return chunk

    def _go_on(self, reason: str, length: int) -> None:
        logger.info("download continues", extra={"at": self._position, "of": length, "reason": reason})
        self._opened.close()
        self._begun_at, etag = self._position, self.headers["ETag"]
        asked = {"Range": f"bytes={self._position}-", "If-Range": etag}
        try:
            self._answer = self._opened.enter_context(self._open(asked))
        except (DownloadFailed, GenerationExpired) as refused:
            # It was there, so a refusal of its rest does not say that there is no such video.
            raise DownloadFailed(
                f"The video broke off after {self._position:,} of {length:,} bytes, and its rest was refused: "
                f"{refused.detail}"
            ) from refused
        wanted = (206, f"bytes {self._position}-{length - 1}/{length}", etag)
        given = self._answer.headers
        if (self._answer.status, given.get("Content-Range", "").strip().lower(), given.get("ETag")) != wanted:
            raise DownloadFailed(
                f"The video broke off after {self._position:,} of {length:,} bytes, and the server did not continue it "
                f"(HTTP {self._answer.status}). The download is started over."
            )


def _length(headers: Mapping[str, str]) -> int | None:
    """The length if ranges are supported and the ETag is strong, else ``None``.

    A weak ETag says that two things are alike, not that their bytes are.
    """
    offered = headers.get("Accept-Ranges", "").strip().lower() == "bytes" and headers.get("ETag", "").startswith('"')
    plain = headers.get("Content-Encoding", "identity").strip().lower() == "identity"
    length = headers.get("Content-Length", "")
    return int(length) if offered and plain and re.fullmatch("[0-9]+", length) else None
