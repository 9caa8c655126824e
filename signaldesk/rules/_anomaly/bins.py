"""A group's bins of time: open ones take events; closed ones are a series for the detector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from signaldesk.rules._anomaly.detector import Detector

ASLEEP = 1_000
"""After so many empty bins in a row a group has no deadlines until its next event; the gap is left out."""


class Bin:
    """What came within one bin: how many values, their sum, the least and the greatest."""

    __slots__ = ("count", "high", "low", "total")

    def __init__(self, count: int = 0, total: float = 0.0, low: float = 0.0, high: float = 0.0) -> None:
        self.count, self.total, self.low, self.high = count, total, low, high

    def add(self, value: float) -> None:
        if not self.count:
            self.low = self.high = value
        elif value < self.low:
            self.low = value
        elif value > self.high:
            self.high = value
        total = self.total + value
        self.total = total if -1e300 < total < 1e300 else min(1e300, max(-1e300, total))
        self.count += 1


class Bins:
    """Bins begin at whole multiples of their length since 1970. Times are µs."""

    __slots__ = ("_empty", "_length", "_open", "_partial", "_written", "closed", "detector", "expected",
                 "next", "score", "value")  # fmt: skip

    def __init__(self, length: int) -> None:
        self._length = length
        self._open: dict[int, Bin] = {}
        self._partial = True
        """Whether the next bin to close is the group's first one, which began before its first event."""
        self._empty = 0
        self._written: bytes | None = None
        self.detector = Detector()
        self.next: int | None = None
        """Start of the bin that is to be closed next; None without one."""
        self.closed = -(1 << 62)
        """Start of the bin that was closed last; events before its end come too late for it."""
        self.value = self.score = self.expected = 0.0
        """Of that bin: its figure, how unusual it was, and what was usual."""

    def take(self, time: int, value: float) -> None:
        """An event's value; it counts for nothing when its bin was closed before."""
        start = time - time % self._length
        if start <= self.closed or (self.next is not None and start < self.next):
            return
        if self.next is None:
            self.next = start
        one = self._open.get(start)
        if one is None:
            one = self._open[start] = Bin()
        one.add(value)

    def put(self, time: int, whole: Bin) -> None:
        """The bin of a time as it will be when it is closed: for the past, in place of `take`."""
        start = time - time % self._length
        if self.next is None:
            self.next = start
        self._open[start] = whole

    def close(
        self,
        figure: Callable[[Bin | None], float | None],
        threshold: float,
        side: int,
        local: Callable[[int], int],
    ) -> bool:
        """Close the next bin: whether an anomaly begins with it. `local`: a time on a place's own clocks."""
        start = self.next
        assert start is not None
        one = self._open.pop(start, None)
        self.closed, self.next = start, start + self._length
        self._empty = 0 if one else self._empty + 1
        if self._empty >= ASLEEP and not self._open:
            self.next = None
        value = None if self._partial else figure(one)
        self._partial = False
        self.value, self.score = value or 0.0, 0.0
        if value is None:
            return False
        self._written = None
        found = self.detector.add(local(start + self._length // 2), value, threshold, side)
        self.score, self.expected = found.score, found.expected
        return found.score >= threshold and not found.resting

    def dump(self) -> Any:
        """Plain values; the detector's are only written anew after it was fed."""
        if self._written is None:
            self._written = self.detector.dump()
        bins = [(start, one.count, one.total, one.low, one.high) for start, one in self._open.items()]
        state = (self.next, self.closed, self._partial, self._empty, self.value, self.score, self.expected)
        return [bins, state, self._written]

    @classmethod
    def load(cls, length: int, notes: Any) -> Bins:
        """What `dump` wrote, or a group without a past."""
        self = cls(length)
        if notes is not None:
            bins, state, self._written = notes
            self._open = {start: Bin(*rest) for start, *rest in bins}
            self.next, self.closed, self._partial, self._empty, *last = state
            self.value, self.score, self.expected = last
            self.detector = Detector.load(notes[2])
        return self
