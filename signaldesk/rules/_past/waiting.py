"""What rules wait for, in columns: rows without which no deadline is met otherwise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from signaldesk.rules._columns import Bools, Ints


class Course(NamedTuple):
    """How time goes by (µs)."""

    clock: Ints
    """For each row of the columns how far time is when it is judged."""
    begun: int | None
    """When the rule begins, if it is judged from there on."""
    end: int
    """How far time is in the end."""


class Shown(NamedTuple):
    """Rows that the judge has to be shown: to those between them it would say nothing."""

    rows: Ints
    armed: Bools | None
    """For each row of the columns whether the judge's deadline after it counts; None: all do."""


def ranges(first: Ints, end: Ints) -> Ints:
    """All numbers of first, first + 1, … before `end`, of one range after the other."""
    sizes = np.maximum(end - first, 0)
    found: Ints = np.repeat(first - np.cumsum(sizes) + sizes, sizes) + np.arange(int(sizes.sum()))
    return found
