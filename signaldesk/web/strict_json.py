"""JSON from strangers: whatever is not exactly JSON, or could hurt later, is refused with the reason."""

from __future__ import annotations

from typing import Any

import orjson

from signaldesk.errors import FieldError, Invalid, Malformed, UnsupportedMediaType

DEPTH_MAX = 64


def read(raw: bytes, content_type: str, *, also: str = "") -> Any:
    """The value of a body.

    Raises UnsupportedMediaType (not JSON by its own account), Malformed (not JSON in fact) or Invalid (too
    deep, or with a NUL character, which Postgres cannot store). NaN, numbers past a double's range and lone
    surrogates are no JSON.
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
    return value


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
