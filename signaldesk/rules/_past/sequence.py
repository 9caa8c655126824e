"""`sequence` in columns: chains of events, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from signaldesk.model.window import Window
from signaldesk.rules._columns import Bools, Columns, Ints
from signaldesk.rules._kind import Replay, Wanted
from signaldesk.rules._past.waiting import Course, Shown
from signaldesk.rules.sequence import Chain


class _Links(NamedTuple):
    """The rows that make a chain as one step, by row."""

    rows: Ints
    starts: Ints
    """When these chains began (µs)."""
    before: Ints
    """For each of them the place, among those of the step before, of the one that it follows."""


class Chains:
    """Chains of a rule's steps, as far as events came in order: each event follows the newest chain."""

    def __init__(self, columns: Columns, steps: Sequence[Wanted], width: int) -> None:
        self.links: list[_Links] = []
        for number, step in enumerate(steps):
            rows = np.flatnonzero(columns.samples[step.name])
            times = columns.times[rows]
            if not number:
                self.links.append(_Links(rows, times, np.zeros(len(rows), np.int64)))
                continue
            rows_before, starts, _ = last = self.links[-1]
            kept = np.flatnonzero(_newer(columns, last))
            before = np.searchsorted(rows_before[kept], rows) - 1
            some = np.flatnonzero(before >= 0)
            before = kept[before[some]]
            same = columns.group[rows_before[before]] == columns.group[rows[some]]
            inside = same & (starts[before] > times[some] - width)
            before = before[inside]
            self.links.append(_Links(rows[some[inside]], starts[before], before))

    @property
    def whole(self) -> Ints:
        """The rows that make a chain whole."""
        return self.links[-1].rows

    def parts(self, rows: Ints) -> list[Ints]:
        """The rows of the chains that these make whole, by step."""
        at, found = np.searchsorted(self.whole, rows), []
        for links in reversed(self.links):
            found.append(links.rows[at])
            at = links.before[at]
        return found[::-1]

    def of(self, row: int) -> Ints:
        """The rows of the chain that a row makes whole."""
        return np.concatenate(self.parts(np.array([row])))


def _newer(columns: Columns, links: _Links) -> Bools:
    """Which of these chains are followed: of those that began at one time the first."""
    newer = np.ones(len(links.rows), bool)
    groups = columns.group[links.rows]
    newer[1:] = (links.starts[1:] != links.starts[:-1]) | (groups[1:] != groups[:-1])
    return newer


class SequenceReplay(Replay):
    """Where the last step follows the others in time."""

    def __init__(self, steps: Sequence[Wanted], width: int) -> None:
        """`width`: µs from the first step to the last one."""
        self.wanted = tuple(dict.fromkeys(steps))
        self._steps, self._width = steps, width

    def _chains(self, columns: Columns) -> Chains:
        place = ("chains", *self._steps, self._width)
        return columns.once(place, lambda: Chains(columns, self._steps, self._width))

    def holds(self, columns: Columns) -> Bools:
        found = np.zeros(len(columns), bool)
        found[self._chains(columns).whole] = True
        return found

    def recovered(self, columns: Columns, threshold: float) -> Bools:
        return np.zeros(len(columns), bool)  # nothing is measured

    def unfit(self, columns: Columns) -> Bools | None:
        """Groups with events that came late."""
        return columns.tardy if len(columns.late) else None

    def members(self, columns: Columns, rows: Ints) -> list[Ints]:
        chains = self._chains(columns)
        return [chains.of(row) for row in rows.tolist()]

    def recall(self, columns: Columns, window: Window, row: int, members: list[bytes]) -> None:
        times = columns.times[self._chains(columns).of(row)].tolist()
        window.memory.found = Chain(times[-1], times[0], tuple(members))


class MissingReplay(Replay):
    """Where nothing follows the steps in time."""

    waits = True

    def __init__(self, steps: Sequence[Wanted], missing: Wanted, width: int, most: int) -> None:
        """`width`: µs from the first step; of a group, `most` chains are watched at once."""
        self.wanted = tuple(dict.fromkeys((*steps, missing)))
        self._steps, self._missing, self._width, self._most = steps, missing, width, most

    def unfit(self, columns: Columns) -> Bools | None:
        """Groups with events that came late, or with too many chains."""
        crowded = columns.crowded(self._width, self._most)
        if not len(columns.late):
            return crowded
        return columns.tardy if crowded is None else columns.tardy | crowded

    def shown(self, columns: Columns, course: Course) -> Shown:
        chains = Chains(columns, self._steps, self._width)
        due = chains.links[-1].starts + self._width
        follow = _Following(columns, np.flatnonzero(columns.samples[self._missing.name]))
        after = follow.after(chains.whole + 1)
        followed = after < len(columns)
        followed[followed] = (columns.times[after[followed]] < due[followed]) & (
            course.clock[after[followed]] <= due[followed]
        )
        met = ~followed & (due < course.end)
        at = chains.whole[met]
        rung = Columns(course.clock, columns.came, columns.starts, {}).after(at, due[met])
        rung = np.maximum(rung, at + 1)
        back = follow.after(rung)
        rows = np.unique(np.concatenate([at, rung - 1, back[back < len(columns)]]))
        return Shown(self._closed(chains, follow, rows, len(columns)), None)

    def _closed(self, chains: Chains, follow: _Following, rows: Ints, count: int) -> Ints:
        """With all that the chains of these rows are made of, and what follows them."""
        ends = np.zeros(count, bool)
        ends[chains.whole] = True
        for _ in range(10):
            whole = rows[ends[rows]]
            after = follow.after(whole + 1)
            more = np.unique(np.concatenate([rows, after[after < count], *chains.parts(whole)]))
            if len(more) == len(rows):
                return rows
            rows = more
        return np.arange(count)


class _Following:
    """Rows of what must follow."""

    def __init__(self, columns: Columns, rows: Ints) -> None:
        self._columns, self._rows = columns, rows

    def after(self, rows: Ints) -> Ints:
        """The first of them from each of these rows on, in the group of the row before it; else the number of
        all rows."""
        none = len(self._columns)
        found = np.append(self._rows, none)[np.searchsorted(self._rows, rows)]
        inside = found < self._columns.ends[self._columns.groups(rows - 1)]
        return np.where(inside, found, none)
