"""The greatest or least of the values at a rank that many windows have: none of them is put in order.

The first and the last are the least and the greatest of a window. The rest are told apart bit by bit, as in a
wavelet tree (Claude, Navarro, Ordóñez: The wavelet matrix, 2015), and kept in their order within those that
are alike so far: a running count says of every window whether the value at its rank has the bit. Only the
branches grow in which the answer lies: as soon as one window of a slot has the bit, none without it can be
the slot's greatest, and what is out is dropped at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from signaldesk.rules._columns import Bools, Columns, Ints, extreme_by_slot

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]
"""Numbers of values, in the order of these."""
_ROWS = 1 << 18
"""Windows that are looked at together: the more, the sooner it is known what is out; each core has some."""
_FEW = 4
"""Where less than one value in so many lies in a window, the others are left out at once."""


class _Windows(NamedTuple):
    """Of each window where its values begin and end among those that are left; of these which one is looked
    for, 1 being the least; and its slot."""

    low: Ints
    high: Ints
    rank: Ints
    slot: Ints


class _Absent(NamedTuple):
    """Values that lie in a window and had not come by then: the window, and where they are."""

    window: Ints
    place: Ints

    def of(self, windows: Ints) -> _Absent:
        """Those of some windows only, which are numbered anew; `windows` are ascending."""
        numbers = np.searchsorted(windows, self.window)
        there = numbers < len(windows)
        there[there] = windows[numbers[there]] == self.window[there]
        return _Absent(numbers[there], self.place[there])


def extreme(
    columns: Columns, sample: str, first: Ints, ranks: Ints, slots: Ints, count: int, *, most: bool
) -> Floats:
    """For each of so many slots the greatest (or least) value of that sample which a window [first, row] has
    at its row's rank; NaN for a slot without rows. `slots` says of each row which one it lies in; with
    rank 0 it does not matter."""
    late, others = columns.overtaken(first, columns.places)
    by_row = np.argsort(late, kind="stable")
    absent = _Absent(late[by_row], others[by_row])
    sizes = columns.places - first
    whole = ranks > 0
    whole[late] = False
    least = whole & (ranks == 1)
    greatest = whole & ~least & (ranks == sizes)
    values, widest = columns.samples[sample], int(sizes.max(initial=0))

    def windows(rows: Ints) -> _Windows:
        return _Windows(first[rows], rows + 1, ranks[rows], slots[rows])

    def best(some: Bools, search: Callable[[_Windows, Ints], Floats]) -> Floats:
        """Of some rows, side by side in parts; none is much smaller than a window."""
        rows, size = np.flatnonzero(some), max(_ROWS, widest)
        parts = [rows[start : start + size] for start in range(0, len(rows), size)]
        with ThreadPoolExecutor(os.cpu_count() or 1) as cores:
            found = list(cores.map(lambda part: search(windows(part), part), parts))
        return _farthest([np.full(count, np.nan), *found], most=most)

    def lowest(some: _Windows, rows: Ints) -> Floats:
        return _ends(values, some, np.minimum, count, most=most)

    def highest(some: _Windows, rows: Ints) -> Floats:
        return _ends(values, some, np.maximum, count, most=most)

    found = [best(least, lowest), best(greatest, highest)]
    between = (ranks > 0) & ~least & ~greatest
    if between.any():
        searched = _Searched(values, first, between)

        def inner(some: _Windows, rows: Ints) -> Floats:
            return searched.best(some, absent.of(rows), count, most=most)

        found.append(best(between, inner))
    return _farthest(found, most=most)


def _farthest(found: list[Floats], *, most: bool) -> Floats:
    best: Floats = (np.fmax if most else np.fmin).reduce(found)
    return best


def _ends(values: Floats, windows: _Windows, end: np.ufunc, count: int, *, most: bool) -> Floats:
    """Each slot's, where the value looked for is the least or the greatest of its window: that of the two
    runs of 2^n values with which the window begins and ends (Bender, Farach-Colton: The LCA problem
    revisited, 2000)."""
    low, high, _, slot = windows
    begin = int(low[0])
    runs, level = values[begin : high[-1]], np.frexp(high - low)[1] - 1
    ends = np.empty(len(level))
    for doublings in range(int(level.max()) + 1):
        length = 1 << doublings
        here = np.flatnonzero(level == doublings)
        ends[here] = end(runs[low[here] - begin], runs[high[here] - begin - length])
        runs = end(runs[:-length], runs[length:])
    return extreme_by_slot(ends, slot, count, most=most)


class _Searched:
    """Values among which those are searched that are at a rank within their window."""

    def __init__(self, values: Floats, first: Ints, between: Bools) -> None:
        """`between` says of each row whether its window [first, row] is searched."""
        self._values = values
        self._places: Ints | None = None
        edges = np.bincount(first[between], minlength=len(values) + 1)
        edges[1:] -= between
        inside = np.cumsum(edges[:-1]) > 0
        if _FEW * np.count_nonzero(inside) < len(values):
            self._values, self._places = values[inside], _running(inside)

    def best(self, windows: _Windows, absent: _Absent, count: int, *, most: bool) -> Floats:
        """Each slot's, wherever in its window the value looked for may be."""
        if (places := self._places) is not None:
            windows = windows._replace(low=places[windows.low], high=places[windows.high])
            absent = absent._replace(place=places[absent.place])
        begin = int(windows.low[0])
        known, codes = _coded(self._values[begin : int(windows.high[-1])])
        used = np.bincount(windows.slot, minlength=count) > 0
        windows = windows._replace(low=windows.low - begin, high=windows.high - begin)
        absent = absent._replace(place=absent.place - begin)
        reached = np.zeros(count, np.int32)
        for bit in reversed(range(len(known).bit_length())):
            ones = (codes & (1 << bit)).astype(bool)
            if ones.all():
                reached |= 1 << bit
            elif ones.any():
                codes, windows, absent = _told_apart(
                    codes, bit, ones, windows, absent, reached, used, most=most
                )
        found = np.full(count, np.nan)
        found[used] = known[reached[used]]
        return found


def _coded(values: Floats) -> tuple[Floats, Codes]:
    """The different values in order, and of each value which one it is."""
    order = np.argsort(values)
    ordered = values[order]
    new = np.ones(len(values), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    codes = np.empty(len(values), np.int32)
    codes[order] = np.cumsum(new, dtype=np.int32) - 1
    return ordered[new], codes


def _told_apart(
    codes: Codes,
    bit: int,
    ones: Bools,
    windows: _Windows,
    absent: _Absent,
    reached: Codes,
    used: Bools,
    *,
    most: bool,
) -> tuple[Codes, _Windows, _Absent]:
    """What is left when a bit more is known of each slot's answer, which `reached` is told."""
    zeros = _running(~ones)
    below = zeros[windows.high] - zeros[windows.low]
    if len(absent.window):
        below -= np.bincount(absent.window[~ones[absent.place]], minlength=len(below))
    up = windows.rank > below
    further = np.zeros(len(reached), bool)
    further[windows.slot[np.flatnonzero(up == most)]] = True
    goes_up = further == most
    reached |= goes_up.astype(np.int32) << bit

    alive = np.zeros((int(codes.max()) >> bit) + 1, bool)
    alive[reached[used] >> bit] = True
    left = alive[codes >> bit]
    if left.all():
        places = np.flatnonzero(~ones), np.flatnonzero(ones)
        before = zeros, np.arange(len(places[0]), len(places[0]) + len(zeros)) - zeros
    else:
        places = np.flatnonzero(left & ~ones), np.flatnonzero(left & ones)
        before = _running(left & ~ones), _running(left & ones) + len(places[0])

    kept = np.flatnonzero(up == goes_up[windows.slot])
    its, low, high = up[kept], windows.low[kept], windows.high[kept]
    if len(absent.window):
        absent = _still(absent, kept, its, ones, before)
    narrowed = _Windows(
        np.where(its, before[1][low], before[0][low]),
        np.where(its, before[1][high], before[0][high]),
        windows.rank[kept] - np.where(its, below[kept], 0),
        windows.slot[kept],
    )
    return np.concatenate([codes[some] for some in places]), *_alike(narrowed, absent, most=most)


def _alike(windows: _Windows, absent: _Absent, *, most: bool) -> tuple[_Windows, _Absent]:
    """Of windows that follow one another and hold the same values only the one whose rank is the best."""
    begins = np.ones(len(windows.low), bool)
    begins[1:] = np.diff(windows.low) != 0
    begins[1:] |= np.diff(windows.high) != 0
    begins[1:] |= np.diff(windows.slot) != 0
    begins[absent.window] = True
    begins[np.minimum(absent.window + 1, len(begins) - 1)] = True
    starts = np.flatnonzero(begins)
    best = (np.maximum if most else np.minimum).reduceat(windows.rank, starts)
    fewer = _Windows(windows.low[starts], windows.high[starts], best, windows.slot[starts])
    return fewer, _Absent(np.searchsorted(starts, absent.window), absent.place)


def _still(absent: _Absent, kept: Ints, up: Bools, ones: Bools, before: tuple[Ints, Ints]) -> _Absent:
    """Those that are still in the way of a window."""
    windows, places = absent.of(kept)
    alike = ones[places] == up[windows]
    windows, places = windows[alike], places[alike]
    return _Absent(windows, np.where(up[windows], before[1][places], before[0][places]))


def _running(some: Bools) -> Ints:
    """How many there are before each place."""
    counts = np.zeros(len(some) + 1, np.int64)
    np.cumsum(some, out=counts[1:])
    return counts
