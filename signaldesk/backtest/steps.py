"""How far time is at each step of a stream, for deadlines that come between events."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from signaldesk.backtest.events import Events
from signaldesk.backtest.fold import BATCH
from signaldesk.engine.timers import NEVER
from signaldesk.rules._columns import Ints


class Place(NamedTuple):
    """Where in the stream something happens, and how far time is there (µs)."""

    position: int
    received: int
    clock: int


class Steps:
    """Two steps for each event that the rule looks at: before it is judged, and when its entry is done.

    An entry moves time to its receipt, then each event that is judged to its watermark, and the end of the
    entry to the watermark after its last event, judged or not.
    """

    def __init__(self, events: Events, types: tuple[str, ...], judged: NDArray[Any]) -> None:
        """`judged`: places in the stream of the events that are judged."""
        some = len(set(types)) < len(events.types)
        where = " WHERE list_contains(?, type)" if some else ""  # a join would not keep the order
        found = events.table(
            "SELECT seq::BIGINT AS seq, ts + behind AS mark, received, coalesce(position, 0) AS position "
            f"FROM events{where}",
            [list(types)] if some else [],
        )
        self._seq, marks, self._received, self._position = (
            found.column(name).to_numpy() for name in ("seq", "mark", "received", "position")
        )
        begins = _begins(self._received, self._position)
        clock = self._clock = np.empty(2 * len(marks), np.int64)
        before, after = clock[::2], clock[1::2]
        if len(judged) == len(marks):  # all of them
            before[:] = marks
        else:
            before[:] = np.iinfo(np.int64).min
            at = self._places(judged)
            before[at] = marks[at]
        if begins is None:
            np.maximum(before, self._received, out=before)
            after[:] = marks
        else:
            np.maximum(before, self._received, out=before, where=begins)
            ends = np.append(begins[1:], True)[: len(begins)]
            after[:] = np.where(ends, marks, before)
        np.maximum.accumulate(clock, out=clock)

    def before(self, seq: int) -> int:
        """The step before this event is judged."""
        return 2 * int(np.searchsorted(self._seq, seq))

    def before_all(self, seqs: NDArray[Any]) -> Ints:
        """The same for each of these."""
        return 2 * self._places(seqs)

    def clocks(self, seqs: NDArray[Any]) -> Ints:
        """How far time is before each of these events is judged."""
        found: Ints = self._clock[2 * self._places(seqs)]
        return found

    def _places(self, seqs: NDArray[Any]) -> Ints:
        whole = len(self._seq) and int(self._seq[-1]) - int(self._seq[0]) + 1 == len(self._seq)
        found: Ints = seqs.astype(np.int64) - self._seq[0] if whole else np.searchsorted(self._seq, seqs)
        return found

    def seq(self, step: int) -> int:
        """Events before this one have been judged at a step."""
        row = (step + 1) // 2
        return int(self._seq[row]) if row < len(self._seq) else int(self._seq[-1]) + 1

    def place(self, step: int) -> Place:
        row = step // 2
        return Place(int(self._position[row]) or 1, int(self._received[row]), int(self._clock[step]))

    def first_after(self, time: int) -> int:
        """The first step at which it is later than this; as many as there are when there is none."""
        return len(self) if time >= NEVER else int(np.searchsorted(self._clock, time, side="right"))

    def after(self, times: Ints) -> Ints:
        """The same for each of these times."""
        found: Ints = np.searchsorted(self._clock, times, side="right")
        return found

    def __len__(self) -> int:
        return len(self._clock)


def _begins(received: Ints, position: Ints) -> NDArray[np.bool_] | None:
    """Where an entry begins; long ones are taken in pages. None: each event is an entry of its own."""
    begins = np.ones(len(received), bool)
    begins[1:] = received[1:] != received[:-1]
    if begins.all():
        return None
    begins[1:] |= position[1:] != position[:-1]
    starts = np.flatnonzero(begins)
    inside = np.arange(len(received)) - np.repeat(starts, np.diff(np.append(starts, len(received))))
    found: NDArray[np.bool_] = inside % BATCH == 0
    return found
