"""What a schema finds wrong with a value, in words for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from signaldesk.model.message import number

_CLIP = 60
"""Characters of a stranger's value that are repeated."""

_LARGE = 10**18

Fault = Mapping[str, Any]
"""One of `pydantic.ValidationError.errors()`, with its context."""


def _characters(count: int) -> str:
    return f"{count} character{'' if count == 1 else 's'}"


def _entries(count: int) -> str:
    return f"{count} entr{'y' if count == 1 else 'ies'}"


def _one_of(expected: str) -> str:
    """`'a', 'b' or 'c'` without quotes."""
    return f"must be {expected.replace(chr(39), '')}"


_PATTERNS = {"^https?://": "must begin with http:// or https://"}
"""What expressions ask for."""
_KINDS = {
    "int": "must be a whole number",
    "float": "must be a number",
    "finite": "must be a finite number",
    "string": "must be a text",
    "bool": "must be `true` or `false`",
    "list": "must be a list",
    "tuple": "must be a list",
    "dict": "must be an object",
    "model": "must be an object",
    "uuid": "must be an id (a UUID)",
}
"""By the beginnings of pydantic's types of faults, as far as they are about what a value is …"""
_BOUNDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than": lambda context: f"must be more than {number(context['gt'])}",
    "greater_than_equal": lambda context: f"must be {number(context['ge'])} or more",
    "less_than": lambda context: f"must be less than {number(context['lt'])}",
    "less_than_equal": lambda context: f"must be {number(context['le'])} or less",
    "string_too_short": lambda context: (
        "must not be empty"
        if context["min_length"] == 1
        else f"must have at least {_characters(context['min_length'])}"
    ),
    "string_too_long": lambda context: f"must have at most {_characters(context['max_length'])}",
    "string_pattern_mismatch": lambda context: _PATTERNS.get(
        context["pattern"], f"must fit {context['pattern']}"
    ),
    "too_short": lambda context: f"must have at least {_entries(context['min_length'])}",
    "too_long": lambda context: f"must have at most {_entries(context['max_length'])}",
    "literal_error": lambda context: _one_of(context["expected"]),
    "enum": lambda context: _one_of(context["expected"]),
}
"""… and about what it may be."""


def said(fault: Fault, *, quoted: bool = True) -> str:
    """The fault in a few words; `quoted`: with what was found, which must be no secret."""
    kind: str = fault["type"]
    if bound := _BOUNDS.get(kind):
        found = bound(fault["ctx"])
    elif what := _KINDS.get(kind.partition("_")[0]):
        found = what
    else:
        return str(fault["msg"]).removeprefix("Value error, ").replace(" after validation", "")
    return f"{found}, not {shown(fault['input'])}" if quoted and _tells(kind, fault["input"]) else found


def _tells(kind: str, value: Any) -> bool:
    """Whether it helps to repeat the value: not what is empty, or too long."""
    return value != "" and not kind.endswith(("too_long", "too_short"))


def shown(value: Any) -> str:
    """A stranger's value in brief: numbers as they are, texts in quotes, of the rest what it is."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, str):
        return repr(value if len(value) <= _CLIP else value[: _CLIP - 1] + "…")
    if isinstance(value, int | float):
        return str(value) if isinstance(value, float) or -_LARGE < value < _LARGE else "that much"
    return "a list" if isinstance(value, list | tuple) else "an object" if isinstance(value, dict) else "that"
