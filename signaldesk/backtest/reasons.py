"""What a rule's own judge says at single moments of the past, with its window as it was then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from signaldesk.backtest.lookup import Lookup
from signaldesk.backtest.matched import Matched
from signaldesk.model.outcome import Firing
from signaldesk.model.window import Window
from signaldesk.rules._columns import Bools, Ints
from signaldesk.rules._kind import Judge, Replay


class Owed(NamedTuple):
    """A firing without its reason yet: what had come was all up to this row; the condition held at `time`."""

    firing: Firing
    row: int
    time: int


class Reasons:
    """Fills windows with the members that had come by the time of a row, and asks the judge."""

    def __init__(self, lookup: Lookup, matched: Matched, replay: Replay, judge: Judge) -> None:
        self._lookup, self._matched, self._replay, self._judge = lookup, matched, replay, judge
        self._columns = matched.columns

    def give(self, owed: Sequence[Owed]) -> None:
        """Give firings their value, bounds, evidence and words."""
        rest = owed
        if self._replay.settles:
            times = self._columns.times[_rows(owed)].tolist()
            own = [one.time == time for one, time in zip(owed, times, strict=True)]
            self._settled([one for one, its in zip(owed, own, strict=True) if its])
            rest = [one for one, its in zip(owed, own, strict=True) if not its]
        rows_of = self._replay.members(self._columns, _rows(rest))
        for one, known, members in zip(rest, rows_of, self._names(rows_of, self._named), strict=True):
            window = self._window(known, members)
            self._judge.load(window, None)
            self._replay.recall(self._columns, window, one.row, members)
            self._explain(one, window)

    def _settled(self, owed: Sequence[Owed]) -> None:
        """The same where what is measured is known, and only the evidence has to be looked up."""
        rows = _rows(owed)
        first = self._replay.latest(self._columns, rows)
        rows_of = [self._columns.members(*one) for one in zip(rows.tolist(), first.tolist(), strict=True)]
        for one, known, members in zip(owed, rows_of, self._names(rows_of, self.ids), strict=True):
            window = self._window(known, members)
            self._replay.settle(self._columns, window, one.row)
            self._explain(one, window)

    def _explain(self, one: Owed, window: Window) -> None:
        firing, why = one.firing, self._judge.verdict(window, one.time, one.firing.event.id)
        firing.value, firing.at_least, firing.margin = why.value, why.at_least, why.margin
        firing.threshold = why.threshold
        firing.window_from, firing.window_to = why.window_from, why.window_to
        firing.evidence, firing.words = why.evidence, why.words

    def _names(self, rows_of: list[Ints], names: Callable[[Ints], list[bytes]]) -> Iterator[list[bytes]]:
        """The names of each of these rows, looked up all at once."""
        wanted = np.zeros(len(self._columns), bool)
        for known in rows_of:
            wanted[known] = True
        rows = np.flatnonzero(wanted)
        named = names(rows)
        places = np.searchsorted(rows, [int(known[0]) if len(known) else 0 for known in rows_of])
        for known, at in zip(rows_of, places.tolist(), strict=True):
            if len(known) and known[-1] - known[0] == len(known) - 1:  # nearly always: none of them came late
                yield named[at : at + len(known)]
            else:
                yield [named[place] for place in np.searchsorted(rows, known).tolist()]

    def ask(self, rows: Ints, threshold: float | None) -> tuple[Bools, Bools]:
        """For each row whether the condition holds, and whether its value is back at `threshold`."""
        holds, back = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
        for at, members in enumerate(self._replay.members(self._columns, rows)):
            row = int(rows[at])
            others = members[members != row]
            suffixes = self._replay.suffixes(self._columns, np.append(others, row)) or [b""] * len(members)
            names = [int(one).to_bytes(16, "big") for one in others]  # which one is which does not matter
            window = self._window(
                others, [name + suffix for name, suffix in zip(names, suffixes, strict=False)]
            )
            self._judge.load(window, None)
            time = int(self._columns.times[row])
            holds[at] = self._judge.holds(window, time, row.to_bytes(16, "big"), suffixes[-1])
            value = self._judge.value(window, time) if threshold is not None else None
            back[at] = value is not None and self._judge.recovered(value, threshold or 0.0)
        return holds, back

    def _named(self, rows: Ints) -> list[bytes]:
        """The rows as members: their events' ids, and what the judge keeps with them."""
        found = self.ids(rows)
        suffixes = self._replay.suffixes(self._columns, rows)
        return [one + two for one, two in zip(found, suffixes, strict=True)] if suffixes else found

    def ids(self, rows: Ints) -> list[bytes]:
        """The ids of some rows' events."""
        return self._matched.ids(self._lookup, rows)

    def _window(self, rows: Ints, members: list[bytes]) -> Window:
        window = Window()
        times = self._columns.times[rows]
        if (times[1:] > times[:-1]).all():
            window.times, window.ids = times.tolist(), members
        else:
            together = sorted(zip(times.tolist(), members, strict=True))
            window.fill([(member, time) for time, member in together])
        return window


def _rows(owed: Sequence[Owed]) -> Ints:
    return np.array([one.row for one in owed], np.int64)
