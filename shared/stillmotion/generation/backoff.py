"""When a paid call that was certainly not accepted may be made again."""

from __future__ import annotations

import math
import random

from stillmotion.errors import StillmotionError

FIRST_SECONDS, LONGEST_SECONDS = 15.0, 600.0


def submit_again_after(error: StillmotionError, attempt: int) -> int:
    """In how many seconds, after so many attempts, of which the last failed with this error.

    It doubles from 15 s to 10 min with up to a quarter of jitter, and is never shorter than ``Retry-After``.
    """
    jitter = 1 + random.random() / 4  # noqa: S311 - spreads load, hides nothing
    backoff = min(FIRST_SECONDS * 2.0 ** (attempt - 1), LONGEST_SECONDS) * jitter
    return math.ceil(max(backoff, error.retry_after or 0.0))
