"""What a rule's own judge says at single moments of the past, with its window as it was then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from signaldesk.backtest.lookup import Lookup
from signaldesk.model.outcome import Firing
from signaldesk.model.window import Window
from signaldesk.rules._columns import Bools, Columns, Ints
from signaldesk.rules._kind import Judge, Replay


class Owed(NamedTuple):
    """A firing without its reason yet: what had come was all up to this row; the condition held at `time`."""

    firing: Firing
    row: int
    time: int


class Reasons:
    """Fills windows with the members that had come by the time of a row, and asks the judge."""

    def __init__(self, lookup: Lookup, columns: Columns, replay: Replay, judge: Judge) -> None:
        self._lookup, self._columns, self._replay, self._judge = lookup, columns, replay, judge

    def give(self, owed: Sequence[Owed]) -> None:
        """Give firings their value, bounds, evidence and words."""
        rows_of = self._replay.members(self._columns, np.array([one.row for one in owed], np.int64))
        wanted = np.zeros(len(self._columns), bool)
        for known in rows_of:
            wanted[known] = True
        rows = np.flatnonzero(wanted)
        named = self._named(rows)
        for one, known in zip(owed, rows_of, strict=True):
            members = [named[place] for place in np.searchsorted(rows, known).tolist()]
            window = self._window(known, members)
            self._replay.recall(self._columns, window, one.row, members)
            why = self._judge.verdict(window, one.time, one.firing.event.id)
            firing = one.firing
            firing.value, firing.at_least, firing.threshold = why.value, why.at_least, why.threshold
            firing.window_from, firing.window_to = why.window_from, why.window_to
            firing.evidence, firing.words = why.evidence, why.words

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
        return self._lookup.ids(self._columns.came[rows].tolist())

    def _window(self, rows: Ints, members: list[bytes]) -> Window:
        window = Window()
        times = self._columns.times[rows]
        if (times[1:] > times[:-1]).all():
            window.times, window.ids = times.tolist(), members
        else:
            together = sorted(zip(times.tolist(), members, strict=True))
            window.fill([(member, time) for time, member in together])
        self._judge.load(window, None)
        return window
