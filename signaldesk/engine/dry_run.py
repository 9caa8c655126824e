"""Rules judged in memory: the live engine's own fold, on events at hand, with no server and no clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from signaldesk.engine import timing
from signaldesk.engine.lane import Lane
from signaldesk.engine.watch import Watch
from signaldesk.errors import Invalid
from signaldesk.ids import derived_id
from signaldesk.model.event import Event
from signaldesk.model.moment import Moment
from signaldesk.model.outcome import Firing, Held, Resolution, Stored
from signaldesk.model.rule import Rule, SavedRule

_ORG = UUID(int=1)


def judge(
    rules: Sequence[Rule],
    events: Iterable[Event],
    *,
    start: int,
    lateness: int,
    until: int | None = None,
) -> list[Moment]:
    """What these events come to, in the order in which they are given, each received at its own time.

    Rules are saved at `start` (µs); `lateness` (µs) holds where a rule says nothing of its own. Then time
    goes on `until` (µs), with the deadlines that lie in it. Names of rules must differ.
    Raises Invalid for a rule that fails.
    """
    lane = Lane(_ORG, "", [_watch(rule, start, lateness) for rule in rules])
    run = _Run(lane)
    for watch in lane.watches.values():
        if watch.judge.begins and not watch.by:
            timing.start(lane, lane.enter(watch, ()))
    for event in events:
        run.take(event)
    if until is not None:
        run.pass_time(until)
    for failed in lane.set_aside:
        raise Invalid(f"the rule {failed.name!r} fails: {failed.error}")
    return run.found


def _watch(rule: Rule, start: int, lateness: int) -> Watch:
    id = derived_id("dry run", rule.name)
    saved = SavedRule(org_id=_ORG, id=id, version=1, since_version=1, fingerprint="", rule=rule)
    watch = Watch(saved, channels=[], org_name="", lateness=lateness)
    watch.begun = start
    watch.complete = True
    return watch


class _Run:
    """Events on their way through a lane, and what came of them so far."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._position = 0
        self._late: dict[UUID, int] = {}
        self.found: list[Moment] = []

    def take(self, event: Event) -> None:
        stored = self._stored(event.timestamp, [event])
        self._lane.judge(self._lane.match(stored))
        self._collect()
        for watch in self._lane.watches.values():
            if watch.late > self._late.get(watch.id, 0):
                self._late[watch.id] = watch.late
                self.found.append(Moment("held", watch.saved.rule.name, event.timestamp, {}, reason="late"))

    def pass_time(self, until: int) -> None:
        self._lane.sink.begin(self._stored(until, []))
        self._lane.pass_time(until + 1)  # deadlines come when time is past them
        self._collect()

    def _stored(self, time: int, events: list[Event]) -> Stored:
        self._position += 1
        return Stored(_ORG.bytes, "", self._position, time, events, {})

    def _collect(self) -> None:
        """Outcomes since the last time; what happened at one moment stays in the order in which it came."""
        found = [_moment(one) for one in self._lane.sink.take()]
        found += [self._held(one) for one in self._lane.sink.reports()]
        self.found += sorted(found, key=lambda moment: moment.at)

    def _held(self, held: Held) -> Moment:
        name = self._lane.watches[held.group.rule_id].saved.rule.name
        return Moment("held", name, held.until, held.values, reason=held.reason)


def _moment(outcome: Firing | Resolution) -> Moment:
    name = outcome.saved.rule.name
    if isinstance(outcome, Resolution):
        return Moment("resolves", name, outcome.at, outcome.values, reason=outcome.reason)
    value = outcome.value, outcome.at_least, outcome.margin
    return Moment("fires", name, outcome.time, outcome.values, *value)
