"""Sums of doubles over many windows at once: of whole numbers, so that nothing adds up but what is there.

Values are rounded once, to whole numbers of 2^-shift that are small enough for all of them to be added up. A
sum over a window is the difference of two such sums, known to within half a unit for each of its values. What
a tally would say is therefore known but for a margin, which is none where no value had to be rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from signaldesk.rules._blocks import Block, Some, by_blocks
from signaldesk.rules._columns import Bools, Columns, Ints

Floats = NDArray[np.float64]
_ROUNDING = 2.0**-50
"""More than all roundings of a few operations on doubles, relative to the greatest of them."""
_EXACT = 2**53
_SQUARED = 1e140
"""Squares of these can be summed."""


_EXACTLY = np.zeros(1)


class Measured(NamedTuple):
    """What is measured at each row, and how far off that may be; NaN where there is nothing to measure."""

    values: Floats
    margins: Floats
    """One for all of them where they are exact."""


Measure = Callable[[Some], Measured]
"""What is measured at the rows of a block, or at some of them."""


def compared(
    count: int,
    measure: Measure,
    holds: Callable[[Any, Any], Any],
    limit: float,
    enough: Callable[[Block], Bools],
) -> tuple[Bools, Ints]:
    """Whether each of so many rows' values compares so with a limit, where there is enough to be judged; and
    the rows for which that has to be found out exactly.

    `enough` answers with a new array."""
    unsure: list[Ints] = []

    def compare(rows: Block) -> Bools:
        found = enough(rows)
        judged = np.flatnonzero(found)
        if not len(judged):
            return found
        few = 2 * len(judged) < len(found)
        some: Some = judged + rows.start if few else rows
        values, margins = measure(some)
        right = holds(values, limit)
        if margins.any():
            doubtful = (margins > 0) & ~(np.abs(values - limit) > margins)
            unsure.append((judged[doubtful] if few else np.flatnonzero(doubtful & found)) + rows.start)
        if few:
            found[judged] = right
        else:
            found &= right
        return found

    found = by_blocks(count, bool, compare)
    return found, np.sort(np.concatenate([np.empty(0, np.int64), *unsure]))


class Fixed:
    """Doubles, ready to be summed over windows of rows [first, end), as `Columns.total` does."""

    def __init__(self, columns: Columns, values: Floats) -> None:
        self._columns = columns
        most = max(float(values.max(initial=0.0)), -float(values.min(initial=0.0)))
        self.shift = shift = 62 - len(values).bit_length() - math.frexp(most)[1]
        rounded: list[bool] = []

        def whole(rows: Block) -> Floats:
            found: Floats = np.rint(np.ldexp(values[rows], shift))
            rounded.append(bool((np.ldexp(found, -shift) != values[rows]).any()))
            return found

        self._whole: Ints = by_blocks(len(values), np.int64, whole)
        self.exact = not any(rounded) and abs(shift) < 900

    def total(self, first: Ints, end: Ints) -> Measure:
        """The sums."""
        sums = self._columns.totals(first, end, self._whole)

        def measure(rows: Some) -> Measured:
            values = np.ldexp(sums(rows).astype(np.float64), -self.shift)
            if self.exact:
                return Measured(values, _EXACTLY)
            return Measured(values, (end[rows] - first[rows]) * self._half + np.abs(values) * _ROUNDING)

        return measure

    def mean(self, first: Ints, end: Ints) -> Measure:
        """The means; windows must not be empty, or come out as NaN."""
        sums, counts = self._columns.totals(first, end, self._whole), self._columns.totals(first, end)
        half = 0.0 if self.exact else self._half

        def measure(rows: Some) -> Measured:
            total = sums(rows)
            with np.errstate(invalid="ignore", divide="ignore"):
                values = np.ldexp(total / counts(rows), -self.shift)
            if self.exact and max(int(total.max()), -int(total.min())) < _EXACT:
                return Measured(values, _EXACTLY)
            return Measured(values, half + np.abs(values) * _ROUNDING)

        return measure

    @property
    def _half(self) -> float:
        return math.ldexp(0.5, -self.shift) + np.finfo(np.float64).tiny


class Spread:
    """Doubles of which standard deviations are taken, over windows of rows as sums are."""

    def __init__(self, columns: Columns, values: Floats) -> None:
        self._columns = columns
        with np.errstate(over="ignore"):
            middle = float(values.mean()) if len(values) else 0.0
            apart = values - middle
        self._most = max(float(apart.max(initial=0.0)), -float(apart.min(initial=0.0)))
        self._sums: list[Fixed] = []
        """Of the values, less their middle, and of the squares of that; none where these are too large."""
        if self._most < _SQUARED:
            self._sums.append(Fixed(columns, apart))
            apart *= apart
            self._sums.append(Fixed(columns, apart))

    def deviation(self, first: Ints, end: Ints) -> Measure:
        """The standard deviations of samples; of fewer than two values NaN."""
        if not self._sums:
            return lambda rows: Measured(np.zeros(len(first[rows])), np.full(len(first[rows]), np.inf))
        sums_of, squares_of = (fixed.total(first, end) for fixed in self._sums)
        counts_of, most = self._columns.totals(first, end), self._most

        def measure(rows: Some) -> Measured:
            sums, squares, counts = sums_of(rows), squares_of(rows), counts_of(rows).astype(np.float64)
            with np.errstate(invalid="ignore", divide="ignore"):
                whole = sums.values * sums.values / counts
                variances = (squares.values - whole) / (counts - 1)
                # Taking the middle away, and squaring, rounded each value before.
                off = sums.margins + counts * most * _ROUNDING
                margins = squares.margins + counts * most * most * _ROUNDING
                margins += (2 * np.abs(sums.values) * off + off * off) / counts
                margins = (margins + (squares.values + whole) * 4 * _ROUNDING) / (counts - 1)
                low = np.sqrt(np.maximum(variances - margins, 0))
                high = np.sqrt(np.maximum(variances + margins, 0))
            return Measured((low + high) / 2, (high - low) / 2 + high * _ROUNDING)

        return measure


def counted(columns: Columns, first: Ints, end: Ints) -> Measure:
    """How many rows there are."""
    counts = columns.totals(first, end)
    return lambda rows: Measured(counts(rows).astype(np.float64), _EXACTLY)


def changed(one: Measure, other: Measure, *, rises: bool, relative: bool) -> Measure:
    """The change from the other to the one, as a share of the other if `relative`; NaN where that is 0."""
    return lambda rows: _changed(one(rows), other(rows), rises=rises, relative=relative)


def _changed(one: Measured, other: Measured, *, rises: bool, relative: bool) -> Measured:
    values = one.values - other.values if rises else other.values - one.values
    if relative and not (one.margins.any() or other.margins.any()):
        with np.errstate(invalid="ignore", divide="ignore"):
            return Measured(np.where(other.values == 0, np.nan, values / np.abs(other.values)), _EXACTLY)
    margins = one.margins + other.margins
    rough = margins > 0
    margins = margins + np.where(rough, np.abs(values) * _ROUNDING, 0)
    if relative:
        size = np.abs(other.values)
        least = size - other.margins  # where the earlier value may be 0, anything is possible
        with np.errstate(invalid="ignore", divide="ignore"):
            share = values / np.where(size == 0, np.nan, size)
            off = (margins + np.abs(share) * other.margins) / least + np.abs(share) * _ROUNDING
        anything = (other.margins > 0) & ~(least > 0)
        margins = np.where(anything, np.inf, np.where(rough, off, 0))
        values = np.where(anything, 0.0, share)
    return Measured(values, margins)
