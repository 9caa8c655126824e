"""What a composite rule is concerned by: the moments at which parts of it held, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np

from signaldesk.backtest.lookup import Lookup, Seen
from signaldesk.backtest.matched import Matched, Question, Rung, in_time
from signaldesk.backtest.steps import Steps
from signaldesk.model import group
from signaldesk.model.event import Event
from signaldesk.model.group import Key
from signaldesk.rules._columns import Columns, Ints
from signaldesk.rules._past.composite import ON

_SEQ, _RUNG = "seq", "rung"
"""Samples: the place of a row's event in the stream, and which of the deadlines it is; -1: no such."""


class Deadline(NamedTuple):
    """A part held at a deadline."""

    time: int
    """When that was (µs) …"""
    step: int
    """… and at which of the `Steps` it came."""
    key: Key
    event: Event
    """The latest one of the part's group."""


class Part(NamedTuple):
    """The moments at which a part held: the rows of events in its own columns, and deadlines."""

    rule_id: UUID
    matched: Matched
    rows: Ints
    rung: list[Deadline]


_Rung = tuple[Deadline, int]
"""A deadline, and the number of its part."""


class Composed(Matched):
    """The columns of a composite rule. It is concerned by whatever concerns its parts."""

    def __init__(
        self, question: Question, whole: UUID, parts: Sequence[Part], *, judged: Ints, steps: Steps | None
    ) -> None:
        """`question`: the types of all parts, and the fields that they all group by. `judged`: places of all
        events that any of them judges. `steps`: needed for deadlines."""
        self._keys: list[Key] = []
        rung = [(one, number) for number, part in enumerate(parts) for one in part.rung]
        # As timers come: the earliest deadline first, ties by rule and group.
        rung.sort(
            key=lambda one: (
                one[0].step, one[0].time, parts[one[1]].rule_id.bytes, group.text(question.by, one[0].key)
            )
        )  # fmt: skip
        columns = self._moments(parts, rung, steps)
        concerned = np.zeros(max((one.matched.size for one in parts), default=0), bool)
        concerned[judged] = True
        for one in parts:
            concerned[one.matched.too_late] = True
        super().__init__(question, columns, count=int(concerned.sum()), too_late=np.empty(0, np.int64))
        self._judged = judged
        if rung:
            rows = np.flatnonzero(columns.samples[_RUNG] >= 0)
            for row, at in zip(rows.tolist(), columns.samples[_RUNG][rows].tolist(), strict=True):
                one, number = rung[at]
                before = whole.bytes < parts[number].rule_id.bytes
                self.timers[row] = Rung(one.event, one.step, one.time + before)

    @property
    def judged(self) -> Ints:
        return self._judged

    def key(self, number: int) -> Key:
        return self._keys[number]

    def seqs(self, rows: Ints) -> Ints:
        found: Ints = self.columns.samples[_SEQ][rows]
        return found

    def ids(self, lookup: Lookup, rows: Ints) -> list[bytes]:
        if not self.timers:
            return super().ids(lookup, rows)
        seqs = self.seqs(rows)
        known = iter(lookup.ids(seqs[seqs >= 0].tolist()))
        return [self.timers[row].event.id if row in self.timers else next(known) for row in rows.tolist()]

    def seen(self, lookup: Lookup, rows: Ints) -> list[Seen]:
        if not self.timers:
            return super().seen(lookup, rows)
        seqs = self.seqs(rows)
        known = iter(lookup.events(seqs[seqs >= 0].tolist()))
        return [
            Seen(self.timers[row].event, 0, 0, 0) if row in self.timers else next(known)
            for row in rows.tolist()
        ]

    def clocks(self, steps: Steps, rows: Ints) -> Ints:
        if not self.timers:
            return super().clocks(steps, rows)
        seqs = self.seqs(rows)
        found = np.empty(len(rows), np.int64)
        found[seqs >= 0] = steps.clocks(seqs[seqs >= 0])
        found[seqs < 0] = [self.timers[row].upto for row in rows[seqs < 0].tolist()]
        return found

    def _moments(self, parts: Sequence[Part], rung: Sequence[_Rung], steps: Steps | None) -> Columns:
        known: dict[Key, int] = {}
        rows = _at_events(parts, known)
        if rung:
            assert steps is not None
            rows = _with_deadlines(rows, rung, known, steps)
        starts = np.flatnonzero(np.diff(rows.group, prepend=-1))
        names = list(known)
        self._keys = [names[one] for one in rows.group[starts].tolist()]
        return in_time(rows.times, rows.came, starts, rows.samples)


class _Rows(NamedTuple):
    """Moments by group, those of a group as they came."""

    group: Ints
    times: Ints
    came: Ints
    samples: dict[str, Any]


def _at_events(parts: Sequence[Part], known: dict[Key, int]) -> _Rows:
    """An event is one row, whichever parts held at it: all of them know it in the same group.

    `known`: numbers of groups, to which those that are not there yet are added.
    """
    found: list[list[Ints]] = [[np.empty(0, np.int64)] for _ in range(4)]
    for number, part in enumerate(parts):
        columns, rows = part.matched.columns, part.rows
        groups = columns.group[rows]
        there = np.unique(groups)
        shared = np.zeros(len(columns.starts), np.int64)
        shared[there] = [known.setdefault(part.matched.key(one), len(known)) for one in there.tolist()]
        bits = np.full(len(rows), 1 << number)
        for column, values in zip(
            found, (columns.came[rows], columns.times[rows], shared[groups], bits), strict=True
        ):
            column.append(values.astype(np.int64))
    every = [np.concatenate(column) for column in found]
    order = np.lexsort((every[0], every[2]))
    seqs, times, numbers, bits = (column[order] for column in every)
    first = np.flatnonzero(np.diff(seqs, prepend=-1))
    held = np.bitwise_or.reduceat(bits, first) if len(first) else bits
    return _Rows(numbers[first], times[first], seqs[first], {ON: held, _SEQ: seqs[first]})


def _with_deadlines(rows: _Rows, rung: Sequence[_Rung], known: dict[Key, int], steps: Steps) -> _Rows:
    """The same with a row for each deadline; the places at which they came are counted anew."""
    listed = [(known.setdefault(one.key, len(known)), one.time, one.step, 1 << n) for one, n in rung]
    numbers, times, at, bits = np.array(listed, np.int64).T
    # What comes at a step comes before the event that is judged at it.
    at = np.concatenate([2 * steps.before_all(rows.came) + 1, 2 * at])
    places = np.arange(len(rung))
    came = np.empty(len(at), np.int64)
    came[np.lexsort((np.concatenate([rows.came, places]), at))] = np.arange(len(at))
    group = np.concatenate([rows.group, numbers])
    order = np.lexsort((came, group))

    def joined(events: Ints, deadlines: Any) -> Ints:
        return np.concatenate([events, deadlines])[order]

    none = np.full(len(rows.came), -1), np.full(len(rung), -1)
    samples = {
        ON: joined(rows.samples[ON], bits),
        _SEQ: joined(rows.came, none[1]),
        _RUNG: joined(none[0], places),
    }
    return _Rows(group[order], joined(rows.times, times), came[order], samples)


def concerned(matched: Sequence[Matched]) -> Ints:
    """Places of the events that any of these judges."""
    found = np.zeros(max((one.size for one in matched), default=0), bool)
    for one in {id(one): one for one in matched}.values():
        if len(one.columns) == len(found):
            return np.arange(len(found))
        found[one.columns.came] = True
    return np.flatnonzero(found)


def overtaken(parts: Sequence[Part], events: Sequence[Sequence[int]]) -> bool:
    """Whether deadlines of a part that came right after these events (by part) come before another part
    judges the same event: its deadline was over when it was set."""
    for number, some in enumerate(events):
        for other, part in enumerate(parts):
            if other != number and len(some) and np.isin(some, part.matched.columns.came).any():
                return True
    return False
