"""Which model makes the clip, how long it becomes, and what that is going to cost."""

from dataclasses import dataclass
from typing import Any

from stillmotion_cli.client import ApiClient, Document
from stillmotion_cli.errors import ApiProblem, BadInput, Unreachable
from stillmotion_cli.units import money


@dataclass(frozen=True, slots=True)
class Choice:
    """A model and a duration in seconds, None where the model decides; `cost` is estimated in USD, None if unknown."""

    model: str
    duration: int | None
    cost: float | None
    others: int | None = None

    def sentence(self) -> str:
        """What the user reads before anything is submitted."""
        length = f"{self.duration} s" if self.duration else "the model's own length"
        cost = f"about {money(self.cost)}" if self.cost is not None else "price not known"
        found = {None: "", 0: " (the only one that can do this)"}.get(
            self.others, f" (the cheapest of {(self.others or 0) + 1} that can do this)"
        )
        return f"Model: {self.model}{found}. Clip: {length}, {cost}."


def choose(client: ApiClient, wish: dict[str, Any], *, model: str | None, seed: int | None) -> Choice:
    """The named model, or else the cheapest with a stated price that can do what is wished for.

    `wish` is the query of GET /models: frame, duration, resolution, aspect_ratio, audio.
    """
    if model:
        return _named(client, wish, model)
    able = [entry for entry in client.models(**wish, sort="price") if seed is None or entry.get("seed") is not False]
    priced = [entry for entry in able if entry.get("estimated_cost_usd") is not None]
    if not able:
        raise BadInput(f"No model can do this: {_told(wish)}. See what there is: stillmotion models")
    if not priced:
        raise BadInput(
            f"{len(able)} models can do this, but none states its price, so none is chosen for you: {_told(wish)}. "
            f"Choose one with --model, for example --model {able[0]['id']}"
        )
    cheapest = min(priced, key=lambda entry: float(entry["estimated_cost_usd"]))
    return Choice(cheapest["id"], _duration(wish, cheapest), cheapest["estimated_cost_usd"], others=len(priced) - 1)


def _named(client: ApiClient, wish: dict[str, Any], model: str) -> Choice:
    """The price and the shortest duration of a model that the user chose; its refusals are left to the API."""
    try:
        offered = client.models(**wish)
    except (ApiProblem, Unreachable) as error:
        # The API takes requests while the list cannot be had; but without credentials nothing works.
        if not isinstance(error, ApiProblem) or not error.may_pass:
            raise
        offered = []
    entry: Document = next((entry for entry in offered if entry["id"] == model), {})
    return Choice(model, _duration(wish, entry), entry.get("estimated_cost_usd"))


def _duration(wish: dict[str, Any], entry: Document) -> int | None:
    """Seconds: those asked for, else the model's shortest, else None."""
    given: int | None = wish.get("duration")
    return given or min(entry.get("supported_durations") or [], default=None)


def _told(wish: dict[str, Any]) -> str:
    """The wish in the options' own words."""
    words = [
        f"{name.replace('_', '-')} {value}" for name, value in wish.items() if name != "frame" and value is not None
    ]
    return ", ".join([" and ".join(frame.replace("_", " ") for frame in wish["frame"]), *words])
