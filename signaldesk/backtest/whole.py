"""A composite rule in columns: each of its parts says when it held, and these moments are its events."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

from signaldesk.backtest import fold
from signaldesk.backtest.composed import Composed, Deadline, Part, concerned, overtaken
from signaldesk.backtest.events import Events
from signaldesk.backtest.feeding import Feeding, Unsure
from signaldesk.backtest.matched import Matched, Question
from signaldesk.backtest.single import FEW, Single, replay_of
from signaldesk.backtest.steps import Steps
from signaldesk.engine.outcomes import Sink
from signaldesk.engine.state import State
from signaldesk.model.event import Event
from signaldesk.model.rule import SavedRule
from signaldesk.rules._columns import Bools, Ints
from signaldesk.rules._kind import Replay
from signaldesk.rules.document import kinds

Span = tuple[int, int | None]
"""When rules begin (µs), and until when time goes on after the last event."""


@contextmanager
def _of(part: SavedRule) -> Iterator[None]:
    """What cannot be said in columns is a part's fault."""
    try:
        yield
    except Unsure as why:
        raise Unsure(f"of its part {part.rule.name}: {why}") from None


class _Moment(NamedTuple):
    """The condition of a part held; see `Feeding.at`."""

    key: Any
    event: Event
    time: int
    timer: bool
    at: tuple[int, int]


class _Noting(Sink):
    """In the place of what makes firings: it notes at which moments the condition holds."""

    feeding: Feeding

    def __init__(self, org_id: Any, lane: str) -> None:
        super().__init__(org_id, lane)
        self.noted: list[_Moment] = []

    def candidate(self, state: State, event: Event, time: int, *, timer: bool = False) -> None:
        moment = _Moment(state.key, event, time, timer, self.feeding.at())
        if not self.noted or self.noted[-1] != moment:  # two deadlines of a group may be one moment
            self.noted.append(moment)


class _Part(Single):
    """A rule of which only the moments matter at which it holds."""

    def moments(self, steps: Callable[[], Steps], span: Span) -> tuple[Part, list[int]]:
        """The moments; and the events right after which a deadline came that they had set.

        Raises Unsure where that is more work than to judge event by event.
        """
        rows = np.empty(0, np.int64)
        if self.replay.waits:
            noted = self._waited(steps(), span)
        else:
            condition = self.saved.rule.when.model_dump_json()
            live, holds, back = self.matched.once(f"holds: {condition}", self._known)
            if self.watch.holds_for:
                noted, rows = self._lasting(live, holds, back, steps(), span)
            else:
                rows = np.flatnonzero(holds)
                noted = self._live_only(live, steps, span)
        rung = [Deadline(one.time, one.at[0], one.key, one.event) for one in noted if one.timer]
        came = np.array([one.at[1] for one in noted if not one.timer], np.int64)
        if len(came):
            held = np.isin(self.columns.came, came)
            held[rows] = True
            rows = np.flatnonzero(held)
        overdue = [one.at[1] for one in noted if one.timer and one.at[1] >= 0]
        return Part(self.saved.id, self.matched, rows, rung), overdue

    def _known(self) -> tuple[Bools, Bools, Bools]:
        live = self._live()
        return live, *self._found(live)

    def _waited(self, steps: Steps, span: Span) -> list[_Moment]:
        rows, armed, live = self._waiting(span[0], span[1], steps)
        none = np.zeros(len(self.columns), bool)
        sink, feeding = self._noting(live, steps)
        feeding.begin(span[0], armed, self.replay)
        feeding.take(rows, none, none, {}, span[1])
        return sink.noted

    def _lasting(
        self, live: Bools, holds: Bools, back: Bools, steps: Steps, span: Span
    ) -> tuple[list[_Moment], Ints]:
        """The moments that are noted, and rows that are moments as well and need not be shown."""
        rows = self._changes(holds, back, live, np.zeros(len(live), bool))
        between, moments = self._between(holds, live, steps)
        rows = np.setdiff1d(rows, between, assume_unique=True)
        if 2 * len(rows) > len(self.columns) > FEW:
            raise Unsure("most of its events matter for how long it holds")
        sink, feeding = self._noting(live, steps)
        after = rows[np.isin(rows - 1, between, assume_unique=True)]
        feeding.held = dict(zip(after.tolist(), self.columns.times[after - 1].tolist(), strict=True))
        feeding.take(rows, holds, back, {}, span[1])
        return sink.noted, moments

    def _between(self, holds: Bools, live: Bools, steps: Steps) -> tuple[Ints, Ints]:
        """Rows within a time for which the condition goes on holding at which no deadline is set or met, and
        those of them at which it has held for long enough: where none of a group came late.

        A deadline comes with the latest row before it, and is met unless the window has run empty by then.
        """
        columns, lasting = self.columns, self.watch.judge.lasting
        rows = np.flatnonzero(holds & ~(columns.tardy | live)[columns.group])
        if not len(rows):
            return rows, rows
        times, groups = columns.times[rows], columns.group[rows]
        begins = np.ones(len(rows), bool)
        begins[1:] = (np.diff(rows) > 1) | (np.diff(groups) != 0) | (np.diff(times) >= lasting)
        starts = np.flatnonzero(begins)
        sizes = np.diff(np.append(starts, len(rows)))
        due = times[starts] + self.watch.holds_for
        whose = np.repeat(np.arange(len(starts)), sizes)
        early = np.add.reduceat((times < due[whose]).astype(np.int64), starts)
        met = steps.after(due)
        before = np.add.reduceat((steps.before_all(columns.came[rows]) < met[whose]).astype(np.int64), starts)
        shown = begins.copy()
        last = starts + sizes - 1
        for places in (starts + before - 1, starts + before, starts + early, last):
            inside = (places >= starts) & (places <= last)
            shown[places[inside]] = True
        latest = times[np.clip(starts + before - 1, starts, last)]
        empty = (before <= early) & (latest + lasting <= due)
        hidden = ~shown & ~empty[whose]
        return rows[hidden], rows[hidden & (times >= due[whose])]

    def _live_only(self, live: Bools, steps: Callable[[], Steps], span: Span) -> list[_Moment]:
        """Of groups that are judged event by event."""
        if not live.any():
            return []
        rows = np.flatnonzero(live[self.columns.group])
        if 2 * len(rows) > len(self.columns) > FEW:
            raise Unsure("most of its groups are judged event by event")
        none = np.zeros(len(self.columns), bool)
        sink, feeding = self._noting(live, steps())
        feeding.take(rows, none, none, {}, span[1])
        return sink.noted

    def _noting(self, live: Bools, steps: Steps) -> tuple[_Noting, Feeding]:
        lane, feeding = self._feeding(live, steps)
        sink = lane.sink = _Noting(lane.org_id, lane.name)
        sink.feeding = weakref.proxy(feeding)  # which holds it
        return sink, feeding


class Whole(Single):
    """A composite rule: its events are the moments at which its parts hold."""

    def __init__(
        self,
        events: Events,
        saved: SavedRule,
        replay: Replay,
        parts: Sequence[SavedRule],
        lateness: int,
        span: Span,
    ) -> None:
        self._parts, self._lateness, self._span = parts, lateness, span
        super().__init__(events, saved, replay, lateness)

    def _matched(self) -> Matched:
        for one in self._parts:
            if one.rule.by != self.saved.rule.by or kinds()[one.rule.when.kind].parts(one.rule.when):
                raise Unsure(f"its part {one.rule.name} groups by other fields, or has parts itself")
        types = tuple(fold.types_of([one.rule for one in self._parts], self.events))
        parts: list[_Part] = []
        for saved in self._parts:
            with _of(saved):
                parts.append(_Part(self.events, saved, replay_of(saved.rule), self._lateness))
        judged = concerned([part.matched for part in parts])
        self._common = cache(partial(Steps, self.events, types, judged))
        found: list[Part] = []
        overdue: list[list[int]] = []
        for part in parts:
            with _of(part.saved):
                moments, late = part.moments(self._common, self._span)
            found.append(moments)
            overdue.append(late)
        if overtaken(found, overdue):
            raise Unsure("deadlines of a part were over when late events set them")
        steps = self._common() if any(part.rung for part in found) else None
        question = Question(types, None, self.saved.rule.by, (), self.watch.lateness)
        return Composed(question, self.saved.id, found, judged=judged, steps=steps)

    def _steps(self) -> Steps:
        return self._common()

    def _twice(self) -> Ints:
        return np.empty(0, np.int64)  # it is on or not: how often a part held makes no difference

    def _live(self) -> Bools:
        live = super()._live()
        if live.any():
            raise Unsure("parts of it hold so often that moments are forgotten to which what is late reaches")
        return live

    def _skipped(self, holds: Bools) -> Ints:
        """Deadlines at which it held at that moment already, by another part: see `timing.composites`."""
        times, groups = self.columns.times, self.columns.group
        rows = np.array(sorted(row for row in self.matched.timers if row and holds[row]), np.int64)
        rows = rows[(times[rows - 1] == times[rows]) & (groups[rows - 1] == groups[rows])]
        again = [self._held_already(row, holds) for row in rows.tolist()]
        found: Ints = rows[np.array(again, bool)]
        return found

    def _held_already(self, row: int, holds: Bools) -> bool:
        """Whether the newest evaluation that held was at the same time, and the latest by the same event."""
        columns = self.columns
        number = int(columns.groups(row))
        first, end = int(columns.starts[number]), int(columns.ends[number])
        before = first + np.flatnonzero(columns.came[first:end] < columns.came[row])
        newest = holds[before] & ~np.isin(before, columns.late)
        held = columns.times[before[newest]]
        if not len(held) or int(held.max()) != int(columns.times[row]):
            return False
        last = before[np.argmax(columns.came[before])]
        one, other = self.matched.ids(self.lookup, np.array([last, row]))
        return one == other
