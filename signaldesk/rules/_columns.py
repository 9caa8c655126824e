"""A rule's events of the past as columns: sorted by group, within it by time, and ties as they came.

Here most windows are slices: what had come by the time of a row are the rows before it. It is not so for rows
that others overtook: `disturbed` ones lie behind (in this order) a row that came only after them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from signaldesk.rules._blocks import Block, Some, by_blocks, stable_order

Ints = NDArray[np.int64]
_FEW = 100
"""For less than one row in so many, keys of all of them are not worth making."""
_MOST_PAIRS = 1 << 25
"""Of rows and others that overtook them."""
_CROSSINGS = 8
"""Widths for which rows are remembered."""
_KEPT = 4
"""Windows of all rows that are remembered."""
_SHARED = 1 << 21
"""Of so many rows what does not depend on windows is remembered: people move these."""
Bools = NDArray[np.bool_]
T = TypeVar("T")


def extreme_by_slot(
    values: NDArray[np.float64], slots: Ints, count: int, *, most: bool
) -> NDArray[np.float64]:
    """For each of so many slots the greatest (or least) of the values in it, NaN where there is none."""
    found = np.full(count + 1, np.nan)  # those in no slot, -1, go to the last one
    (np.fmax if most else np.fmin).at(found, slots, values)
    return found[:-1]


class Columns:
    """Rows, `len(columns)` of them, as arrays; `row` is always a place in this order."""

    def __init__(self, times: Ints, came: NDArray[Any], starts: Ints, samples: dict[str, Any]) -> None:
        """`times` are µs; `came` is each row's place in the stream; groups begin at `starts`, ascending.

        `samples`: the columns that the kind asked for, by name.
        """
        self.times = times
        self.came = came
        self.starts = starts
        self.samples = samples
        self.names: dict[str, list[bytes]] = {}
        """For samples that are numbers of texts: what they stand for."""
        self.values: dict[str, Callable[[int], Any]] = {}
        """For samples that are numbers of a field's values: what a number stands for."""
        self._known: dict[Any, Any] = {}
        self._windows: dict[int, Ints] = {}
        self._crossings: dict[int, tuple[int, Ints]] = {}
        self.late: Ints = np.empty(0, np.int64)
        """Rows that came when their group had a later one already."""
        self.peaks: Ints = np.empty(0, np.int64)
        """For each of these the newest time in its group at that moment."""

    def __len__(self) -> int:
        return len(self.times)

    @cached_property
    def group(self) -> NDArray[np.int32]:
        """For each row the number of its group: 0, 1, …"""
        return np.repeat(np.arange(len(self.starts), dtype=np.int32), np.diff(self.ends, prepend=0))

    @cached_property
    def ends(self) -> Ints:
        """For each group the row after its last one."""
        return np.append(self.starts[1:], len(self)).astype(np.int64)

    def groups(self, rows: Any) -> Ints:
        """The numbers of some rows' groups."""
        numbers: Ints = np.searchsorted(self.starts, rows, side="right") - 1
        return numbers

    @cached_property
    def disturbed(self) -> Ints:
        """Rows of which not all rows before them in their group had come by then."""
        if not len(self.late):
            return np.empty(0, np.int64)
        order = self.group * np.int64(int(self.came.max()) + 1) + self.came
        before = np.maximum.accumulate(order)
        return np.flatnonzero(order[1:] < before[:-1]) + 1

    @property
    def tardy(self) -> Bools:
        """Groups of which an event came when there was a later one already."""
        found = np.zeros(len(self.starts), bool)
        found[self.groups(self.late)] = True
        return found

    @cached_property
    def exact(self) -> bool:
        """Whether `total` and `reaches` know of every disturbed row what had not come by then."""
        spans = self.after(self.late, self.peaks) - self.late
        return int(spans.sum()) < _MOST_PAIRS

    @cached_property
    def _overtaken(self) -> tuple[Ints, Ints]:
        """Pairs of a row and another one before it that came only after it."""
        if not len(self.late) or not self.exact:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        spans = self.after(self.late, self.peaks) - self.late - 1
        others = np.repeat(self.late, spans)
        rows = others + 1 + np.arange(len(others)) - np.repeat(np.cumsum(spans) - spans, spans)
        missing = self.came[rows] < self.came[others]
        return rows[missing], others[missing]

    def once(self, name: Any, make: Callable[[], T]) -> T:
        """What was worked out of the columns under that name; the latest few are remembered."""
        known = self._known  # other threads may make room in it at any time
        found: T | None = known.get(name)
        if found is None:
            found = make()
            for oldest in list(known)[: max(0, len(known) + 1 - _KEPT)]:
                known.pop(oldest, None)
            known[name] = found
        return found

    def shared(self, name: Any, make: Callable[[], T]) -> T:
        """The same, unless there are so many rows that memory matters more than time."""
        return self.once(name, make) if len(self) <= _SHARED else make()

    def series(self, values: NDArray[Any]) -> tuple[Ints, Bools]:
        """The rows by group and value, those of the same value as they are; which of these begin a value.

        Values are small whole numbers.
        """
        kinds = self.group * np.int64(int(values.max(initial=0)) + 1) + values
        rows = stable_order(kinds)
        begins = np.ones(len(rows), bool)
        begins[1:] = np.diff(kinds[rows]) != 0
        return rows, begins

    def latest(self, order: Ints | None) -> tuple[Ints, Ints]:
        """For each row in the order in which they came (None: as they are), by group, the latest time up to
        it; and the places of those that were later than all before them."""
        if order is None:
            times, reached = self.times, self.times
        else:
            times = self.times[order]
            known, ranks = np.unique(times, return_inverse=True)
            later = self.group.astype(np.int64) * len(known)
            reached = known[np.maximum.accumulate(later + ranks) % len(known)]
        rises = np.ones(len(self), bool)
        rises[1:] = times[1:] > reached[:-1]
        rises[self.starts] = True
        return reached, np.flatnonzero(rises)

    def earliest(self) -> Ints:
        """For each row the earliest time in its group as far as it had come by then."""
        if not len(self.late):
            return np.repeat(self.times[self.starts], np.diff(self.ends, prepend=0))
        order = np.lexsort((self.came, self.group))
        times, ranks = np.unique(self.times, return_inverse=True)
        later = (len(self.starts) - self.group[order].astype(np.int64)) * len(times)
        found = np.empty(len(self), np.int64)
        found[order] = times[np.minimum.accumulate(later + ranks[order]) % len(times)]
        return found

    # --- windows ---------------------------------------------------------------------------------------

    def reaches(self, need: int, width: int) -> Bools:
        """Whether the `need` rows up to each one, itself included, lie in (t - width, t].

        Where more of them do, fewer do as well: rows are remembered for the next greater need.
        """
        back = need - 1
        found = np.full(len(self), not back)
        if not 0 < back < len(self):
            return found
        self._cross(found, need, width)
        rows, others = self._overtaken
        if len(rows):
            disturbed = self.disturbed
            near = self.times[others] > self.times[rows] - width
            missing = np.bincount(np.searchsorted(disturbed, rows[near]), minlength=len(disturbed))
            first = self.after(disturbed, self.times[disturbed] - width)
            found[disturbed] = disturbed + 1 - first - missing >= need
        return found

    def _cross(self, found: Bools, need: int, width: int) -> None:
        """The same if all that had come were the rows before."""
        back, known = need - 1, self._crossings
        least, rows = known.get(width, (need + 1, self.starts))
        if least <= need:
            rows = rows[rows >= back]
            near = self.times[rows] - self.times[rows - back] < width
            rows = rows[near & (self.group[rows] == self.group[rows - back])]
            found[rows] = True
        else:
            found[back:] = self.times[back:] - self.times[:-back] < width
            found[back:] &= self.group[back:] == self.group[:-back]
            rows = np.flatnonzero(found)
        if 4 * len(rows) < len(self) and (len(known) < _CROSSINGS or width in known):
            known[width] = need, rows

    def total(self, first: Ints, end: Ints, values: NDArray[Any] | None = None) -> Ints:
        """For each row how many of [first, end) had come by then, or what whole numbers of these come to."""
        return by_blocks(len(first), np.int64, self.totals(first, end, values))

    def totals(self, first: Ints, end: Ints, values: NDArray[Any] | None = None) -> Callable[[Some], Ints]:
        """The same for the rows of a block, or some of them, whenever it is asked for."""
        missing = self._missing(first, end, values)
        if values is not None:
            before = np.zeros(len(self) + 1, np.int64)
            np.cumsum(values, out=before[1:])

        def total(rows: Some) -> Ints:
            if values is None:
                sums = end[rows] - first[rows]
            else:
                sums = before[end[rows]]
                sums -= before[first[rows]]
            if missing is not None:
                sums -= missing[rows]
            return sums

        return total

    def _missing(self, first: Ints, end: Ints, values: NDArray[Any] | None) -> Ints | None:
        """For each row what of [first, end) had not come by then; None where all had."""
        if not len(self._overtaken[0]):
            return None
        rows, others = self.overtaken(first, end)
        missing = np.zeros(len(self), np.int64)
        np.add.at(missing, rows, 1 if values is None else values[others].astype(np.int64))
        return missing

    def overtaken(self, first: Ints, end: Ints) -> tuple[Ints, Ints]:
        """Pairs of a row and another in its [first, end) that had not come by then."""
        rows, others = self._overtaken
        inside = (others >= first[rows]) & (others < end[rows])
        return rows[inside], others[inside]

    def inside(self, row: int, first: Ints, end: Ints) -> Ints:
        """Those of the rows in [first, end) of a row that had come by then."""
        rows = np.arange(first[row], end[row])
        return rows[np.flatnonzero(self.came[rows] <= self.came[row])] if len(self.late) else rows

    def within(self, width: int, ago: int = 0) -> Ints:
        """For each row the first one of its group that is later than t - ago - width; remembered."""
        known, back = self._windows, width + ago
        if back not in known:
            if len(known) >= _KEPT:
                del known[next(iter(known))]
            known[back] = self._after(None, self.times, back)
        return known[back]

    @cached_property
    def places(self) -> Ints:
        """For each row the one after it: where windows end."""
        return np.arange(1, len(self) + 1)

    def crowded(self, width: int, most: int) -> Bools | None:
        """Groups in which at some time more rows than `most` lie in a window; None when there are none."""
        sizes = np.diff(self.ends, prepend=0)
        if not len(sizes) or int(sizes.max()) <= most:
            return None
        many = np.flatnonzero(self.places - self.within(width) > most)
        found = np.zeros(len(self.starts), bool)
        found[self.group[many]] = True
        return found

    def again(self, values: NDArray[Any]) -> Ints:
        """For each row the next one of its group with the same value, or how many rows there are; values are
        small numbers."""
        count = len(self)
        kinds = self.group * np.int64(int(values.max(initial=0)) + 1) + values
        order = stable_order(kinds)
        again = np.full(count, count)
        same = kinds[order[1:]] == kinds[order[:-1]]
        again[order[:-1][same]] = order[1:][same]
        return again

    def different(self, again: Ints, first: Ints) -> Ints:
        """For each row how many different values lie between `first` and it, of which it is said where they
        come again."""
        # A row is the last of its value in the windows up to the next one, or until it is too old.
        count = len(self)
        old = np.cumsum(np.bincount(first, minlength=count))
        gone = np.bincount(np.minimum(again, old), minlength=count + 1)[:count]
        return np.cumsum(1 - gone)

    def after(self, rows: Ints, times: Ints) -> Ints:
        """For each of these rows the first one of its group that is later than a time."""
        return self._after(self.groups(rows), times, 0)

    def _after(self, groups: Ints | None, times: Ints, back: int) -> Ints:
        """The same of so much earlier times, by the rows' groups; None: those of all rows."""
        numbers: NDArray[Any] = self.group if groups is None else groups
        few = "_keys" not in self.__dict__ and len(times) < len(self) // _FEW
        if not few and (known := self._keys) is not None:
            (least, reach), keys = self._place, known

            def place(rows: Block) -> Ints:
                # A time before all must not reach into the group before, nor one after all into the next.
                bounds = np.clip(times[rows] - (least + back), -1, reach - 2)
                bounds += numbers[rows] * np.int64(reach)
                # Among the few keys that it may be, which lie together where the rows do.
                low, high = np.searchsorted(keys, [bounds.min(), bounds.max()], side="right")
                found: Ints = low + np.searchsorted(keys[low:high], bounds, side="right")
                return found

            return by_blocks(len(times), np.int64, place)
        times = times - back
        low: Ints = self.starts[numbers]
        high = self.ends[numbers]
        while (low < high).any():
            middle = (low + high) // 2
            right = (low < high) & (self.times[np.minimum(middle, len(self) - 1)] <= times)
            low, high = np.where(right, middle + 1, low), np.where(right, high, middle)
        return low

    def newest(self, rows: Ints, need: int, width: int) -> Ints:
        """For each of these rows a row from which on there are the `need` newest ones in (t - width, t]."""
        first = self.after(rows, self.times[rows] - width)
        near = np.maximum(first, rows - (need - 1))
        # Of those at the same moment any may be the newest: that is decided by ids.
        near = np.maximum(first, self.after(rows, self.times[near] - 1))
        return np.where(np.isin(rows, self.disturbed) | np.isin(rows, self.late), first, near)

    @cached_property
    def _place(self) -> tuple[int, int]:
        """The least time, and by how much the keys of two groups differ."""
        least = int(self.times.min()) if len(self) else 0
        return least, (int(self.times.max()) - least if len(self) else 0) + 3

    @cached_property
    def _keys(self) -> Ints | None:
        """Group and time in one ascending number; None where that does not fit."""
        least, reach = self._place
        if reach * (len(self.starts) + 1) >= 2**62:
            return None
        group, times = self.group, self.times

        def key(rows: Block) -> Ints:
            found: Ints = group[rows] * np.int64(reach)
            found += times[rows] - least
            return found

        return by_blocks(len(self), np.int64, key)

    def members(self, row: int, first: int) -> Ints:
        """The rows of a group from `first` on that had come when this one had, in order of time."""
        if not len(self.late):
            return np.arange(first, row + 1)
        end, at = row + 1, int(np.searchsorted(self.late, row))
        if at < len(self.late) and self.late[at] == row:
            end = int(self.after(np.array([row]), self.peaks[at : at + 1])[0])
        rows = np.arange(first, end)
        return rows[np.flatnonzero(self.came[rows] <= self.came[row])]
