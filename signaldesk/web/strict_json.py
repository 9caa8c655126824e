"""JSON from strangers: whatever is not exactly JSON, or could hurt later, is refused with the reason."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import orjson

from signaldesk.errors import FieldError, Invalid, Malformed, UnsupportedMediaType

DEPTH_MAX = 64
_MOST_TWICE = 20
"""Names that are listed of one body."""


def read(raw: bytes, content_type: str, *, also: str = "") -> Any:
    """The value of a body.

    Raises UnsupportedMediaType (not JSON by its own account), Malformed (not JSON in fact) or Invalid (too
    deep, with a name twice in one object, or with a NUL character, which Postgres cannot store). NaN, numbers
    past a double's range and lone surrogates are no JSON.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind != "application/json" and (not also or kind != also):
        wanted = f"application/json or {also}" if also else "application/json"
        raise UnsupportedMediaType(f"Content-Type must be {wanted}, found {kind[:60] or 'nothing'!r}")
    if not raw.strip():
        raise Malformed("the body is empty; send a JSON object")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        reason = f"{error.msg} (line {error.lineno}, column {error.colno})"
        raise Malformed(f"the body is not valid JSON: {reason}") from error
    if raw.count(b"{") + raw.count(b"[") > DEPTH_MAX or b"\\u0000" in raw:
        _walk(value)
    if twice := _given_twice(raw):
        raise Invalid(errors=[FieldError(path[:200], "is given twice") for path in twice])
    return value


class _Twice(dict[str, Any]):
    """An object in which some names are given twice: of each the last value, and which names."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(name for name, _ in pairs)
        self.names = [name for name, count in counts.items() if count > 1]


def _given_twice(raw: bytes) -> list[str]:
    """Paths of the names that one object has twice, of a body that was found to be JSON and not too deep.

    It is read once more for that, by a reader that is ten times slower: these are not the bodies of events.
    """
    some: list[_Twice] = []

    def read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            some.append(found := _Twice(pairs))
        return found

    whole = json.loads(raw, object_pairs_hook=read_object, parse_int=str, parse_float=str)
    waiting: list[tuple[Any, str]] = [(whole, "")] if some else []
    paths: list[str] = []
    while waiting:
        one, path = waiting.pop()
        if isinstance(one, _Twice):
            paths += [f"{path}.{name}".lstrip(".") for name in one.names]
        if isinstance(one, dict):
            waiting += [(item, f"{path}.{name}".lstrip(".")) for name, item in one.items()]
        elif isinstance(one, list):
            waiting += [(item, f"{path}[{i}]") for i, item in enumerate(one)]
    return sorted(paths)[:_MOST_TWICE]


def _walk(value: Any) -> None:
    """Without recursion: the nesting is the stranger's choice."""
    waiting: list[tuple[Any, str, int]] = [(value, "", 1)]
    while waiting:
        one, path, depth = waiting.pop()
        if depth > DEPTH_MAX:
            raise Invalid(errors=[FieldError(path[:200], f"is nested more than {DEPTH_MAX} levels deep")])
        if isinstance(one, str) and "\x00" in one:
            message = "contains the NUL character (\\u0000), which cannot be stored"
            raise Invalid(f"{path or 'the body'} {message}", errors=[FieldError(path[:200], message)])
        if isinstance(one, dict):
            waiting += [(name, path, depth) for name in one]
            waiting += [(item, f"{path}.{name}".lstrip("."), depth + 1) for name, item in one.items()]
        elif isinstance(one, list):
            waiting += [(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(one)]
