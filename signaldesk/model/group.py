"""Groups: the values of a rule's `by` fields, comparable, hashable, and writable as text."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import orjson

from signaldesk.model.event import Event

TEXT_MAX = 200
"""Most bytes of a group's text."""

Key = Any
"""A hashable stand-in for the group's values: equal exactly when the groups are equal."""

_EVENT_FIELDS: dict[str, Callable[[Event], Any]] = {"type": lambda e: e.type, "source": lambda e: e.source}


def grouper(by: tuple[str, ...]) -> Callable[[Event, dict[str, Any]], Key]:
    """A function from an event and its decoded payload to its group's key.

    A missing field counts as null. `type` and `source` are the event's own; `a.b` and `a.0` go into objects
    and lists. 1 and 1.0 are the same value, true and 1 are not.
    """
    if not by:
        return lambda event, payload: ()
    getters = [_getter(field) for field in by]
    if len(getters) == 1:
        return getters[0]
    return lambda event, payload: tuple(get(event, payload) for get in getters)


def values(by: tuple[str, ...], key: Key) -> dict[str, Any]:
    """The group's values by field name, as JSON can hold them."""
    if not by:
        return {}
    return {field: _plain(atom) for field, atom in zip(by, key if len(by) > 1 else (key,), strict=True)}


def key(by: tuple[str, ...], values: dict[str, Any]) -> Key:
    """The key of a group whose values are known: the way back from `values`."""
    atoms = tuple(_atom(values[field]) for field in by)
    return atoms[0] if len(by) == 1 else atoms


def text(by: tuple[str, ...], key: Key) -> str:
    """The group in few characters: the same for the same values of the same fields, and for no others.

    It is canonical JSON, or a digest where that is long: indexes of PostgreSQL take no long values.
    """
    plain = {by[0]: key} if len(by) == 1 and type(key) is str else values(by, key)
    canonical = orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)
    if len(canonical) <= TEXT_MAX:
        return canonical.decode()
    return "#" + blake2b(canonical, digest_size=16).hexdigest()


def _getter(field: str) -> Callable[[Event, dict[str, Any]], Key]:
    if own := _EVENT_FIELDS.get(field):
        return lambda event, payload: own(event)
    if "." not in field:

        def top(event: Event, payload: dict[str, Any]) -> Key:
            value = payload.get(field)
            return value if type(value) is str else _atom(value)

        return top
    find = look_up(field)
    return lambda event, payload: _atom(find(payload))


def look_up(path: str) -> Callable[[dict[str, Any]], Any]:
    """A function from a payload to what it has there: `a.b` goes into objects, `a.0` into lists; or None."""
    if "." not in path:
        return lambda payload: payload.get(path)
    steps = path.split(".")

    def deep(payload: dict[str, Any]) -> Any:
        value: Any = payload
        for step in steps:
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step) < len(value):
                value = value[int(step)]
            else:
                return None
        return value

    return deep


def _atom(value: Any) -> Key:
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, float):
        # As far as whole numbers go, equal ones are written alike; further out there are only floats.
        return int(value) if value.is_integer() and -(2**63) <= value < 2**64 else value
    if isinstance(value, list | dict):
        return ("json", orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
    return value


def _plain(atom: Key) -> Any:
    if isinstance(atom, tuple):
        kind, value = atom
        return value if kind == "bool" else orjson.loads(value)
    return atom
