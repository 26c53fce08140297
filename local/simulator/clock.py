"""The simulator's clock: real time plus what a test has skipped."""

import asyncio
import time


class Clock:
    """Tells the time in unix seconds and can be moved forward; waiting on it notices the move."""

    def __init__(self) -> None:
        self._skipped = 0.0
        self._moved = asyncio.Event()

    def now(self) -> float:
        """Return the time in unix seconds."""
        return time.time() + self._skipped

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds` and wake whoever waits."""
        self._skipped += seconds
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def reset(self) -> None:
        """Go back to real time."""
        self._skipped = 0.0

    async def wait_until(self, moment: float) -> None:
        """Wait until the clock shows `moment` (unix seconds)."""
        while (remaining := moment - self.now()) > 0:
            try:
                await asyncio.wait_for(self._moved.wait(), remaining)
            except TimeoutError:
                continue
