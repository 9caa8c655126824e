"""The engine's own lane, shown only the rows that matter: it makes firings and resolutions of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import orjson

from signaldesk.backtest.events import Events
from signaldesk.backtest.lookup import Lookup, Seen
from signaldesk.backtest.matched import Matched, Rung
from signaldesk.backtest.outcome import Came
from signaldesk.backtest.reasons import Owed, Reasons
from signaldesk.backtest.recorded import Recorded
from signaldesk.backtest.steps import Steps
from signaldesk.engine import timing
from signaldesk.engine.lane import Lane
from signaldesk.engine.lane import Matched as Entry
from signaldesk.engine.state import State
from signaldesk.errors import Invalid
from signaldesk.model.group import Key
from signaldesk.model.outcome import Firing, Stored
from signaldesk.rules._columns import Bools, Ints
from signaldesk.rules._kind import EVIDENCE_MAX, Replay

_PAGE = 20_000
_OFTEN = 256
"""Rows between two looks whether somebody wants it to end: some ten milliseconds."""
"""Rows that are looked up at once."""


class Unsure(Exception):
    """It cannot be said in columns, and says why."""


class _Row(NamedTuple):
    """A row of the columns, its group, its place in the stream, and its event."""

    row: int
    group: int
    seq: int
    seen: Seen


class Feeding:
    """Shows rows to the lane in the order in which they came, and lets deadlines come where they came."""

    def __init__(
        self,
        events: Events,
        lookup: Lookup,
        matched: Matched,
        lane: Lane,
        reasons: Reasons,
        live: Bools,
        steps: Steps | None,
    ) -> None:
        """`live`: groups whose rows are all shown, and judged by the rule's own judge. `steps`: needed for
        rules with deadlines."""
        (self._watch,) = lane.watches.values()
        self._end = events.end
        self._lookup, self._matched, self._lane, self._reasons = lookup, matched, lane, reasons
        self._columns = matched.columns
        self._live = live
        self._judge = self._watch.judge
        self._said = self._watch.judge = Recorded(self._judge)
        self._said.live = {matched.key(number) for number in np.flatnonzero(live).tolist()}
        self._keys: dict[int, Key] = {}
        self._numbers: dict[Key, int] = {}
        self._peaks = dict(zip(self._columns.late.tolist(), self._columns.peaks.tolist(), strict=True))
        self._steps = steps
        self._at = self._now = 0
        """How many of the steps have been taken."""
        self._judging = -1
        self._until = 0
        self._armed: Bools | None = None
        self._whole = live
        """Of rules with deadlines: groups of which a row that is shown stands for no others."""
        self._replay: Replay | None = None
        self._due: dict[int, int] = {}
        self.held: dict[int, int] = {}
        """For rows before which the condition held at others that are not shown: when it did so last (µs)."""

    def begin(self, time: int, armed: Bools | None, replay: Replay) -> None:
        """The judge has deadlines, and is asked itself: the rule begins, at a time (µs). See `Shown`."""
        self._armed, self._replay = armed, replay
        self._live, self._said.every = np.ones(len(self._live), bool), True
        if replay.summed:
            self._said.rung = self._rung
        if self._judge.begins and not self._watch.by and not self._lane.name:
            self._watch.begun = time
            timing.start(self._lane, self._lane.enter(self._watch, ()))

    def take(
        self,
        rows: Ints,
        holds: Bools,
        back: Bools,
        due: dict[int, int],
        until: int | None,
        step: Callable[[int], None] | None = None,
    ) -> list[Came]:
        """Outcomes of these rows, and of the time (µs) that passes until then.

        `due`: for some rows the end of their quiet time, as rows that are not shown put it off. `step` is
        called again and again, with a 0, and may raise to end it.
        """
        self._due, self._until = due, self._end(until)
        came: list[Came] = []
        for page in self._pages(rows):
            for number, one in enumerate(page):
                if step is not None and not number % _OFTEN:
                    step(0)
                self._show(one, bool(holds[one.row]), bool(back[one.row]))
            came += self._outcomes()
        steps = len(self._steps) if self._steps is not None else 0
        if steps:
            self._pass(steps)
        self._now = steps
        self._lane.sink.begin(self._nothing(steps))
        self._lane.pass_time(self._until)
        self._said.rung = None  # or they would hold each other
        return came + self._outcomes()

    def _pages(self, rows: Ints) -> Iterator[list[_Row]]:
        """The rows with their events, as they came."""
        rows = rows[np.argsort(self._columns.came[rows], kind="stable")]
        for start in range(0, len(rows), _PAGE):
            page = rows[start : start + _PAGE]
            groups = self._columns.groups(page).tolist()
            seqs, seen = self._matched.seqs(page).tolist(), self._matched.seen(self._lookup, page)
            yield [_Row(*one) for one in zip(page.tolist(), groups, seqs, seen, strict=True)]

    def at(self) -> tuple[int, int]:
        """At which step something is judged or a deadline comes, and, if that is right after an event was
        judged, which one; else -1."""
        return self._now, self._judging

    def _show(self, one: _Row, holds: bool, back: bool) -> None:
        if (rung := self._matched.timers.get(one.row)) is not None:
            self._show_rung(one, rung, holds, back)
            return
        lane, watch = self._lane, self._watch
        row, number, seq, (event, received, mark, position) = one
        stored = Stored(lane.org_id.bytes, lane.name, position, received, [event], {})
        if self._steps is not None:
            step = self._steps.before(seq)
            self._pass(step)
            self._now = step
            lane.sink.begin(stored)
            lane.pass_time(self._steps.place(step).clock)
            self._at = self._now = step + 1
        state = self._state(number)
        key = state.key
        if self._armed is not None:
            (self._said.idle.discard if self._armed[row] else self._said.idle.add)(key)
        if self._live[number]:
            self._said.back = None
            sample = None
            if self._replay is not None and self._replay.summed and not self._whole[number]:
                sample = self._replay.sample(row)
            elif watch.sampled:
                sample = self._judge.sample(orjson.loads(event.payload), event)
        else:
            sample = holds
            self._said.back, self._said.rows[key] = back, row
            self._remind(state, row)
            if row in self.held:
                state.at = state.held_at = self.held[row]
                state.until = state.at + self._watch.judge.lasting
        self._judging = seq
        lane.judge(Entry(stored, [(watch, state, event, mark, sample)], mark, []))
        self._judging = -1
        self._shown(state, row)

    def _show_rung(self, one: _Row, rung: Rung, holds: bool, back: bool) -> None:
        """A deadline came of a part of the rule, and that held: see `timing.composites`."""
        lane, state, row = self._lane, self._state(one.group), one.row
        self._pass(rung.step)
        self._now = rung.step
        self._at = max(self._at, rung.step)  # a deadline that is set now and over already comes no earlier
        lane.sink.begin(self._nothing(rung.step))
        lane.pass_time(rung.upto)
        self._said.back, self._said.rows[state.key] = back, row
        self._remind(state, row)
        state.keep_event(rung.event)
        timing.evaluated(lane, state, rung.event, int(self._columns.times[row]), holds, timer=True)
        lane.timers.set(state)
        self._shown(state, row)

    def _state(self, number: int) -> State:
        """Of a group by its number."""
        key = self._keys.get(number)
        if key is None and number not in self._keys:
            key = self._keys[number] = self._matched.key(number)
            self._numbers[key] = number
        return self._watch.states.get(key) or self._lane.enter(self._watch, key)

    def _shown(self, state: State, row: int) -> None:
        """After a row was judged."""
        lane = self._lane
        lane.dirty.clear()
        if row in self._due:
            state.due_quiet = self._due[row]
            lane.timers.set(state)
        for failed in lane.set_aside:
            raise Invalid(f"the rule {failed.name!r} fails: {failed.error}")

    def _nothing(self, step: int) -> Stored:
        """What is stored at a step, or in the end, when only time goes on."""
        org, name = self._lane.org_id.bytes, self._lane.name
        steps = self._steps
        if steps is not None and step < len(steps):
            place = steps.place(step)
            return Stored(org, name, place.position, place.received, [], {})
        last = steps.place(len(steps) - 1).position if steps is not None and len(steps) else 0
        return Stored(org, name, last + 1, self._until, [], {})

    def _remind(self, state: State, row: int) -> None:
        """Of later rows of its group that were not shown, before one that came late."""
        if not self._watch.plain and row in self._peaks:
            state.at = max(state.at, self._peaks[row])

    def _pass(self, step: int) -> None:
        """Let those deadlines come that come before a step."""
        lane, steps = self._lane, self._steps
        assert steps is not None
        while (at := max(self._at, steps.first_after(lane.timers.next))) < step:
            self._now = at
            lane.sink.begin(self._nothing(at))
            lane.pass_time(steps.place(at).clock)

    def _rung(self, state: State) -> None:
        """A deadline was met: remind the group of its latest event, and of the members of its window."""
        number = self._numbers[state.key]
        if self._whole[number]:
            return
        assert self._steps is not None and self._replay is not None
        columns = self._columns
        start, end = int(columns.starts[number]), int(columns.ends[number])
        came = columns.came[start:end]
        there = np.flatnonzero(came < self._steps.seq(self._now))
        (page,) = self._pages(start + there[[int(np.argmax(came[there]))]])
        state.keep_event(page[0].seen.event)
        since, until, most = self._replay.inside(state)
        times = columns.times[start:end][there]
        first, last = np.searchsorted(times, [since, until])
        if len(times) - last > most:
            raise Unsure("more events came while a bin settled than are remembered")
        if first < last:
            first = max(first, np.searchsorted(times, times[max(first, last - EVIDENCE_MAX)]))
        rows = start + there[first:last]
        state.fill(
            [
                (name, time)
                for time, name in sorted(
                    zip(columns.times[rows].tolist(), self._reasons.ids(rows), strict=True)
                )
            ]
        )

    def _outcomes(self) -> list[Came]:
        """What came of the rows shown since the last call, with the reasons that are owed."""
        came = self._lane.sink.take()
        firings = [one for one in came if isinstance(one, Firing)]
        owed = [(one, self._said.open.get(id(one.evidence))) for one in firings]
        if self._said.open:
            self._reasons.give([Owed(one, *place) for one, place in owed if place is not None])
        self._said.open.clear()
        return came
