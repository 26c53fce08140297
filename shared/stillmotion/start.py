"""How a function starts: without garbage collection, which would walk every module just loaded, again and again.

Every function imports this before any library. When its entry point is made, everything it has loaded is taken out of
later collections, and collecting begins. It saves a ninth to a sixth of a start: docs/performance.md.
"""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stillmotion.telemetry import Handler

_IN_LAMBDA = "AWS_LAMBDA_FUNCTION_NAME" in os.environ

if _IN_LAMBDA:
    gc.disable()
    # Where a runtime brings awscrt along, botocore would sign with it, and copy every part of a clip for that.
    os.environ.setdefault("BOTO_DISABLE_CRT", "true")


def entry_point(handler: Handler) -> Handler:
    """The function's handler, logged and traced, and the end of its start: the last thing that its module defines."""
    from stillmotion import telemetry

    made = telemetry.entry_point(handler)
    if _IN_LAMBDA:
        gc.freeze()
        gc.enable()
    return made
