"""What a composite rule is concerned by: the events at which parts of it held, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from signaldesk.backtest.matched import Matched, Question, in_time
from signaldesk.model.group import Key
from signaldesk.rules._columns import Bools, Columns, Ints
from signaldesk.rules._past.composite import ON


class Part(NamedTuple):
    """A part's own columns, and the rows at which its condition holds."""

    matched: Matched
    holds: Bools


class Composed(Matched):
    """The columns of a composite rule. It is concerned by whatever concerns its parts."""

    def __init__(self, question: Question, parts: Sequence[Part]) -> None:
        """`question`: the types of all parts, and the fields that they all group by."""
        self._keys: list[Key] = []
        columns = self._moments(parts)
        concerned = np.zeros(max((one.matched.size for one in parts), default=0), bool)
        for one in parts:
            concerned[one.matched.columns.came] = True
        self._judged = np.flatnonzero(concerned)
        for one in parts:
            concerned[one.matched.too_late] = True
        super().__init__(question, columns, count=int(concerned.sum()), too_late=np.empty(0, np.int64))

    @property
    def judged(self) -> NDArray[np.int64]:
        return self._judged

    def key(self, number: int) -> Key:
        return self._keys[number]

    def _moments(self, parts: Sequence[Part]) -> Columns:
        """An event is one row, whichever parts held at it: all of them know it in the same group."""
        known: dict[Key, int] = {}
        found: list[list[Ints]] = [[np.empty(0, np.int64)] for _ in range(4)]
        for number, (matched, holds) in enumerate(parts):
            columns, rows = matched.columns, np.flatnonzero(holds)
            groups = columns.group[rows]
            there = np.unique(groups)
            shared = np.zeros(len(columns.starts), np.int64)
            shared[there] = [known.setdefault(matched.key(one), len(known)) for one in there.tolist()]
            bits = np.full(len(rows), 1 << number)
            for column, values in zip(
                found, (columns.came[rows], columns.times[rows], shared[groups], bits), strict=True
            ):
                column.append(values.astype(np.int64))
        every = [np.concatenate(column) for column in found]
        order = np.lexsort((every[0], every[2]))
        came, times, numbers, bits = (column[order] for column in every)
        first = np.flatnonzero(np.diff(came, prepend=-1))
        held = np.bitwise_or.reduceat(bits, first) if len(first) else bits
        came, times, numbers = came[first], times[first], numbers[first]
        starts = np.flatnonzero(np.diff(numbers, prepend=-1))
        names = list(known)
        self._keys = [names[one] for one in numbers[starts].tolist()]
        return in_time(times, came, starts, {ON: held})
