"""The engine's own lane, shown only the rows that matter: it makes firings and resolutions of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import orjson

from signaldesk.backtest.events import Events
from signaldesk.backtest.lookup import Lookup, Seen
from signaldesk.backtest.matched import Matched
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
        self._armed: Bools | None = None
        self._whole = live
        """Of rules with deadlines: groups of which a row that is shown stands for no others."""
        self._replay: Replay | None = None
        self._due: dict[int, int] = {}

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
        self, rows: Ints, holds: Bools, back: Bools, due: dict[int, int], until: int | None
    ) -> list[Came]:
        """Outcomes of these rows, and of the time (µs) that passes until then.

        `due`: for some rows the end of their quiet time, as rows that are not shown put it off.
        """
        self._due = due
        came: list[Came] = []
        for page in self._pages(rows):
            for one in page:
                self._show(one, bool(holds[one.row]), bool(back[one.row]))
            came += self._outcomes()
        end = self._end(until)
        last, self._now = 0, 0
        if self._steps is not None and len(self._steps):
            self._pass(len(self._steps))
            last = self._steps.place(len(self._steps) - 1).position
            self._now = len(self._steps)
        self._lane.sink.begin(Stored(self._lane.org_id.bytes, self._lane.name, last + 1, end, [], {}))
        self._lane.pass_time(end)
        return came + self._outcomes()

    def _pages(self, rows: Ints) -> Iterator[list[_Row]]:
        """The rows with their events, as they came."""
        rows = rows[np.argsort(self._columns.came[rows], kind="stable")]
        for start in range(0, len(rows), _PAGE):
            page = rows[start : start + _PAGE]
            came = self._columns.came[page].tolist()
            groups = self._columns.groups(page).tolist()
            seen = self._lookup.events(came)
            yield [_Row(*one) for one in zip(page.tolist(), groups, came, seen, strict=True)]

    def _show(self, one: _Row, holds: bool, back: bool) -> None:
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
        key = self._keys.get(number)
        if key is None and number not in self._keys:
            key = self._keys[number] = self._matched.key(number)
            self._numbers[key] = number
        state = watch.states.get(key) or lane.enter(watch, key)
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
        lane.judge(Entry(stored, [(watch, state, event, mark, sample)], mark, []))
        lane.dirty.clear()
        if row in self._due:
            state.due_quiet = self._due[row]
            lane.timers.set(state)
        for failed in lane.set_aside:
            raise Invalid(f"the rule {failed.name!r} fails: {failed.error}")

    def _remind(self, state: State, row: int) -> None:
        """Of later rows of its group that were not shown, before one that came late."""
        if not self._watch.plain and row in self._peaks:
            state.at = max(state.at, self._peaks[row])

    def _pass(self, step: int) -> None:
        """Let those deadlines come that come before a step."""
        lane, steps = self._lane, self._steps
        assert steps is not None
        while (at := max(self._at, steps.first_after(lane.timers.next))) < step:
            place, self._now = steps.place(at), at
            lane.sink.begin(Stored(lane.org_id.bytes, lane.name, place.position, place.received, [], {}))
            lane.pass_time(place.clock)

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
