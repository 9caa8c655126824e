"""One rule in columns: which rows matter is worked out for all of them at once, the engine judges those.

A kind says in columns at which rows its condition holds (`Replay`), cooldowns are jumps over those (`hits`),
and what is left goes through the engine's own lane (`feeding`), which makes firings of it as it does live.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from signaldesk.backtest import fold, hits
from signaldesk.backtest.ending import Endings, endings, first_back
from signaldesk.backtest.events import Events
from signaldesk.backtest.feeding import Feeding, Unsure
from signaldesk.backtest.lookup import Lookup
from signaldesk.backtest.matched import Matched, Question, matched
from signaldesk.backtest.outcome import Judged, effective
from signaldesk.backtest.reasons import Reasons
from signaldesk.backtest.steps import Steps
from signaldesk.engine.lane import Lane
from signaldesk.model import group
from signaldesk.model.outcome import GroupRef, Held
from signaldesk.model.rule import Rule, SavedRule
from signaldesk.rules._columns import Bools, Ints
from signaldesk.rules._kind import Replay
from signaldesk.rules._past.waiting import Course
from signaldesk.rules.document import kinds

_FEW_HITS = 20_000
FEW = 100_000
"""Events that are soon judged in any case."""


def replay_of(rule: Rule) -> Replay:
    """How the rule is judged in columns. Raises Unsure."""
    kind = kinds()[rule.when.kind]
    replay = kind.replay(rule)
    if replay is None:
        raise Unsure(f"{kind.name} is judged event by event")
    for field in (*rule.by, *(one.text for one in replay.wanted if one.what == "field")):
        if any(part.isdigit() and str(int(part)) != part for part in field.split(".")):
            raise Unsure(f"{field} may be a place in a list, in a strange spelling")
    return replay


class Single:
    """One rule, its columns, and the lane in which the rows that matter are judged."""

    def __init__(self, events: Events, saved: SavedRule, replay: Replay, lateness: int) -> None:
        self.events, self.saved, self.replay = events, saved, replay
        self.watch = fold.watched(saved, lateness)
        self.matched = self._matched()
        self.columns = self.matched.columns
        self.lookup = self.matched.once("lookup", lambda: Lookup(events))
        self.reasons = Reasons(self.lookup, self.matched, replay, self.watch.judge)

    def _matched(self) -> Matched:
        rule, watch = self.saved.rule, self.watch
        types = tuple(fold.types_of([rule], self.events))
        return matched(
            self.events, Question(types, watch.where, rule.by, tuple(self.replay.wanted), watch.lateness)
        )

    def run(self, until: int | None, step: Callable[[int], None] | None) -> Judged | str:
        """Judge, or say why it is better to judge event by event."""
        watch, columns = self.watch, self.columns
        again = "twice" in self.matched.known
        live = self._live()
        holds, back = self._found(live)
        jumped = ~live
        if watch.holds_for or watch.judge.timed or watch.judge.ends:
            jumped[:] = False
        elif watch.timed or watch.recovers:
            jumped[columns.groups(columns.late)] = False
        steps = self.matched.once("steps", self._steps) if watch.timed or self.matched.timers else None
        hit = np.flatnonzero(holds if jumped.all() else holds & jumped[columns.group])
        skipped = self._skipped(holds)
        hit = np.setdiff1d(hit, skipped, assume_unique=True) if len(skipped) else hit
        if again and len(hit) < _FEW_HITS:  # what fires at another point of a sweep may be any of these
            self.matched.seen(self.lookup, hit)
        sorted_ = hits.sort(columns, hit, self.saved.rule)
        held = [one for reason, some in sorted_.held.items() for one in self._held(reason, some)]
        rows, due = sorted_.fired, {}
        if watch.timed or watch.recovers:
            ends = self._endings(hit, holds, back, rows, steps)
            due = dict(zip(rows.tolist(), ends.due.tolist(), strict=True)) if watch.quiet_for else {}
            rows = np.union1d(rows, ends.back[ends.back >= 0])
        if not jumped.all():
            rows = np.union1d(rows, self._changes(holds, back, live, jumped))
        rows = np.setdiff1d(rows, skipped, assume_unique=True) if len(skipped) else rows
        if 2 * len(rows) > len(columns) > FEW:
            return "most of its events matter for when its alerts begin or end"
        if step is not None:
            step(self.matched.count)
        lane, feeding = self._feeding(live, steps)
        came = feeding.take(rows, holds, back, due, until, step)
        held = fold.summed([*held, *lane.sink.reports()])
        return Judged("columns", effective(came), held, self.matched.count, len(self.matched.too_late))

    def wait(self, begun: int, until: int | None, step: Callable[[int], None] | None) -> Judged | str:
        """Judge by the kind's own judge, shown only what matters."""
        steps = self.matched.once("steps", self._steps)
        rows, armed, live = self._waiting(begun, until, steps)
        if step is not None:
            step(self.matched.count)
        lane, feeding = self._feeding(live, steps)
        feeding.begin(begun, armed, self.replay)
        none = np.zeros(len(self.columns), bool)
        came = feeding.take(rows, none, none, {}, until, step)
        held = fold.summed(lane.sink.reports())
        return Judged("columns", effective(came), held, self.matched.count, len(self.matched.too_late))

    def _feeding(self, live: Bools, steps: Steps | None) -> tuple[Lane, Feeding]:
        lane = Lane(self.saved.org_id, self.events.lane, [self.watch])
        return lane, Feeding(self.events, self.lookup, self.matched, lane, self.reasons, live, steps)

    def _waiting(self, begun: int, until: int | None, steps: Steps) -> tuple[Ints, Bools | None, Bools]:
        """Of a kind that waits: rows to be shown, for which of them deadlines count (see `Shown`), and groups
        that are judged event by event. Raises Unsure where nothing is gained by that."""
        columns, watch = self.columns, self.watch
        live = self._live()
        whole = watch.judge.begins and not watch.by and not self.events.lane
        course = Course(steps.clocks(columns.came), begun if whole else None, self.events.end(until))
        if (doubtful := self.replay.doubtful(columns, course)) is not None:
            live |= doubtful
        rows, armed = self.replay.shown(columns, course)
        if live.any():
            every = live[columns.group]
            rows = np.union1d(rows, np.flatnonzero(every))
            armed = armed | every if armed is not None else None
        if 2 * len(rows) > len(columns) > FEW:
            raise Unsure("most of its events matter for when its deadlines come")
        return rows, armed, live

    def _skipped(self, holds: Bools) -> Ints:
        """Rows at which nothing is judged."""
        return np.empty(0, np.int64)

    def _endings(self, hit: Ints, holds: Bools, back: Bools, fired: Ints, steps: Steps | None) -> Endings:
        good = first_back(holds, back, self.columns.group)
        clock = None
        if steps is not None:
            clock = self.matched.clocks(steps, np.union1d(hit, good))
        return endings(self.columns, hit, good, fired, self.watch.quiet_for, clock)

    def _live(self) -> Bools:
        """Groups that the judge has to judge event by event."""
        found = self.replay.unfit(self.columns)
        live = np.zeros(len(self.columns.starts), bool) if found is None else found.copy()
        live[self.columns.groups(self.matched.once("twice", self._twice))] = True
        return live

    def _steps(self) -> Steps:
        return Steps(self.events, self.matched.question.types, self.matched.judged)

    def _twice(self) -> Ints:
        """Rows of events that were delivered twice."""
        if "id" not in self.events.own or len(self.columns) < 2:
            return np.empty(0, np.int64)
        times, groups = self.columns.times, self.columns.group
        tied = np.flatnonzero((times[1:] == times[:-1]) & (groups[1:] == groups[:-1]))
        seen: dict[tuple[int, int, bytes], int] = {}
        rows = np.union1d(tied, tied + 1)
        names = zip(groups[rows].tolist(), times[rows].tolist(), self.reasons.ids(rows), strict=True)
        return np.array(
            [
                row
                for row, name in zip(rows.tolist(), names, strict=True)
                if seen.setdefault(name, row) != row
            ],
            np.int64,
        )

    def _found(self, live: Bools) -> tuple[Bools, Bools]:
        """Where the condition holds, and where the value is back on the good side of `resolve.threshold`."""
        resolve = self.saved.rule.resolve
        threshold = resolve.threshold if resolve is not None else None
        holds = self.replay.holds(self.columns)
        back = np.zeros(len(holds), bool)
        if threshold is not None:
            back = self.replay.recovered(self.columns, threshold)
        if not (self.replay.exact and self.columns.exact):
            disturbed = self.columns.disturbed
            disturbed = disturbed[~live[self.columns.groups(disturbed)]]
            holds[disturbed], back[disturbed] = self.reasons.ask(disturbed, threshold)
        if live.any():
            rest = ~live[self.columns.group]
            holds, back = holds & rest, back & rest
        return holds, back

    def _changes(self, holds: Bools, back: Bools, live: Bools, jumped: Bools) -> Ints:
        """Rows of other groups than those that can change how long the condition has held, or whether its
        alert is over; and all rows of groups that are judged event by event.

        These are all at which it holds, the first at which it does not any more, the first after these whose
        value is back, and all that came late: time does not go back for them.
        """
        columns = self.columns
        if not (len(columns.late) or back.any() or live.any() or jumped.any()):
            hit = np.flatnonzero(holds)
            after = hit[hit + 1 < len(columns)] + 1
            matter = holds.copy()
            matter[after[columns.group[after] == columns.group[after - 1]]] = True
            return np.flatnonzero(matter)
        order = np.arange(len(columns))
        if len(columns.late):
            order = np.lexsort((columns.came, columns.group))
        holding, groups = holds[order], columns.group[order]
        matter = holding.copy()
        matter[1:] |= holding[:-1] & (groups[1:] == groups[:-1])
        matter[first_back(holding, back[order] & ~np.isin(order, columns.late), groups)] = True
        rows = np.union1d(order[matter], columns.late)
        rows = rows[~jumped[columns.group[rows]]]
        return np.union1d(rows, np.flatnonzero(live[columns.group])) if live.any() else rows

    def _held(self, reason: str, rows: Ints) -> list[Held]:
        """What was held back for a reason, by group."""
        found = hits.together(self.columns, rows)
        names = self.reasons.ids(np.array([[one.first, one.last] for one in found]).ravel())
        reports = []
        for number, one in enumerate(found):
            by, key = self.saved.rule.by, self.matched.key(one.group)
            ref = GroupRef(self.saved.id, self.events.lane, group.text(by, key))
            first, last = names[2 * number : 2 * number + 2]
            reports.append(
                Held(
                    self.saved.org_id, ref, group.values(by, key), reason,
                    one.since, one.until, one.times, first, last,
                )
            )  # fmt: skip
        return reports
