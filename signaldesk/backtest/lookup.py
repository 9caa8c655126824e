"""Single events of a table by their places in the stream, remembered: sweeps ask for the same ones again."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from signaldesk.backtest.events import Events
from signaldesk.model.event import Event

_MOST = 200_000
"""Events, and so many ids, that are remembered."""
T = TypeVar("T")


class Seen(NamedTuple):
    """An event, when it was received (µs), the watermark then, and its entry."""

    event: Event
    received: int
    mark: int
    position: int


class Lookup:
    """Looks events up in the table of an `Events`."""

    def __init__(self, events: Events) -> None:
        self._table: Events = weakref.proxy(events)  # which keep this among their answers
        self._events: dict[int, Seen] = {}
        self._ids: dict[int, bytes] = {}
        self._lock = Lock()

    def events(self, places: Sequence[int]) -> list[Seen]:
        """The events at these places."""
        with self._lock:
            return _remembered(self._events, places, self._ask_events)

    def ids(self, places: Sequence[int]) -> list[bytes]:
        """The ids of the events at these places."""
        if "id" not in self._table.own:
            return numbered(np.array(places, np.int64))
        with self._lock:
            return _remembered(self._ids, places, self._ask_ids)

    def _ask_events(self, places: NDArray[np.int64]) -> list[Seen]:
        columns = self._columns(
            f"{self._table.id} AS id, type, ts, {self._table.payload} AS payload, source, skewed, "
            "received, ts + behind AS mark, coalesce(position, 0) AS position",
            places,
        )
        return [
            Seen(Event(id_, type_, ts, payload.encode(), source, skewed), received, mark, position or 1)
            for id_, type_, ts, payload, source, skewed, received, mark, position in columns
        ]

    def _ask_ids(self, places: NDArray[np.int64]) -> list[bytes]:
        return [id_ for (id_,) in self._columns("id", places)]

    def _columns(self, listed: str, places: NDArray[np.int64]) -> Iterator[tuple[Any, ...]]:
        """Some columns at these places, which ascend."""
        table = self._table.table(
            f"SELECT {listed} FROM events WHERE seq BETWEEN ? AND ? AND seq IN (SELECT seq FROM wanted) "
            "ORDER BY seq",
            [int(places[0]), int(places[-1])],
            wanted=pa.table({"seq": places}),
        )
        return zip(*(column.to_pylist() for column in table.columns), strict=True)


def numbered(places: NDArray[np.int64]) -> list[bytes]:
    """The ids of events that have none of their own: their places."""
    found = np.zeros((len(places), 2), ">u8")
    found[:, 1] = places
    ids: list[bytes] = found.view("V16").ravel().tolist()
    return ids


def _remembered(
    known: dict[int, T], places: Sequence[int], ask: Callable[[NDArray[np.int64]], list[T]]
) -> list[T]:
    if missing := {place for place in places if place not in known}:
        if len(known) + len(missing) > _MOST:
            known.clear()
            missing = set(places)
        ascending = np.array(sorted(missing), np.int64)
        known.update(zip(ascending.tolist(), ask(ascending), strict=True))
    return [known[place] for place in places]
