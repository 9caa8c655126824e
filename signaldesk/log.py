"""Structured logs: one line per happening, with the ids of its organisation, event, rule and alert."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

# structlog would load Rich, which nothing here uses, and which takes longer than all the rest of it.
_modules: dict[str, Any] = sys.modules
_hidden = _modules.setdefault("rich", None) is None
import structlog  # noqa: E402

if _hidden:
    del _modules["rich"]

_SECRET_NAMES = re.compile(r"(?i)(password|secret|token|authorization|cookie|api_?key|dsn)")
_SECRET_VALUES = re.compile(
    r"\b(sk_[0-9a-f]{6})[0-9a-f]{42}\b|(?<=://)([^/@\s:]*):[^/@\s]+(?=@)|\bwhsec_[A-Za-z0-9+/=]+"
)

HIDDEN = "[hidden]"


def _hide(value: Any) -> Any:
    """The value with every recognisable secret cut out, also inside lists and mappings."""
    if isinstance(value, str):
        return _SECRET_VALUES.sub(
            lambda m: f"{m[1]}…" if m[1] else HIDDEN if m[2] is None else f"{m[2]}:{HIDDEN}", value
        )
    if isinstance(value, dict):
        return {k: HIDDEN if _SECRET_NAMES.search(str(k)) else _hide(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_hide(item) for item in value]
    return value


def redact(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: no secret ever reaches a log line, by name of the field or by its looks."""
    for name, value in entry.items():
        entry[name] = HIDDEN if _SECRET_NAMES.search(name) else _hide(value)
    return entry


def _hide_in_line(_logger: Any, _method: str, line: Any) -> str:
    """The last look: the pretty renderer writes tracebacks only now."""
    return str(_hide(line))


def configure(*, json: bool, level: str = "info") -> None:
    """Set up structlog and the standard library's logging alike; lines go to stderr."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info if json else structlog.processors.UnicodeDecoder(),
        redact,
    ]
    final = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # another one shows what variables held
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, final, _hide_in_line],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for stubborn in ("bokeh", "panel"):  # imported before, they write lines of their own, Panel's to stdout
        logging.getLogger(stubborn).handlers.clear()
        logging.getLogger(stubborn).propagate = True
    for chatty in ("httpx", "httpcore", "tornado.access", "alembic", "bokeh", "panel"):
        logging.getLogger(chatty).setLevel("WARNING")
    # A periodic job that is late warns every time, and so does a page that was closed.
    for worried in ("apscheduler", "bokeh.server.views.ws"):
        logging.getLogger(worried).setLevel("ERROR")


def get_logger(name: str) -> Any:
    """A logger whose methods take the message and keyword facts: `log.info("fired", org=…, rule=…)`."""
    return structlog.get_logger(name)


def bind(**facts: object) -> None:
    """Add facts (`request`, `org`, `role` …) to every line logged from this task on."""
    structlog.contextvars.bind_contextvars(**facts)
