"""The quick way in for batches in which nothing is out of the ordinary: columns instead of event by event.

It decides nothing of its own. As soon as one event needs a closer look, it takes none of them, and `check`
judges the batch event by event and says what is wrong.
"""

from __future__ import annotations

from itertools import repeat
from typing import Any

from signaldesk.intake.check import DEPTH_MAX, Wrong, compact, source_of, time_of, type_of
from signaldesk.model.event import Event

_REMEMBERED = 10_000
"""Most types and sources known to be good; forgotten all at once, so that nobody can fill the memory."""


class PlainBatches:
    """Reads plain batches; remembers which types and sources are good, for the same few come again."""

    def __init__(self, skew_us: int) -> None:
        """`skew_us`: an event further ahead of now is not plain."""
        self._skew_us = skew_us
        self._types: set[str] = set()
        self._sources: set[str | None] = {None}

    def read(self, values: list[Any], body: bytes, ids: list[bytes], now_us: int) -> list[Event] | None:
        """The events of decoded JSON values, or None when any of them is not plain.

        `body` is the JSON the values were decoded from; `ids` has one for each.
        """
        # In JSON a NUL can only be written with a backslash, and most bodies have none of that.
        if b"\\" in body and b"\\u0000" in body:
            return None
        try:
            return self._columns(values, body, ids, now_us)
        except (KeyError, TypeError, RecursionError, Wrong):  # no object, no type, one too deep to write, …
            return None

    def _columns(self, values: list[Any], body: bytes, ids: list[bytes], now_us: int) -> list[Event] | None:
        types = [value["type"] for value in values]
        objects = [value["payload"] for value in values]
        if set(map(type, objects)) != {dict}:
            return None
        for name in set(types) - self._types:
            _remember(self._types, type_of({"type": name}))
        payloads = list(map(compact, objects))
        if _may_be_deep(body, payloads):
            return None
        others = sum(map(len, values)) - 2 * len(values)
        if not others:
            return list(map(Event, ids, types, repeat(now_us), payloads))
        times = [value.get("timestamp") for value in values]
        sources = [value.get("source") for value in values]
        if others != sum(len(values) - column.count(None) for column in (times, sources)):
            return None  # an id, a null, or a field that is unknown
        for name in set(sources) - self._sources:
            _remember(self._sources, source_of({"source": name}))
        moments = [time_of(time, now_us) for time in times]
        if max(moments) > now_us + self._skew_us:
            return None
        return list(map(Event, ids, types, moments, payloads, sources))


def _remember(known: set[Any], good: str | None) -> None:
    if len(known) >= _REMEMBERED:
        known.clear()
    known.add(good)


def _may_be_deep(body: bytes, payloads: list[bytes]) -> bool:
    """Whether any payload could have too many levels: it has at most as many as there are brackets.

    Each event and each payload is a bracket already, and one more payload only has what is left.
    """
    spare = body.count(b"{") + body.count(b"[") - 2 * len(payloads)
    if spare < DEPTH_MAX:
        return False
    return max(raw.count(b"{") + raw.count(b"[") for raw in payloads) > DEPTH_MAX
