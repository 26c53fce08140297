"""Making the clips of a job: pictures in, MP4 bytes out, each distinct clip rendered once."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

from local.simulator.addresses import Outbound
from local.simulator.encoder import RenderStoppedError, encode
from local.simulator.errors import ImageUnusableError
from local.simulator.frames import FPS, Array, Planes, clip_frames, fit, gradient_frames, move_for, to_planes
from local.simulator.images import decode_image, fetch_image
from local.simulator.settings import Settings
from local.simulator.validation import Plan

RENDER_THREADS = 2
CACHED_CLIPS = 128
CACHED_BYTES = 256 * 1024 * 1024
KNOWN_PICTURES = 1024
TINY_LINES = 64


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that determines the bytes of a clip."""

    width: int
    height: int
    seconds: int
    audio: bool
    theme: str
    first: bytes | None = None
    last: bytes | None = None

    def key(self) -> str:
        """Return the name of the clip: equal for equal clips."""
        digest = hashlib.sha256(repr((self.width, self.height, self.seconds, self.audio, self.theme)).encode())
        for picture in (self.first, self.last):
            digest.update(b"-" if picture is None else hashlib.sha256(picture).digest())
        return digest.hexdigest()


def render(recipe: Recipe, stop: Event) -> bytes:
    """Render a clip; the same recipe always gives the same bytes.

    Raises ImageUnusableError for a picture that cannot be decoded, RenderStoppedError once `stop` is set.
    """
    if stop.is_set():
        raise RenderStoppedError
    tone = 110.0 + hashlib.sha256(recipe.theme.encode()).digest()[2] if recipe.audio else None
    return encode(_frames(recipe), recipe.width, recipe.height, seconds=recipe.seconds, tone_hz=tone, stop=stop)


def _frames(recipe: Recipe) -> Iterator[Array]:
    count = recipe.seconds * FPS
    if recipe.first is None and recipe.last is None:
        return gradient_frames(recipe.theme, recipe.width, recipe.height, count)
    first, last = (_picture(content, recipe) for content in (recipe.first, recipe.last))
    return clip_frames(first, last, move_for(recipe.theme), count)


def _picture(content: bytes | None, recipe: Recipe) -> Planes | None:
    return None if content is None else to_planes(fit(decode_image(content), recipe.width, recipe.height))


class Studio:
    """Fetches pictures and renders clips on two threads, with a bounded cache of what it has made."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._pool = ThreadPoolExecutor(RENDER_THREADS, thread_name_prefix="render")
        self._stop = Event()
        self._clips: OrderedDict[str, asyncio.Task[bytes]] = OrderedDict()
        self._pictures: OrderedDict[bytes, str | None] = OrderedDict()
        self.renders = 0

    async def make(self, plan: Plan, settings: Settings) -> list[bytes]:
        """Return the outputs of a job as MP4 bytes; raises ImageUnusableError."""
        addresses = [plan.first, plan.last, *plan.references]
        pictures = {url: await self._picture(url, settings) for url in dict.fromkeys(addresses) if url}
        recipes = [self._recipe(plan, settings, pictures, index) for index in range(settings.outputs)]
        return list(await asyncio.gather(*(self._clip(recipe) for recipe in recipes)))

    def close(self) -> None:
        """Stop rendering and let the threads go."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _recipe(self, plan: Plan, settings: Settings, pictures: dict[str, bytes], index: int) -> Recipe:
        if settings.clip == "tiny":
            shrink = TINY_LINES / min(plan.width, plan.height)
            width, height = (round(side * shrink / 2) * 2 for side in (plan.width, plan.height))
            return Recipe(width, height, plan.seconds, plan.audio, theme=f"tiny:{index}")
        guides = b"".join(hashlib.sha256(pictures[url]).digest() for url in plan.references)
        return Recipe(
            plan.width,
            plan.height,
            plan.seconds,
            plan.audio,
            theme=f"{plan.seed}:{index}:{guides.hex()}:{plan.prompt}",
            first=pictures[plan.first] if plan.first else None,
            last=pictures[plan.last] if plan.last else None,
        )

    async def _picture(self, url: str, settings: Settings) -> bytes:
        content = await fetch_image(url, settings, self._outbound)
        digest = hashlib.sha256(content).digest()
        if digest not in self._pictures:
            self._pictures[digest] = await self._run(_problem_of, content)
            while len(self._pictures) > KNOWN_PICTURES:
                self._pictures.popitem(last=False)
        if problem := self._pictures[digest]:
            raise ImageUnusableError(problem)
        return content

    async def _clip(self, recipe: Recipe) -> bytes:
        key = recipe.key()
        task = self._clips.get(key)
        if task is None:
            task = asyncio.create_task(self._run(render, recipe, self._stop))
            self._clips[key] = task
            self.renders += 1
        self._clips.move_to_end(key)
        try:
            # Other jobs may wait for the same clip, so a job that is cancelled must not cancel the clip.
            clip = await asyncio.shield(task)
        except Exception:
            self._clips.pop(key, None)
            raise
        self._trim()
        return clip

    async def _run[T](self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    def _trim(self) -> None:
        finished = [key for key, task in self._clips.items() if _has_clip(task)]
        total = sum(len(self._clips[key].result()) for key in finished)
        for key in finished:
            if len(self._clips) <= CACHED_CLIPS and total <= CACHED_BYTES:
                break
            total -= len(self._clips.pop(key).result())


def _has_clip(task: asyncio.Task[bytes]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


def _problem_of(content: bytes) -> str | None:
    try:
        decode_image(content)
    except ImageUnusableError as problem:
        return str(problem)
    return None
