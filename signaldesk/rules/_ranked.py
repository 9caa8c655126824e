"""The greatest or least of the values at a rank that many windows have: none of them is put in order.

As in a wavelet tree (Claude, Navarro, Ordóñez: The wavelet matrix, 2015), values are told apart bit by bit,
and kept in their order within those that are alike so far: a running count says of every window whether the
value at its rank has the bit. Only the branches grow in which the answer lies: as soon as one window of a
slot has the bit, none without it can be the slot's greatest, and what is out is dropped at once.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from signaldesk.rules._columns import Bools, Columns, Ints

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]
"""Numbers of values, in the order of these."""
_ROWS = 1 << 17
"""Rows that are looked at together: what is there of them stays in the cache of a core."""


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


def extreme(
    columns: Columns, sample: str, first: Ints, ranks: Ints, slots: Ints, count: int, *, most: bool
) -> Floats:
    """For each of so many slots the greatest (or least) value of that sample which a window [first, row] has
    at its row's rank; NaN for a slot without rows. `slots` says of each row which one it lies in; with
    rank 0 it does not matter."""
    rows = np.flatnonzero(ranks > 0)
    known, codes = columns.shared(("codes", sample), lambda: _coded(columns.samples[sample]))
    bits = len(known).bit_length()
    late, others = columns.overtaken(first, columns.places)
    by_row = np.argsort(late, kind="stable")
    late, others = late[by_row], others[by_row]

    def reached(part: Ints) -> Ints:
        begin, end = int(first[part[0]]), int(part[-1]) + 1
        inside = slice(*np.searchsorted(late, [part[0], end]))
        there = ranks[late[inside]] > 0
        absent = _Absent(np.searchsorted(part, late[inside][there]), others[inside][there] - begin)
        windows = _Windows(first[part] - begin, part + 1 - begin, ranks[part], slots[part])
        return _searched(codes[begin:end], bits, windows, absent, count, most=most)

    size = max(_ROWS, int((rows - first[rows]).max(initial=0)))
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as cores:
        places = np.array([np.full(count, -1), *cores.map(reached, parts)])
    best = places.max(axis=0) if most else np.where(places < 0, len(known), places).min(axis=0)
    nothing = (places < 0).all(axis=0)
    found: Floats = np.where(nothing, np.nan, np.append(known, np.nan)[np.where(nothing, -1, best)])
    return found


def _searched(codes: Codes, bits: int, windows: _Windows, absent: _Absent, count: int, *, most: bool) -> Ints:
    """The code of each slot's answer, -1 where there is none."""
    used = np.bincount(windows.slot, minlength=count) > 0
    reached = np.zeros(count, np.int64)
    for bit in reversed(range(bits)):
        ones = (codes & (1 << bit)).astype(bool)
        if ones.all():
            reached |= 1 << bit
        elif ones.any():
            codes, windows, absent = _told_apart(codes, bit, ones, windows, absent, reached, used, most=most)
    return np.where(used, reached, -1)


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
    reached: Ints,
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
    reached |= goes_up.astype(np.int64) << bit

    alive = np.zeros((int(codes.max(initial=0)) >> bit) + 1, bool)
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
    windows = np.searchsorted(kept, absent.window)
    there = windows < len(kept)
    there[there] = kept[windows[there]] == absent.window[there]
    windows, places = windows[there], absent.place[there]
    alike = ones[places] == up[windows]
    windows, places = windows[alike], places[alike]
    return _Absent(windows, np.where(up[windows], before[1][places], before[0][places]))


def _running(some: Bools) -> Ints:
    """How many there are before each place."""
    counts = np.zeros(len(some) + 1, np.int64)
    np.cumsum(some, out=counts[1:])
    return counts
