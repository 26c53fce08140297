"""What can be set about the simulator, and how a change is checked."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

ENDINGS = ("failed", "cancelled", "expired", "dead")
STATUSES = ("pending", "in_progress", "completed", *ENDINGS)


class UnknownSettingError(ValueError):
    """A setting has an unknown name or a value that it cannot take; `name` says which."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"setting '{name}': {problem}")
        self.name = name


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a test or a user may set; each job keeps the settings of its submit for timing and outcome."""

    api_key: str = "mg-local-key"
    # Timing
    seconds_pending: float = 0.5
    seconds_to_ready: float = 2.0
    polls_to_ready: int | None = None
    complete_on_submit: bool = False
    # How long an answer about a job that is due waits for its clip before it says that the job goes on.
    render_patience_seconds: float = 5.0
    # Outcome
    outputs: int = 1
    output_ttl_seconds: float = 86_400.0
    fail_with: dict[str, Any] | None = None
    # What is left of the key's credits, less with each submit; None: there is no limit.
    credits_usd: float | None = None
    key_expires_at: str | None = None
    # Charged on top of each clip's price, as by a service whose prices are no longer those of its list.
    surcharge_usd: float = 0.0
    moderation_word: str | None = "forbidden-word"
    clip: str = "full"
    pad_to_bytes: int | None = None
    # Shape of answers
    submit_status: int = 202
    # The word shown for a status, as in {"completed": "done"}.
    status_words: dict[str, str] = field(default_factory=dict)
    integer_ids: bool = False
    relative_polling_url: bool = False
    unsigned_urls: bool = True
    signed_urls: bool = True
    content_redirect: bool = False
    ranges: bool = True
    storage_head: bool = False
    strict_fields: bool = True
    # Images
    http_images: str = "loopback"
    image_timeout_seconds: float = 10.0
    image_max_bytes: int = 30 * 1024 * 1024
    # Webhooks
    webhooks: bool = True
    signing_secret: str | None = None
    webhook_copies: int = 1
    webhook_attempts: int = 3
    webhook_backoff_seconds: float = 0.2
    webhook_timeout_seconds: float = 5.0
    # How long after its end a job is told of, by the simulator's clock.
    webhook_delay_seconds: float = 0.0
    # A job that ends with its submit is told of before the submit is answered.
    webhook_before_answer: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return all settings as a JSON object."""
        return asdict(self)


type Rule = tuple[Callable[[Any], bool], str]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_ending(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) <= {"status", "error", "failure_reason"}
        and value.get("status") in ENDINGS
    )


def _is_vocabulary(value: Any) -> bool:
    return isinstance(value, dict) and set(value) <= set(STATUSES) and all(map(_is_text, value.values()))


def _optional(rule: Rule) -> Rule:
    check, wanted = rule
    return (lambda value: value is None or check(value)), f"{wanted} or null"


def _one_of(*values: object) -> Rule:
    return (lambda value: value in values and not isinstance(value, bool)), f"one of {', '.join(map(str, values))}"


NUMBER: Rule = (_is_number, "a number of 0 or more")
COUNT: Rule = (_is_count, "a whole number of 1 or more")
TEXT: Rule = (_is_text, "a string that is not empty")
FLAG: Rule = ((lambda value: isinstance(value, bool)), "true or false")

FATE = f'an object {{"status": "{"|".join(ENDINGS)}", "error": …, "failure_reason": …}}'

SPECIAL: dict[str, Rule] = {
    "polls_to_ready": _optional(COUNT),
    "fail_with": _optional((_is_ending, FATE)),
    "credits_usd": _optional(NUMBER),
    "key_expires_at": _optional(TEXT),
    "moderation_word": _optional(TEXT),
    "clip": _one_of("full", "tiny"),
    "pad_to_bytes": _optional(COUNT),
    "submit_status": _one_of(200, 202),
    "status_words": (_is_vocabulary, f'an object such as {{"completed": "done"}} for any of {", ".join(STATUSES)}'),
    "http_images": _one_of("loopback", "any", "never"),
    "signing_secret": _optional(TEXT),
}
BY_TYPE: dict[object, Rule] = {float: NUMBER, int: COUNT, str: TEXT, bool: FLAG}
RULES: dict[str, Rule] = {
    known.name: SPECIAL[known.name] if known.name in SPECIAL else BY_TYPE[known.type] for known in fields(Settings)
}


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Return the settings with some of them changed.

    Raises UnknownSettingError, naming the setting, for an unknown name or a value of the wrong kind.
    """
    for name, value in changes.items():
        if name not in RULES:
            raise UnknownSettingError(name, f"there is no such setting; there are {', '.join(sorted(RULES))}")
        check, wanted = RULES[name]
        if not check(value):
            raise UnknownSettingError(name, f"must be {wanted}")
    return replace(settings, **changes)
