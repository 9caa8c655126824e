"""Whether one event may come in, and what exactly is wrong when not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from difflib import get_close_matches
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from signaldesk.clock import MICROS, to_us
from signaldesk.ids import derived_id
from signaldesk.model.event import TYPE_MAX, Event

DEPTH_MAX = 32
"""Most levels of objects and lists inside a payload."""
SOURCE_MAX = 200
ID_MAX = 200
_FIELDS = ("type", "payload", "timestamp", "source", "id")
_CLOUD_FIELDS = (
    "specversion",
    "type",
    "data",
    "time",
    "source",
    "id",
    "subject",
    "datacontenttype",
    "dataschema",
)
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_SECONDS_MAX = 10**11

compact: Callable[[Any], bytes] = msgspec.json.Encoder().encode
"""A JSON value as text without spaces. orjson writes as quickly, but reserves a kilobyte for each text; while
many small ones are kept, giving the rest back was measured to cost ten times as much as writing them."""


class Rejection(NamedTuple):
    """Why an event was not taken: a stable code, the field, and a sentence."""

    code: str
    field: str
    message: str


class Wrong(Exception):
    """What is wrong with an event, on its way out of the check."""

    def __init__(self, code: str, field: str, message: str) -> None:
        self.rejection = Rejection(code, field, message)


class Checked(NamedTuple):
    """A good event; `chosen` says that its id is the client's own, so that a repetition is recognised."""

    event: Event
    chosen: bool


def check(
    value: Any, *, org: str, cloud: bool, now_us: int, skew_us: int, new_id: Callable[[], bytes]
) -> Checked | Rejection:
    """The event that a decoded JSON value describes, or the reason why it describes none.

    `skew_us`: a timestamp further ahead of `now_us` is set back to `now_us` and marked.
    """
    try:
        if not isinstance(value, dict):
            raise Wrong("wrong_type", "", f"an event is an object, found {_kind(value)}")
        if cloud:
            value = _from_cloud(value)
        elif strangers := value.keys() - set(_FIELDS):
            raise _unknown(min(strangers), _FIELDS)
        time = time_of(value.get("timestamp"), now_us)
        skewed = time > now_us + skew_us
        source = source_of(value)
        chosen = _text(value, "id", ID_MAX)
        event = Event(
            id=_id(chosen, source, org) if chosen is not None else new_id(),
            type=type_of(value),
            timestamp=now_us if skewed else time,
            payload=_payload(value.get("payload")),
            source=source,
            clock_skewed=skewed,
        )
    except Wrong as wrong:
        return wrong.rejection
    return Checked(event, chosen is not None)


def type_of(value: dict[str, Any]) -> str:
    """An event's type. Raises Wrong."""
    if "type" not in value:
        raise Wrong("missing", "type", "every event has a type, such as checkout_failed")
    found = _text(value, "type", TYPE_MAX)
    if not found:
        raise Wrong("wrong_type", "type", "the type must be a text that is not empty")
    if "*" in found:
        raise Wrong("invalid", "type", "a type may not contain *, which stands for anything in rules")
    return found


def source_of(value: dict[str, Any]) -> str | None:
    """An event's source. Raises Wrong."""
    return _text(value, "source", SOURCE_MAX)


def _text(value: dict[str, Any], field: str, limit: int) -> str | None:
    found = value.get(field)
    if found is None:
        return None
    if not isinstance(found, str):
        raise Wrong("wrong_type", field, f"must be a text, found {_kind(found)}")
    if len(found) > limit:
        raise Wrong("too_long", field, f"has {len(found)} characters; at most {limit} are allowed")
    if _CONTROL.search(found):
        raise Wrong("invalid", field, "contains a control character")
    return found


def time_of(found: Any, now_us: int) -> int:
    """The moment a timestamp names, in microseconds since 1970; now for None. Raises Wrong."""
    if found is None:
        return now_us
    if isinstance(found, str):
        try:
            # Python reads a comma and basic formats too; a stricter sender loses nothing.
            time = to_us(datetime.fromisoformat(found))
        except ValueError as error:
            reason = (
                str(error) if "time zone" in str(error) else "write RFC 3339, such as 2026-01-31T12:00:00Z"
            )
            raise Wrong("invalid", "timestamp", f"{found[:40]!r} is not a time: {reason}") from None
    elif isinstance(found, int | float) and not isinstance(found, bool):
        if abs(found) >= _SECONDS_MAX:
            raise Wrong("invalid", "timestamp", "numbers are Unix seconds; these look like milliseconds")
        time = round(found * MICROS)
    else:
        raise Wrong("wrong_type", "timestamp", f"must be RFC 3339 text or Unix seconds, found {_kind(found)}")
    if time < 0:
        raise Wrong("invalid", "timestamp", "lies before 1970")
    return time


def _payload(found: Any) -> bytes:
    if found is None:
        return b"{}"
    if not isinstance(found, dict):
        raise Wrong("wrong_type", "payload", f"must be an object, found {_kind(found)}")
    try:
        raw = compact(found)
    except RecursionError:  # what was read can be written, but for some hundred levels
        raise _too_deep() from None
    # Counting brackets is cheap and never too low; only suspects are walked.
    if raw.count(b"{") + raw.count(b"[") > DEPTH_MAX and _depth(found) > DEPTH_MAX:
        raise _too_deep()
    if b"\\u0000" in raw and _has_nul(found):
        raise Wrong("invalid", "payload", "contains the NUL character (\\u0000), which cannot be stored")
    return raw


def _too_deep() -> Wrong:
    return Wrong("too_deep", "payload", f"is nested more than {DEPTH_MAX} levels deep")


def _id(chosen: str, source: str | None, org: str) -> bytes:
    if not chosen:
        raise Wrong("invalid", "id", "must not be empty; leave it out to get one")
    try:
        return UUID(chosen).bytes
    except ValueError:
        return derived_id("event", org, source or "", chosen).bytes


def _from_cloud(value: dict[str, Any]) -> dict[str, Any]:
    """A CloudEvent (1.0) as an event of ours; its extension attributes join the payload."""
    if value.get("specversion") != "1.0":
        raise Wrong("invalid", "specversion", 'must be "1.0"')
    for field in ("id", "source"):
        if not value.get(field):
            raise Wrong("missing", field, "is required in a CloudEvent")
    if "data_base64" in value:
        raise Wrong("invalid", "data_base64", "binary data is not accepted; send JSON in data")
    data = value.get("data")
    payload: dict[str, Any] = data if isinstance(data, dict) else {} if data is None else {"data": data}
    extra = {name: value[name] for name in value.keys() - set(_CLOUD_FIELDS)}
    if value.get("subject") is not None:
        extra["subject"] = value["subject"]
    event = {"type": value.get("type"), "payload": {**extra, **payload}, "source": value["source"]}
    return {**event, "id": value["id"], "timestamp": value.get("time")}


def _unknown(field: str, known: tuple[str, ...]) -> Wrong:
    field = field[:60]
    near = get_close_matches(field, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "put your own fields into payload"
    return Wrong("unknown_field", field, f"unknown field; {hint}")


def _depth(value: Any) -> int:
    """Levels of nesting, without recursion: the input is a stranger's."""
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        one, level = waiting.pop()
        deepest = max(deepest, level)
        if deepest > DEPTH_MAX:
            return deepest
        inner = one.values() if isinstance(one, dict) else one
        waiting += [(item, level + 1) for item in inner if isinstance(item, dict | list)]
    return deepest


def _has_nul(value: Any) -> bool:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if "\x00" in one:
                return True
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
    return False


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
