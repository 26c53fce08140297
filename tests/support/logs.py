"""What our functions log, taken down while a test runs."""

from __future__ import annotations

import logging

from stillmotion.telemetry import logger


class Log(logging.Handler):
    """Every line that our functions log, as it is written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(logger.registered_formatter)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))
