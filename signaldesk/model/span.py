"""A span of time as people name it in Python, from `since` on and before `until`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from signaldesk.errors import FieldError

_EXAMPLE = "datetime(2026, 1, 31, tzinfo=UTC)"


def faults(since: Any, until: Any) -> list[FieldError]:
    """All that is wrong with them; either may be None."""
    found = [
        FieldError(name, message)
        for name, given in (("since", since), ("until", until))
        if given is not None and (message := _wrong(given))
    ]
    if not found and since is not None and until is not None and until <= since:
        found.append(FieldError("until", "does not come after `since`; nothing lies between them"))
    return found


def _wrong(given: Any) -> str:
    if not isinstance(given, datetime):
        return f"is a {type(given).__name__}; give a time with a zone, e.g. {_EXAMPLE}"
    return f"has no time zone; write e.g. {_EXAMPLE}" if given.tzinfo is None else ""
