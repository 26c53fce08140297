"""The ModelGates video API over urllib3.

The key is sent to addresses under the API root and nowhere else, also not after a redirect. Foreign errors are
translated here, once, and never repeat an address: it may be a secret.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from decimal import Decimal
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, unquote, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from stillmotion.errors import (
    DownloadFailed,
    GenerationExpired,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnauthorized,
    ProviderUnavailable,
)
from stillmotion.modelgates.job import ProviderJob, read_job
from stillmotion.modelgates.responses import decoded, raise_outcome_unknown, retry_after, submitted
from stillmotion.modelgates.wording import words_of_answer
from stillmotion.outbound.address_guard import ForbiddenAddress, origin
from stillmotion.outbound.deadline import Deadline, Pace
from stillmotion.outbound.download import Download
from stillmotion.outbound.guarded_client import REDIRECTS, FetchFailed, GuardedClient, UnresolvedHost, redirected
from stillmotion.ports import ApiKey

if TYPE_CHECKING:
    from stillmotion.modelgates.models import VideoModel

API_PATH = "/api/v1"
MAX_JSON_BYTES = 8 * 2**20
MAX_SUBMIT_BYTES = 50 * 2**20
MAX_CONTENT_REDIRECTS = 3
QUERY_SECONDS = 10.0
"""For the whole of a query. A poll may need two, the second with a renewed key."""
CONTENT_SECONDS, LEAST_CONTENT_RATE = 30.0, 16 * 1024
"""The patience with an output, in seconds, its headers included, and the least rate of its body in bytes a second."""
SUBMIT_CONNECT_SECONDS, SUBMIT_SECONDS = 3.0, 12.0
"""For connecting, when nothing has been sent; and for all that follows, when what is lost is unknown."""
_TIMEOUT = urllib3.Timeout(connect=3.0, read=None)
_JSON = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "stillmotion"}


class ModelGates:
    """A client for one ModelGates account.

    Args:
        base_url: for example ``https://modelgates.ai``, without the API path.
        key: the account's API key.
        guarded: fetches what lies outside the API root, without the key.
    """

    def __init__(self, base_url: str, key: ApiKey, guarded: GuardedClient) -> None:
        self._root = base_url.rstrip("/") + API_PATH
        self._key = key
        self._guarded = guarded
        # The address that the operator configured is trusted, wherever it lies.
        self._api = GuardedClient([origin(self._root)], _TIMEOUT)

    def models(self) -> list[VideoModel]:
        """Every model on offer.

        Raises:
            ProviderUnavailable: no usable answer.
        """
        status, headers, data = self._get_json(f"{self._root}/videos/models", {})
        listed = data.get("data") if isinstance(data, Mapping) else None
        if status != 200 or not isinstance(listed, list):
            raise ProviderUnavailable(
                f"ModelGates did not give its model list (HTTP {status}). Nothing was submitted; try again.",
                retry_after=retry_after(headers),
            )
        from stillmotion.modelgates.models import read_models  # pydantic, which polling and delivering start without

        models = read_models(listed)
        if not models:
            raise ProviderUnavailable("ModelGates gave an empty model list. Nothing was submitted; try again.")
        return models

    def submit(self, body: Mapping[str, Any]) -> ProviderJob:
        """Start paid work, with one request. Only after a 401, which accepts nothing, it is sent once more with the key
        read afresh.

        Raises:
            ProviderThrottled, ProviderUnavailable: certainly not accepted; may be sent again later.
            ProviderRejected, ProviderUnauthorized, ProviderOutOfCredits: certainly not accepted; final.
            SubmitOutcomeUnknown: it may have been accepted; must not be sent again.
        """
        payload = json.dumps(body).encode()
        if len(payload) > MAX_SUBMIT_BYTES:
            raise ProviderRejected(
                f"The request has {len(payload):,} bytes, ModelGates takes {MAX_SUBMIT_BYTES:,}. Use smaller images."
            )
        status, headers, raw = self._post_once(payload, self._key.get())
        if status == 401:  # refused for certain, so this one call may be made again with a rotated key
            status, headers, raw = self._post_once(payload, self._key.get(refresh=True))
        return submitted(status, headers, raw)

    def job(self, job_id: str, polling_url: str | None = None) -> ProviderJob:
        """The job as it is now. Its ``polling_url`` is used only when it lies under the API root.

        Raises:
            ProviderThrottled: 429 or 503, with ``retry_after`` where it was given.
            ProviderUnauthorized: 401, also with the key read afresh.
            ProviderUnavailable: anything else that is not a job.
        """
        url = self._own(polling_url) or f"{self._root}/videos/{_segment(job_id)}"
        status, headers, data = self._get_json(url, self._authorization())
        if status == 401:
            status, headers, data = self._get_json(url, self._authorization(refresh=True))
        job = read_job(data, job_id) if status == 200 else None
        if job is not None:
            return job
        said = words_of_answer(data)
        if status in (429, 503):
            raise ProviderThrottled(
                f"ModelGates asks to poll later (HTTP {status}).",
                provider_message=said,
                retry_after=retry_after(headers),
            )
        if status == 401:
            raise ProviderUnauthorized("ModelGates does not accept the API key. Put the right key into the secret.")
        unusable = ProviderUnavailable(f"ModelGates gave no job for this poll (HTTP {status}).", provider_message=said)
        unusable.answered = status
        raise unusable

    def credits_left(self) -> Decimal | None:
        """USD left of the key's limit, ``None`` where it has none.

        Raises:
            ProviderUnauthorized: 401, also with the key read afresh.
            ProviderUnavailable: no usable answer.
        """
        url = f"{self._root}/key"
        status, headers, data = self._get_json(url, self._authorization())
        if status == 401:
            status, headers, data = self._get_json(url, self._authorization(refresh=True))
        if status == 401:
            raise ProviderUnauthorized("ModelGates does not accept the API key. Put the right key into the secret.")
        found = data.get("data") if isinstance(data, Mapping) else None
        if status != 200 or not isinstance(found, Mapping):
            raise ProviderUnavailable(
                f"ModelGates did not say what is left of the credits (HTTP {status}).", retry_after=retry_after(headers)
            )
        left = found.get("limit_remaining")
        known = isinstance(left, int | float) and not isinstance(left, bool) and math.isfinite(left)
        return Decimal(str(left)) if known else None

    @contextmanager
    def content(self, job: ProviderJob, index: int) -> Iterator[Download]:
        """One output's bytes as a stream that continues where a connection broke.

        Raises:
            GenerationExpired: 404 or 410, the provider no longer holds it.
            DownloadFailed: anything else; may be tried again.
        """
        pace = Pace(CONTENT_SECONDS, LEAST_CONTENT_RATE)
        try:
            with Download(lambda headers: self._content(job, index, headers, pace)) as download:
                yield download
        except (HTTPError, FetchFailed, UnresolvedHost, ForbiddenAddress, OSError) as error:
            raise DownloadFailed(
                f"Output {index} of the job broke off or could not be fetched ({type(error).__name__}). "
                "It is still at the provider; the download is tried again."
            ) from None

    @contextmanager
    def _content(
        self, job: ProviderJob, index: int, headers: Mapping[str, str], pace: Pace
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """The open answer: 200, or 206 where ``headers`` ask for a range."""
        given = job.unsigned_urls[index] if index < len(job.unsigned_urls) else None
        url = self._own(given) or f"{self._root}/videos/{_segment(job.id)}/content?index={index}"
        # A 206 that was not asked for would be stored as if it were the whole file.
        good = (200, 206) if "Range" in headers else (200,)
        with self._open_content(url, headers, pace) as answer:
            if answer.status not in good:
                _refuse_content(answer.status)
            yield answer

    @contextmanager
    def _open_content(self, url: str, headers: Mapping[str, str], pace: Pace) -> Iterator[urllib3.BaseHTTPResponse]:
        refreshed, redirects = False, MAX_CONTENT_REDIRECTS
        while True:
            with ExitStack() as stack:
                if not self._owns(url):
                    content = self._guarded.get(url, headers, max_redirects=redirects, deadline=pace)
                    yield stack.enter_context(content)
                    return
                sent = self._authorization(refresh=refreshed) | dict(headers)
                answer = stack.enter_context(self._api.get(url, sent, deadline=pace))
                if answer.status == 401 and not refreshed:
                    refreshed = True
                elif answer.status in REDIRECTS and redirects:
                    url, redirects = redirected(url, answer), redirects - 1
                else:
                    yield answer
                    return

    def _post_once(self, payload: bytes, key: str) -> tuple[int, Mapping[str, str], bytes]:
        """One POST on a connection of its own: a kept-alive one may be dead, which is only seen after sending."""
        path = f"{urlsplit(self._root).path}/videos"
        headers = _JSON | {"Authorization": f"Bearer {key}", "Connection": "close"}
        with ExitStack() as stack:
            try:
                connected = self._api.connected(self._root, Deadline(SUBMIT_CONNECT_SECONDS))
                connection, host = stack.enter_context(connected)
            except (FetchFailed, UnresolvedHost, ForbiddenAddress) as error:
                raise ProviderUnavailable(
                    f"ModelGates could not be reached ({error}). Nothing was submitted; try again."
                ) from None
            connection.deadline, headers["Host"] = Deadline(SUBMIT_SECONDS), host
            try:
                # The server may refuse before it has read everything; its answer can still be read.
                with suppress(BrokenPipeError, ConnectionResetError):
                    connection.request("POST", path, body=payload, headers=headers, preload_content=False)
                answer = connection.getresponse()
            except (HTTPError, HTTPException, OSError, ValueError) as error:
                raise_outcome_unknown(f"the answer was lost ({type(error).__name__})")
            return answer.status, answer.headers, _read_leniently(answer)

    def _get_json(self, url: str, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], Any]:
        try:
            with self._api.get(url, _JSON | dict(headers), deadline=Deadline(QUERY_SECONDS)) as answer:
                raw = answer.read(MAX_JSON_BYTES)
        except (HTTPError, HTTPException, OSError, FetchFailed, UnresolvedHost, ForbiddenAddress) as error:
            reason = str(error) if isinstance(error, FetchFailed) else type(error).__name__
            raise ProviderUnavailable(
                f"ModelGates gave no answer ({reason}). This was only a query; it is asked again."
            ) from None
        return answer.status, answer.headers, decoded(raw)

    def _authorization(self, *, refresh: bool = False) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._key.get(refresh=refresh)}"}

    def _own(self, given: str | None) -> str | None:
        """An address that ModelGates gave (absolute, or relative to the base address) if it is under the API root."""
        if not given:
            return None
        try:
            url = urljoin(self._root.removesuffix(API_PATH) + "/", given)
        except ValueError:
            return None
        return url if self._owns(url) else None

    def _owns(self, url: str) -> bool:
        """Whether an address lies under the API root, after repeated percent-decoding."""
        try:
            path = _unquoted(urlsplit(url).path)
            same = origin(url) == origin(self._root)
        except (ForbiddenAddress, ValueError):
            return False
        return same and path.startswith(urlsplit(self._root).path + "/") and ".." not in path


def _unquoted(path: str) -> str:
    """A path after repeated percent-decoding: each server on the way may decode it once more."""
    while (plain := unquote(path)) != path:
        path = plain
    return path


def _segment(job_id: str) -> str:
    """A provider's id as one segment of a path. Dots cannot be encoded: every reader takes them for the folder above.

    Raises:
        ProviderUnavailable: it cannot be one.
    """
    if job_id in ("", ".", ".."):
        raise ProviderUnavailable(f"The ModelGates job id {job_id!r} is none, so it is not asked for.")
    return quote(job_id, safe="")


def _read_leniently(answer: urllib3.BaseHTTPResponse) -> bytes:
    """The body, or nothing where reading fails: a refusal needs no reason, and a 2xx without a job is an unknown
    outcome.
    """
    try:
        return answer.read(MAX_JSON_BYTES)
    except (HTTPError, HTTPException, OSError, ValueError):
        return b""


def _refuse_content(status: int) -> NoReturn:
    if status in (404, 410):
        raise GenerationExpired(
            f"The provider no longer holds the output (HTTP {status}). The clip has to be generated again."
        )
    detail = f"The content address answered HTTP {status}. The output is still at the provider; it is tried again."
    if status == 401:
        raise ProviderUnauthorized(detail)
    refused = DownloadFailed(detail)
    refused.answered = status
    raise refused
