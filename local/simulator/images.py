"""Getting the pictures of a request, as a provider would: a fetch of its own, with its own limits."""

import base64
import binascii
import io

import aiohttp
from PIL import Image

from local.simulator.addresses import Outbound, is_loopback_name, split
from local.simulator.errors import ImageUnusableError
from local.simulator.settings import Settings

LARGEST_PIXELS = 80_000_000
CHUNK = 64 * 1024


async def fetch_image(url: str, settings: Settings, outbound: Outbound) -> bytes:
    """Return the bytes behind an image address or a data: URL.

    Raises ImageUnusableError with the sentence a job ends with: not reachable, not 200, not an image type, too large.
    """
    if url.startswith("data:"):
        return _inline(url, settings.image_max_bytes)
    shown = url.partition("?")[0]
    session = outbound.session(loopback_only=_loopback_only(url, shown, settings))
    timeout = aiohttp.ClientTimeout(total=settings.image_timeout_seconds)
    try:
        # A real provider follows no redirect for an image: it mostly leads to a page.
        async with session.get(url, timeout=timeout, allow_redirects=False) as answer:
            return await _read(answer, shown, settings.image_max_bytes)
    except TimeoutError as error:
        raise ImageUnusableError(f"Timed out while downloading the image from {shown}.") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise ImageUnusableError(f"Could not download the image from {shown}: {error}.") from error


def _loopback_only(url: str, shown: str, settings: Settings) -> bool:
    parts = split(url)
    if parts is None or parts.hostname is None:
        raise ImageUnusableError(f"Could not download the image from {shown}: the address is not valid.")
    if parts.scheme == "https" or settings.http_images == "any":
        return False
    # An IP address is connected to without being resolved, so the resolver cannot refuse it.
    is_number = parts.hostname.replace(".", "").isdigit() or ":" in parts.hostname
    if settings.http_images == "never" or (is_number and not is_loopback_name(parts.hostname)):
        raise ImageUnusableError(f"Could not download the image from {shown}: only https addresses are allowed.")
    return True


def _inline(url: str, limit: int) -> bytes:
    try:
        content = base64.b64decode(url.partition(",")[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageUnusableError("Could not decode the image: its data URL is not valid base64.") from error
    if len(content) > limit:
        raise ImageUnusableError(f"The image is larger than {limit} bytes.")
    return content


async def _read(answer: aiohttp.ClientResponse, shown: str, limit: int) -> bytes:
    if answer.status != 200:
        raise ImageUnusableError(f"Could not download the image from {shown}: the server answered {answer.status}.")
    if not answer.content_type.startswith("image/"):
        raise ImageUnusableError(f"The address {shown} does not lead to an image but to {answer.content_type}.")
    content = bytearray()
    async for chunk in answer.content.iter_chunked(CHUNK):
        content += chunk
        if len(content) > limit:
            raise ImageUnusableError(f"The image at {shown} is larger than {limit} bytes.")
    return bytes(content)


def decode_image(content: bytes) -> Image.Image:
    """Decode a picture fully; raises ImageUnusableError where it is none, is cut short or is far too large."""
    try:
        image = Image.open(io.BytesIO(content))
        if image.width * image.height > LARGEST_PIXELS:
            raise ImageUnusableError(f"The image has more than {LARGEST_PIXELS} pixels.")
        image.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageUnusableError("Could not decode the image: it is damaged or of an unknown format.") from error
    return image
