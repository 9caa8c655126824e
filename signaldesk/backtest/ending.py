"""When alerts end by themselves: for rules without `for`, without looking at every row at which they hold.

In a group whose rows came in order, a quiet time begins anew at every row at which the condition holds. Rows
between which it never runs out, and the value never comes back, are one run: only where it ends matters.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from signaldesk.rules._columns import Bools, Columns, Ints


class Endings(NamedTuple):
    """For rows that fire: when their quiet time will have run out (µs; 0 without one), and the row after
    them whose value is back; -1: none comes before."""

    due: Ints
    back: Ints


def first_back(holds: Bools, back: Bools, groups: NDArray[Any]) -> Ints:
    """The first place after each hold, in some order, where the value is back and the condition holds not."""
    good = np.flatnonzero(back & ~holds)
    runs = np.cumsum(holds)[good]
    first = np.ones(len(good), bool)
    first[1:] = (runs[1:] != runs[:-1]) | (groups[good][1:] != groups[good][:-1])
    return good[first]


def endings(
    columns: Columns, hits: Ints, back: Ints, fired: Ints, quiet: int | None, clock: Ints | None
) -> Endings:
    """`hits` and `back`: rows at which the condition holds, and those with a value that is back, by order.

    `fired` are some of the hits. `clock`: how far time is (µs) before each of `hits` and `back`, together in
    order, is judged; needed for quiet times.
    """
    rows = np.union1d(hits, back)
    holding = np.isin(rows, hits, assume_unique=True)
    groups, times = columns.group[rows], columns.times[rows]
    last = np.ones(len(rows), bool)
    last[:-1] = (groups[1:] != groups[:-1]) | ~holding[1:]
    if quiet is not None:
        assert clock is not None
        last[:-1] |= times[:-1] + quiet < clock[1:]
    # For each row the last one of its run.
    ends = np.where(last, np.arange(len(rows)), len(rows))
    ends = np.minimum.accumulate(ends[::-1])[::-1][np.searchsorted(rows, fired)]
    due = times[ends] + quiet if quiet is not None else np.zeros(len(ends), np.int64)
    after = np.minimum(ends + 1, len(rows) - 1)
    ended = (after > ends) & ~holding[after] & (groups[after] == groups[ends])
    return Endings(due, np.where(ended, rows[after], -1))
