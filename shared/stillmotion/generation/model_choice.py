"""Choosing a model: which ones can do what is asked, what each costs, and which one to take where none is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from stillmotion.modelgates.models import VideoModel
from stillmotion.modelgates.price_notes import Quote, quote, usd
from stillmotion.modelgates.pricing import Ask
from stillmotion.requests.aspect_ratio import nearest_ratio

SHORTEST_SECONDS = 4
"""Where no duration is asked for, models are compared at their shortest clip of at least this length."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a model should be able to do; ``None`` and empty leave it open. ``duration`` is in seconds."""

    frames: tuple[str, ...] = ()
    duration: int | None = None
    resolution: str | None = None
    aspect_ratio: str | None = None
    size: str | None = None
    audio: bool | None = None
    references: int = 0
    seed: bool = False
    picture: tuple[int, int] | None = None
    """Width and height of the frame image that the clip's shape follows."""

    def ask(self, model: VideoModel) -> Ask:
        """The part of it that decides the price on a model."""
        ratio = self.aspect_ratio
        if self.picture is not None and self.frames and ratio is None and self.size is None:
            ratio = nearest_ratio(self.picture, model.supported_aspect_ratios)
        return Ask(
            self.duration,
            self.resolution,
            ratio,
            self.size,
            self.audio,
            frames=len(self.frames),
            references=self.references,
        )


@dataclass(frozen=True, slots=True)
class Offer:
    """A model and what the asked clip costs on it."""

    model: VideoModel
    quote: Quote


@dataclass(frozen=True, slots=True)
class Choice:
    """The model to take, with the clip's length in seconds, its price, and the reason in a sentence."""

    model: str
    duration: int
    quote: Quote
    reason: str


def offers(models: Sequence[VideoModel], wish: Wish, *, by_price: bool = False) -> list[Offer]:
    """The models that do not state that they cannot do it, each with its price; unknown prices last."""
    priced = [Offer(model, quote(model, wish.ask(model))) for model in models if can_do(model, wish)]
    if by_price:
        priced.sort(key=lambda offer: (offer.quote.at_most is None, offer.quote.at_most or Decimal(0), offer.model.id))
    return priced


def choose(models: Sequence[VideoModel], wish: Wish) -> Choice | None:
    """The model to take for a wish that names none, ``None`` where no model states that it can do this.

    Only models that *state* the frame types, the duration and the resolution take part: models that state none of these
    edit or enlarge videos, or animate avatars. They are compared by the price of the clip, at the asked length or at
    their shortest of four seconds or more; where that is equal, by the price of a second.
    """
    candidates = sorted(_candidates(models, wish), key=lambda found: (*_rank(found), found.model))
    if not candidates:
        return None
    best, others = candidates[0], candidates[1:]
    asked = described(wish)
    reason = f"the only model that states {asked} and a price"
    if others:
        then = others[0]
        reason = (
            f"the cheapest of {len(candidates)} models that state {asked}; next is {then.model} with "
            f"{usd(then.quote.at_most or Decimal(0))} USD for {then.duration} s"
        )
    return replace(best, reason=reason)


def _candidates(models: Sequence[VideoModel], wish: Wish) -> Iterator[Choice]:
    for model in models:
        seconds = wish.duration or _shortest(model.supported_durations or ())
        if seconds is None or not _states(model, wish) or not can_do(model, wish):
            continue
        found = quote(model, replace(wish.ask(model), duration=seconds))
        if found.certain:
            yield Choice(model.id, seconds, found, "")


def _states(model: VideoModel, wish: Wish) -> bool:
    """Whether a model states all that is asked, and is one that makes clips."""
    if model.upscale_factor is not None or model.creativity is not None or not model.supported_frame_images:
        return False
    return (
        set(wish.frames) <= set(model.supported_frame_images)
        and (wish.duration is None or wish.duration in (model.supported_durations or ()))
        and (wish.resolution is None or wish.resolution in (model.supported_resolutions or ()))
        and (wish.size is None or wish.size in (model.supported_sizes or ()))
        and (not wish.audio or model.generate_audio is True)
        and (not wish.seed or model.seed is True)
    )


def _shortest(durations: Sequence[int]) -> int | None:
    """The shortest of four seconds or more, else the longest there is."""
    return min((seconds for seconds in durations if seconds >= SHORTEST_SECONDS), default=max(durations, default=None))


def _rank(found: Choice) -> tuple[Decimal, Decimal]:
    total = found.quote.at_most or Decimal(0)
    return total, total / found.duration


def can_do(model: VideoModel, wish: Wish) -> bool:
    """Whether a model does not state that it cannot do this."""
    return not any(_ruled_out(model, wish))


def described(wish: Wish) -> str:
    """The wish as a list of words."""
    words = [f"a {frame.replace('_', ' ')}" for frame in wish.frames]
    words += [f"{wish.duration} s"] if wish.duration else []
    words += [text for text in (wish.resolution, wish.aspect_ratio, wish.size) if text]
    words += ["sound"] if wish.audio else []
    words += ["a seed"] if wish.seed else []
    return ", ".join(words) or "their clips' lengths"


def _ruled_out(model: VideoModel, wish: Wish) -> Iterator[bool]:
    for wished, offered in (
        (wish.duration, model.supported_durations),
        (wish.resolution, model.supported_resolutions),
        (wish.aspect_ratio, model.supported_aspect_ratios),
        (wish.size, model.supported_sizes),
        *((frame, model.supported_frame_images) for frame in wish.frames),
    ):
        yield wished is not None and offered is not None and wished not in offered
    yield wish.audio is True and model.generate_audio is False
    yield wish.seed and model.seed is False
