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

    def compared(self, holds: Callable[[Any, Any], Any], limit: float, enough: Bools) -> tuple[Bools, Ints]:
        """Whether each value compares so with a limit, where there is enough to be judged; and the rows for
        which that has to be found out exactly."""
        found = holds(self.values, limit) & enough
        if not self.margins.any():
            return found, np.empty(0, np.int64)
        unsure = (self.margins > 0) & ~(np.abs(self.values - limit) > self.margins)
        return found, np.flatnonzero(unsure & enough)


class Fixed:
    """Doubles, ready to be summed over windows of rows [first, end), as `Columns.total` does."""

    def __init__(self, columns: Columns, values: Floats) -> None:
        self._columns = columns
        most = float(np.abs(values).max(initial=0.0))
        self.shift = 62 - len(values).bit_length() - math.frexp(most)[1]
        whole = np.rint(np.ldexp(values, self.shift))
        self.exact = bool((np.ldexp(whole, -self.shift) == values).all()) and abs(self.shift) < 900
        self._whole: Ints = whole.astype(np.int64)

    def total(self, first: Ints, end: Ints) -> Measured:
        """The sums."""
        sums = self._columns.total(first, end, self._whole)
        values = np.ldexp(sums.astype(np.float64), -self.shift)
        if self.exact:
            return Measured(values, _EXACTLY)
        return Measured(values, (end - first) * self._half + np.abs(values) * _ROUNDING)

    def mean(self, first: Ints, end: Ints) -> Measured:
        """The means; windows must not be empty, or come out as NaN."""
        sums, counts = self._columns.total(first, end, self._whole), self._columns.total(first, end)
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.ldexp(sums / counts, -self.shift)
        half = 0.0 if self.exact else self._half
        if self.exact and len(sums) and max(int(sums.max()), -int(sums.min())) < _EXACT:
            return Measured(values, _EXACTLY)
        return Measured(values, half + np.abs(values) * _ROUNDING)

    @property
    def _half(self) -> float:
        return math.ldexp(0.5, -self.shift) + np.finfo(np.float64).tiny


def deviation(columns: Columns, values: Floats, first: Ints, end: Ints) -> Measured:
    """The standard deviations of samples; of fewer than two values NaN."""
    with np.errstate(over="ignore"):
        middle = float(values.mean()) if len(values) else 0.0
    apart = values - middle
    if not np.abs(apart).max(initial=0.0) < _SQUARED:
        return Measured(np.zeros(len(first)), np.full(len(first), np.inf))
    sums = Fixed(columns, apart).total(first, end)
    squares = Fixed(columns, apart * apart).total(first, end)
    counts = columns.total(first, end).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        whole = sums.values * sums.values / counts
        variances = (squares.values - whole) / (counts - 1)
        # Taking the middle away, and squaring, rounded each value before.
        most = float(np.abs(apart).max(initial=0.0))
        off = sums.margins + counts * most * _ROUNDING
        margins = squares.margins + counts * most * most * _ROUNDING
        margins += (2 * np.abs(sums.values) * off + off * off) / counts
        margins = (margins + (squares.values + whole) * 4 * _ROUNDING) / (counts - 1)
        low = np.sqrt(np.maximum(variances - margins, 0))
        high = np.sqrt(np.maximum(variances + margins, 0))
    return Measured((low + high) / 2, (high - low) / 2 + high * _ROUNDING)


def counted(columns: Columns, first: Ints, end: Ints) -> Measured:
    """How many rows there are."""
    return Measured(columns.total(first, end).astype(np.float64), _EXACTLY)


def changed(one: Measured, other: Measured, *, rises: bool, relative: bool) -> Measured:
    """The change from the other to the one, as a share of the other if `relative`; NaN where that is 0."""
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
