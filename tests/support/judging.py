"""Rules judged in memory: events in, outcomes out, checkpoints and restarts between. No server, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from signaldesk.engine.lane import Lane
from signaldesk.engine.outcomes import Outcome
from signaldesk.engine.state import State
from signaldesk.engine.watch import Watch
from signaldesk.model.event import Event
from signaldesk.model.outcome import Firing, Stored
from signaldesk.model.rule import Rule, SavedRule
from signaldesk.rules.document import kinds

MICROS = 1_000_000
ORG = UUID(int=1)
LATENESS = 300 * MICROS
"""The default of rules that say nothing of their own."""


class Saved(NamedTuple):
    """What a checkpoint holds of one group."""

    members: dict[bytes, int]
    notes: bytes


class Judging:
    """Some rules of one organisation in its live lane; rule number i has the id i + 2."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = list(rules)
        self._checkpoint: dict[tuple[UUID, Any], Saved] = {}
        self._position = 0
        self.lane = Lane(ORG, "", self._watches())

    @property
    def event_type(self) -> str:
        """A type that the last rule looks at, where nobody says which."""
        watch = self.lane.watches[UUID(int=len(self._rules) + 1)]
        return kinds()[watch.saved.rule.when.kind].events(watch.saved.rule)[0]

    def _watches(self) -> list[Watch]:
        watches = []
        for number, rule in enumerate(self._rules):
            saved = SavedRule(
                org_id=ORG, id=UUID(int=number + 2), version=1, since_version=1, fingerprint="", rule=rule
            )
            watch = Watch(saved, channels=[], org_name="Acme", lateness=LATENESS)
            watch.complete = True
            watches.append(watch)
        return watches

    def take(self, event: Event) -> list[Outcome]:
        """What comes of an event that is received at its own time."""
        return self.take_all([event])

    def take_all(self, events: list[Event]) -> list[Outcome]:
        """What comes of events of one entry, received at the time of the last one."""
        self._position += 1
        matched = self.lane.match(Stored(ORG.bytes, "", self._position, events[-1].timestamp, events, {}))
        self.lane.judge(matched)
        assert not self.lane.set_aside
        return self.lane.sink.take()

    def pass_time(self, time: int) -> list[Outcome]:
        """What comes of nothing happening until then (µs)."""
        self._position += 1
        self.lane.sink.begin(Stored(ORG.bytes, "", self._position, time, [], {}))
        self.lane.pass_time(time)
        assert not self.lane.set_aside
        return self.lane.sink.take()

    def words(self, event: Event) -> str:
        """What the engine makes of an event, in the words of the documentation's tables."""
        late = self.late()
        if any(isinstance(one, Firing) and not one.saved.rule.shadow for one in self.take(event)):
            return "fires"
        held = self.lane.sink.reports()
        if held:
            return f"held back ({held[0].reason})"
        return "late" if self.late() > late else "–"

    def late(self) -> int:
        """How many events came too late, for all rules together."""
        return sum(watch.late for watch in self.lane.watches.values())

    def states(self) -> list[State]:
        return [state for watch in self.lane.watches.values() for state in watch.states.values()]

    def checkpoint(self) -> None:
        """Write down what changed since the last one, as it is written to Redis."""
        for state in self.states():
            place = (state.watch.id, state.key)
            before = self._checkpoint.get(place, Saved({}, b""))
            members = {} if state.rewrite else before.members
            notes = state.notes()
            members.update(zip(*state.unsaved(), strict=True))
            self._checkpoint[place] = Saved(members, notes)

    def restart(self) -> None:
        """A checkpoint, and another process that begins with nothing but that."""
        self.checkpoint()
        old = self.lane
        lane = self.lane = Lane(ORG, "", self._watches())
        lane.watermark, lane.clock, lane.minutes = old.watermark, old.clock, old.minutes
        for watch in lane.watches.values():
            watch.late = old.watches[watch.id].late
            for key, gone in old.watches[watch.id].states.items():
                saved = self._checkpoint[watch.id, key]
                state = watch.states[key] = State(watch, key)
                state.last_fired = gone.last_fired
                state.recall(sorted(saved.members.items(), key=lambda one: (one[1], one[0])), saved.notes)
                if not watch.plain:
                    lane.timers.set(state)

    def size(self) -> int:
        """Bytes of everything that a full checkpoint would hold."""
        self.checkpoint()
        return sum(sum(map(len, one.members)) + len(one.notes) for one in self._checkpoint.values())


def event(number: int, type_: str, time: int, payload: dict[str, Any]) -> Event:
    """An event with an id that follows from its number."""
    return Event(number.to_bytes(16, "big"), type_, time, orjson.dumps(payload))


def seen(outcomes: list[Outcome]) -> list[Any]:
    """Outcomes without the objects in them, to be compared."""
    return [
        (
            one.id, one.time, one.timer, one.value, one.at_least, one.margin, one.threshold,
            one.window_from, one.window_to, tuple(one.evidence), one.words,
        )
        if isinstance(one, Firing)
        else ("over", one.group, one.at, one.reason)
        for one in outcomes
    ]  # fmt: skip
