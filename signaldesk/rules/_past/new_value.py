"""`new_value` in columns."""

from __future__ import annotations

import numpy as np

from signaldesk.model import group
from signaldesk.model.window import Window
from signaldesk.rules._columns import Bools, Columns, Ints
from signaldesk.rules._kind import Replay, Wanted


class NewValueReplay(Replay):
    """A value is new when the event before it that had the same one is too old."""

    exact = True

    def __init__(self, field: str, within: int, learn: int, most: int) -> None:
        """Durations are µs; of a group, `most` values are remembered."""
        self._within, self._learn, self._most = within, learn, most
        self._field = Wanted(field, "field", needed=True)
        self.wanted = (self._field,)

    def holds(self, columns: Columns) -> Bools:
        rows, begins = self._series(columns)
        times = columns.times[rows]
        new = np.ones(len(rows), bool)
        new[1:] = begins[1:] | (times[1:] - times[:-1] >= self._within)
        if len(columns.late):
            self._disturbed(columns.came[rows], times, begins, new)
        found = np.empty(len(rows), bool)
        found[rows] = new
        if self._learn:
            found &= columns.times >= columns.earliest() + self._learn
        return found

    def _disturbed(self, came: Ints, times: Ints, begins: Bools, new: Bools) -> None:
        """Decide anew where the event before came only later: the nearest one decides that had come."""
        at = np.flatnonzero(came[1:] < came[:-1]) + 1
        at = before = at[~begins[at]]
        while len(at):
            before = before - 1
            ended = begins[before + 1]
            known = ~ended & (came[before] < came[at])
            new[at] = ended | (times[at] - times[before] >= self._within)
            at, before = at[~ended & ~known], before[~ended & ~known]

    def unfit(self, columns: Columns) -> Bools | None:
        """Groups with so many values that some are forgotten, or in which nearly nothing came in order."""
        rows, begins = self._series(columns)
        many = columns.tardy if not columns.exact else np.zeros(len(columns.starts), bool)
        if int(begins.sum()) > self._most:
            many |= np.bincount(columns.group[rows[begins]], minlength=len(columns.starts)) > self._most
        return many if many.any() else None

    def _series(self, columns: Columns) -> tuple[Ints, Bools]:
        return columns.once(self._field, lambda: columns.series(columns.samples[self._field.name]))

    def recovered(self, columns: Columns, threshold: float) -> Bools:
        return np.zeros(len(columns), bool)  # nothing is measured

    def first(self, columns: Columns, rows: Ints) -> Ints:
        return rows

    def recall(self, columns: Columns, window: Window, row: int, members: list[bytes]) -> None:
        field, number = self._field.text, int(columns.samples[self._field.name][row])
        value = group.key((field,), {field: columns.values[self._field.name](number)})
        window.memory.now = group.text((field,), value)
