"""One event from the words of a command line: `checkout_failed country=DE amount=25.5 user.plan=pro`."""

from __future__ import annotations

import json
from typing import Any

import typer


def event(type: str, fields: list[str], source: str | None, timestamp: str | None) -> dict[str, Any]:
    """The event as JSON takes it. Raises BadParameter for a word that is not key=value."""
    found: dict[str, Any] = {"type": type, "payload": payload(fields)}
    if source is not None:
        found["source"] = source
    if timestamp is not None:
        found["timestamp"] = timestamp
    return found


def payload(fields: list[str]) -> dict[str, Any]:
    """Fields by name; a dot in a name makes an object: `a.b=1` is {"a": {"b": 1}}."""
    found: dict[str, Any] = {}
    for field in fields:
        name, mark, text = field.partition("=")
        *path, last = name.split(".")
        if not mark or not all([*path, last]):
            raise _wrong(f"{field!r} is not key=value; write amount=25.5 or user.plan=pro")
        place = found
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise _wrong(f"{name} is given inside something that has a value of its own")
        if last in place:
            raise _wrong(f"{name} is given twice")
        place[last] = value(text)
    return found


def value(text: str) -> Any:
    """The JSON value (25.5, true, null, "007", {…}) if it is one, else the text as it is."""
    try:
        return json.loads(text, parse_constant=lambda _: text)
    except ValueError:
        return text


def _wrong(message: str) -> typer.BadParameter:
    return typer.BadParameter(message, param_hint="key=value")
