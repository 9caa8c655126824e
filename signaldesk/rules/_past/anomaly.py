"""`anomaly` in columns: events become bins; the judge closes these one after the other, as it does live."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from signaldesk.model.window import Window
from signaldesk.rules._anomaly.bins import ASLEEP, Bin, Bins
from signaldesk.rules._columns import Bools, Columns, Ints
from signaldesk.rules._kind import EVIDENCE_MAX, Replay, Wanted
from signaldesk.rules._past.waiting import Course, Shown

_LARGE = 1e300
"""Sums are not let grow beyond this."""


class _Binned(NamedTuple):
    """Rows that come in time for their bins."""

    starts: Ints
    """For each row of the columns where its bin begins (µs)."""
    taken: Ints
    """These rows, by group and bin, those of the same bin as they came."""
    first: Ints
    """Where in `taken` a bin begins."""


class AnomalyReplay(Replay):
    """The first event of a bin stands for all of them."""

    waits = summed = True

    def __init__(self, length: int, settle: int, field: str | None, members: int) -> None:
        """Durations are µs. `members`: so many of a group are kept at least."""
        self._length, self._settle, self._members = length, settle, members
        self._field = Wanted(field, "number", needed=True) if field is not None else None
        self.wanted = () if self._field is None else (self._field,)
        self._bins: dict[int, Bin] = {}

    def _values(self, columns: Columns) -> NDArray[np.float64] | None:
        return columns.samples[self._field.name] if self._field is not None else None

    def _binned(self, columns: Columns, clock: Ints) -> _Binned:
        starts = columns.times - columns.times % self._length
        intime = clock <= starts + (self._length + self._settle)
        if intime.all() and not len(columns.late):
            rows = np.arange(len(columns))
        else:
            rows = np.flatnonzero(intime)
            rows = rows[np.lexsort((columns.came[rows], starts[rows], columns.group[rows]))]
        first = np.ones(len(rows), bool)
        at, groups = starts[rows], columns.group[rows]
        first[1:] = (at[1:] != at[:-1]) | (groups[1:] != groups[:-1])
        return _Binned(starts, rows, np.flatnonzero(first))

    def doubtful(self, columns: Columns, course: Course) -> Bools:
        """Groups of which it is not certain that each event in time is taken into its bin, and no other."""
        found = np.zeros(len(columns.starts), bool)
        values = self._values(columns)
        if values is not None and float(np.abs(values).sum()) >= _LARGE:
            return ~found
        binned = columns.once(self, partial(self._binned, columns, course.clock))
        known = np.zeros(len(columns), bool)
        known[binned.taken] = True
        odd = columns.tardy
        odd[columns.group[~known]] = True
        if not odd.any():
            return found
        # Events that come late are no trouble while a group is awake.
        bins = binned.taken[binned.first]
        at, groups = binned.starts[bins], columns.group[bins]
        gaps = (at[1:] - at[:-1] >= ASLEEP * self._length) & (groups[1:] == groups[:-1])
        found[groups[1:][gaps]] = True
        came = np.lexsort((columns.came, columns.group))[columns.starts]
        found |= ~known[came] | (binned.starts[columns.starts] < binned.starts[came])
        return found & odd

    def shown(self, columns: Columns, course: Course) -> Shown:
        _, rows, first = columns.once(self, partial(self._binned, columns, course.clock))
        counts = np.diff(np.append(first, len(rows)))
        figures: list[list[Any]] = [counts.tolist()]
        values = self._values(columns)
        if values is not None and len(rows):
            taken = values[rows] + 0.0
            numbers = np.repeat(np.arange(len(first)), counts)
            figures += [
                np.bincount(numbers, weights=taken, minlength=len(first)).tolist(),
                np.minimum.reduceat(taken, first).tolist(),
                np.maximum.reduceat(taken, first).tolist(),
            ]
        elif values is None:
            figures += [counts.astype(float).tolist(), [1.0] * len(first), [1.0] * len(first)]
        opening = rows[first]
        self._bins = dict(
            zip(opening.tolist(), (Bin(*one) for one in zip(*figures, strict=True)), strict=True)
        )
        return Shown(np.sort(opening), None)

    def sample(self, row: int) -> Any:
        return self._bins[row]

    def inside(self, window: Window) -> tuple[int, int, int]:
        bins: Bins = window.memory
        return bins.closed, bins.closed + self._length, self._members - EVIDENCE_MAX
