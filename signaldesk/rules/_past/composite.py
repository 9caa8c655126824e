"""`composite` in columns: a row is an event at which parts held, and says which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from signaldesk.model.window import Window
from signaldesk.rules._columns import Bools, Columns, Ints
from signaldesk.rules._kind import Replay

ON = "on"
"""The sample that says which parts held: a bit for each, in the order of their names."""


class CompositeReplay(Replay):
    """A part is on when the latest row before at which it held is near enough."""

    exact = True

    def __init__(self, all_: Sequence[str], any_: Sequence[str], none: Sequence[str], within: int, most: int):
        """`within` is µs; `most`: so many moments of a part are kept."""
        self._names = [*all_, *any_, *none]
        self._all, self._any, self._none = (
            sum(1 << self._names.index(name) for name in names) for names in (all_, any_, none)
        )
        self._within, self._most = within, most

    def holds(self, columns: Columns) -> Bools:
        first, places = columns.within(self._within), np.arange(len(columns))
        held, on = columns.samples[ON], np.zeros(len(columns), np.int64)
        for number in range(len(self._names)):
            latest = np.maximum.accumulate(np.where(held >> number & 1, places, -1))
            on |= (latest >= first).astype(np.int64) << number
        for row in columns.disturbed.tolist():
            on[row] = np.bitwise_or.reduce(held[columns.inside(row, first, columns.places)])
        found: Bools = (on & self._all == self._all) & (on & self._none == 0)
        return found & (on & self._any != 0) if self._any else found

    def recovered(self, columns: Columns, threshold: float) -> Bools:
        return np.zeros(len(columns), bool)  # nothing is measured

    def unfit(self, columns: Columns) -> Bools | None:
        """Groups that may have forgotten moments to which something late reached back."""
        late = columns.late
        if columns.exact:
            first = columns.after(late, columns.times[late] - self._within)
            late = late[columns.after(late, columns.peaks) - first >= self._most]
        if not len(late):
            return None
        found = np.zeros(len(columns.starts), bool)
        found[columns.groups(late)] = True
        return found

    def first(self, columns: Columns, rows: Ints) -> Ints:
        return columns.after(rows, columns.times[rows] - self._within)

    def recall(self, columns: Columns, window: Window, row: int, members: list[bytes]) -> None:
        rows = columns.members(row, int(columns.within(self._within)[row]))
        held, times = columns.samples[ON][rows].tolist(), columns.times[rows].tolist()
        memory: dict[str, Window] = {}
        for number, name in enumerate(self._names):
            moments: list[tuple[int, bytes]] = sorted(
                (time, member)
                for time, member, bits in zip(times, members, held, strict=True)
                if bits >> number & 1
            )
            if moments:
                memory[name] = Window()
                memory[name].fill([(member, time) for time, member in moments])
        window.memory = memory
