"""Log records as events: a handler for Python's `logging` that never holds a program up."""

from __future__ import annotations

import logging
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from signaldesk.errors import SignalDeskError

if TYPE_CHECKING:
    from signaldesk.client.desk import Desk

_OWN = ("signaldesk", "httpx", "httpcore")
"""Loggers of what sends the records; theirs would never end."""
_USUAL = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_LONGEST = 16_000
"""Characters of a message or a traceback."""
_FLUSH_S = 5.0


class LogHandler(logging.Handler):
    """Sends each record as an event: `logging.getLogger().addHandler(sd.LogHandler(desk, level="WARNING"))`.

    The payload has `level`, `logger`, `message`, `function`, `line`, for exceptions `exception` and
    `traceback`, and whatever was given as `extra`. Records are dropped while too many wait.
    """

    def __init__(
        self, desk: Desk, *, type: str = "log", source: str | None = None, level: int | str = logging.NOTSET
    ) -> None:
        super().__init__(level)
        self._desk, self._type, self._source = desk, type, source

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] in _OWN:
            return
        try:
            self._desk.post(
                self._type, _payload(record), timestamp=record.created, source=self._source, wait=False
            )
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        """Wait a little for what is on its way; it is no error when that is not enough."""
        with suppress(SignalDeskError):
            self._desk.flush(_FLUSH_S)


def _payload(record: logging.LogRecord) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: value for name, value in record.__dict__.items() if name not in _USUAL and name[:1] != "_"
    }
    found |= {
        "level": record.levelname,
        "logger": record.name,
        "message": record.getMessage()[:_LONGEST],
        "function": record.funcName,
        "line": record.lineno,
    }
    if record.exc_info is not None and record.exc_info[0] is not None:
        found["exception"] = record.exc_info[0].__name__
        found["traceback"] = "".join(traceback.format_exception(*record.exc_info))[-_LONGEST:]
    return found
