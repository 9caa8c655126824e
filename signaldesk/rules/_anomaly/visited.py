"""Which values a series has had: how far is a new one from anything seen before?"""

from __future__ import annotations

from bisect import bisect_left
from operator import sub

from signaldesk.rules._anomaly.tape import Tape

_READY = 30
"""Values to see before any distance means something."""
_FINE = 0.01
"""A value nearer than so many units to a kept one is the same place."""
_LIFETIME = 20_000
"""A place that was not visited for so many values is forgotten."""


class Visited:
    """Places on the number line, at most `most` of them, sorted; beyond that the densest are thinned out.

    Distance to the nearest neighbour finds what lies outside of the range as well as what lies in a gap
    within it, and it knows nothing of distributions.
    """

    __slots__ = ("_count", "_cursor", "_last", "_most", "_places")

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._cursor = 0
        self._places: list[float] = []
        self._last: list[float] = []
        """When each place was visited last: the number of the value."""

    def add(self, value: float, unit: float) -> float:
        """Visit a place; how far (in units) the nearest one was, 0 while there are too few to say."""
        self._count += 1
        at = bisect_left(self._places, value)
        nearest, distance = self._nearest(value, at)
        if distance > _FINE * unit:
            self._places.insert(at, value)
            self._last.insert(at, self._count)
            if len(self._places) > self._most:
                self._drop(self._crowded())
        else:
            self._last[nearest] = self._count
        self._forget()
        return distance / unit if self._count > _READY else 0.0

    def _nearest(self, value: float, at: int) -> tuple[int, float]:
        below = value - self._places[at - 1] if at > 0 else float("inf")
        above = self._places[at] - value if at < len(self._places) else float("inf")
        return (at - 1, below) if below <= above else (at, above)

    def _crowded(self) -> int:
        """The place that would be missed least: its neighbours are closest together."""
        widths = list(map(sub, self._places[2:], self._places))
        return widths.index(min(widths)) + 1

    def _forget(self) -> None:
        """Look at one place each time, in turn, and drop it if nobody came for too long."""
        self._cursor = (self._cursor + 1) % len(self._places)
        if self._last[self._cursor] < self._count - _LIFETIME:
            self._drop(self._cursor)
            self._cursor = max(0, self._cursor - 1)

    def _drop(self, index: int) -> None:
        del self._places[index]
        del self._last[index]

    def write(self, tape: Tape) -> None:
        tape.write(self._count, self._cursor).write_all(self._places).write_all(self._last)

    def read(self, tape: Tape) -> None:
        self._count, self._cursor = tape.read_int(), tape.read_int()
        self._places, self._last = tape.read_all(), tape.read_all()
