"""Which model makes the clip, how long it becomes, and what that is going to cost: as the stack says."""

from dataclasses import dataclass, field
from typing import Any

from stillmotion_cli.client import ApiClient, Document
from stillmotion_cli.errors import ApiProblem, BadInput, Unreachable
from stillmotion_cli.shown import one_line
from stillmotion_cli.units import money


@dataclass(frozen=True, slots=True)
class Choice:
    """A model and a duration in seconds, None where the model decides.

    `price` is the answer's `price` object, empty where it is not known; `reason` says why this model was chosen, None
    where the user named it.
    """

    model: str
    duration: int | None
    price: Document = field(default_factory=dict)
    reason: str | None = None

    def sentence(self) -> str:
        """What the user reads before anything is submitted."""
        length = f"{self.duration} s" if self.duration else "the model's own length"
        why = f" ({self.reason})" if self.reason else ""
        return f"Model: {self.model}{why}. Clip: {length}, {describe_price(self.price)}."


def describe_price(price: Document) -> str:
    """A price object in words: what it is at most, and what would make it lower."""
    highest, least = (_number(price.get(name)) for name in ("at_most_usd", "at_least_usd"))
    if highest is None:
        why = f" ({price['reason']})" if price.get("reason") else ""
        floor = f", {money(least)} at least" if least else ""
        return f"price not known{why}{floor}"
    notes = f" ({'; '.join(price['open'])})" if price.get("open") else ""
    return f"{money(highest)}{notes}" if least in (None, highest) else f"at most {money(highest)}{notes}"


def most(price: Document) -> float | None:
    """What a price object is at most, in US dollars; None where that is not known."""
    return _number(price.get("at_most_usd"))


def choose(
    client: ApiClient, wish: dict[str, Any], *, model: str | None, seed: int | None = None, option: str = "--model "
) -> Choice:
    """The named model, or else the one that the stack chooses: the cheapest that states all that is wished for.

    `wish` is the query of GET /models: frame, duration, resolution, aspect_ratio, audio, and the picture's width and
    height. `option` is what the user types before a model's name.
    """
    asked = wish | ({} if seed is None else {"seed": "true"})
    if model:
        return _named(client, asked, model)
    answer = client.offer(**asked)
    choice = answer.get("choice")
    if choice:
        return Choice(choice["model"], choice["duration"], choice.get("price") or {}, choice["reason"])
    able = answer.get("data") or []
    if not able:
        raise BadInput(f"No model can do this: {_described(wish)}. See what there is: stillmotion models")
    raise BadInput(
        f"No model states that it can do this and what it costs, so none is chosen for you: {_described(wish)}. "
        f"{len(able)} do not rule it out: choose one, for example {option}{one_line(able[0]['id'])}"
    )


def _named(client: ApiClient, wish: dict[str, Any], model: str) -> Choice:
    """The length and the price on a model that the user chose; its refusals are left to the API."""
    try:
        answer = client.offer(**wish, model=model)
    except (ApiProblem, Unreachable) as error:
        # The API takes requests while the list cannot be had; but without credentials nothing works.
        if not isinstance(error, ApiProblem) or not error.may_pass:
            raise
        answer = {}
    choice = answer.get("choice")
    if choice:
        return Choice(model, wish.get("duration") or choice["duration"], choice.get("price") or {})
    entry: Document = next((entry for entry in answer.get("data") or [] if entry["id"] == model), {})
    return Choice(model, wish.get("duration"), entry.get("price") or {})


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _described(wish: dict[str, Any]) -> str:
    """The wish in the options' own words."""
    words = [" and ".join(frame.replace("_", " ") for frame in wish["frame"])]
    for name, value in wish.items():
        if name not in ("frame", "width", "height") and value not in (None, False):
            words.append(f"{name.replace('_', '-')} {value}")
    return ", ".join(words)
