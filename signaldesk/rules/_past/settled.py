"""What windows of the past come to, known without putting their members into a tally one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from signaldesk.model.window import Window
from signaldesk.rules._series import Series, Tally
from signaldesk.rules._tallies import Sums, packed


class Values(Sums):
    """The doubles of a window, which are summed when that is asked for; nothing comes or goes."""

    __slots__ = ("values",)

    def __init__(self, values: list[float]) -> None:
        super().__init__()
        self.values = values
        self.count = len(values)

    def sum(self) -> float:
        try:
            return math.fsum(self.values) + 0.0  # as of whole numbers, there is no -0
        except OverflowError:
            return self._summed().sum()

    def mean(self) -> float:
        return self._summed().mean()

    def _summed(self) -> Sums:
        sums = Sums()
        sums.add_all([packed(value) or b"" for value in self.values])
        return sums


class Counted(Tally):
    """So many."""

    __slots__ = ()

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count


class Settled(Series[Any]):
    """A series at one moment: what each of its views comes to. The window has members for evidence only."""

    def __init__(self, tallies: Sequence[Tally]) -> None:
        super().__init__(Tally, span=0, pane=1, views=0)
        self._tallies = tallies

    def measure(self, window: Window, time: int, width: int, view: int = 0, ago: int = 0) -> Tally:
        return self._tallies[view]
