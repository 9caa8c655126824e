"""One organisation's events in one order: the deterministic fold (state, event) -> (state', outcomes).

Live events are the lane `''`; each import that is judged in its own event time is a lane of its own, with its
own watermark, windows, deadlines and cooldowns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from uuid import UUID

import orjson

from signaldesk.engine import timing
from signaldesk.engine.outcomes import Sink
from signaldesk.engine.state import DIRTY, DUE, State
from signaldesk.engine.timers import Timers
from signaldesk.engine.watch import Predicate, Watch
from signaldesk.model import group
from signaldesk.model.event import Event
from signaldesk.model.group import Key
from signaldesk.model.outcome import SetAside, Stored
from signaldesk.rules._kind import SKIP, Judge

if TYPE_CHECKING:
    from signaldesk.engine.snapshot import Snapshot

_MINUTE = 60_000_000
_DAY = 86_400_000_000
_NOTHING: dict[str, Any] = {}
_MOST_PLANS = 10_000
"""Event types are the senders' choice: their number must not fill memory."""

Hit = tuple[Watch, State, Event, int, Any]
"""A rule, the group of it that an event belongs to, the event, the watermark at that moment, and a sample."""


Failure = tuple[int, list[Watch], Exception]
"""After so many hits of an entry these rules cannot be asked any more: their filter or grouping failed."""


class Matched(NamedTuple):
    """What one stream entry has to do with the rules, and how far time is after it."""

    stored: Stored
    hits: list[Hit]
    upto: int
    failures: list[Failure]


class Asked(NamedTuple):
    """A watch, what its judge takes of an event (None: nothing), and how late that may come (µs)."""

    watch: Watch
    sample: Callable[[dict[str, Any], Event], Any] | None
    lateness: int


class Grouping(NamedTuple):
    """Watches that share a grouping, and the groups that events of the type belonged to so far."""

    find: Callable[[Event, dict[str, Any]], Key]
    asked: list[Asked]
    known: dict[Key, list[State | None]]
    """For each watch its state of the group; None until it is wanted. See `forget_groups`."""


class Step(NamedTuple):
    """Watches that share a filter; within it, those that share a grouping."""

    predicate: Predicate | None
    groups: list[Grouping]


class Plan(NamedTuple):
    """What there is to do for one event type."""

    needs_payload: bool
    steps: list[Step]


class _Gone(Judge):
    """In the place of the judge of a rule that was set aside."""

    def holds(self, window: Any, time: int, event: bytes, sample: Any) -> NoReturn:
        raise RuntimeError("the rule was set aside")


class Lane:
    """Watches, their states, the watermark and the deadlines of one organisation in one lane."""

    def __init__(self, org_id: UUID, name: str, watches: list[Watch]) -> None:
        self.org_id = org_id
        self.name = name
        self.watermark = 0
        self.clock = 0
        """How far time is (µs): the latest event time, or for live events the latest receipt."""
        self.mark = 0
        """The watermark as of the event that is judged; `watermark` itself may be ahead of it."""
        self.timers = Timers()
        self.sink = Sink(org_id, name)
        self.watches: dict[UUID, Watch] = {}
        self.missing: list[State] = []
        """States entered into memory whose past is still to be loaded."""
        self.dirty: list[State] = []
        """States whose windows changed since the checkpoint."""
        self.snapshot: Snapshot | None = None
        """The latest save: of what is due in it nothing may change before it was taken."""
        self.minutes: dict[tuple[int, str], list[int]] = {}
        """(minute, event type) -> [events, matched] since the checkpoint."""
        self.days: dict[int, int] = {}
        """Day of receipt (µs) -> events since the checkpoint: what is used up of a plan."""
        self.events = 0
        self.batch = 0
        self.held: list[tuple[State, Event, int]] = []
        """Groups whose condition held at the moment at hand, for the composite rules they are part of."""
        self.rebuilding = False
        """Whether windows are made from events alone: there is nothing to be loaded for a new group."""
        self.set_aside: list[SetAside] = []
        """Rules that failed here, and are judged no more; `Memory` sees to the rest of it."""
        self._beginning: list[State] = []
        """Groups of rules that begin in the midst of the entries that are replayed; see `begin`."""
        self._failing: set[Watch] = set()
        """Rules that failed at an event which is matched, and not judged yet."""
        self._plans: dict[str, Plan] = {}
        self._named: tuple[tuple[str, ...], Key, str] = ((), (), group.text((), ()))
        """The group that was entered last, and its text."""
        self.replace(watches)

    def replace(self, watches: list[Watch]) -> None:
        """The rules changed; watches handed in again keep their states, of others no deadline is left."""
        for watch in self.watches.values():
            if watch not in watches:
                self._drop(watch)
        self.watches = {watch.id: watch for watch in watches}
        self._failing &= set(watches)
        self._plans.clear()
        for watch in watches:
            watch.composites = []
        named = {watch.saved.rule.name: watch for watch in watches}
        for watch in watches:
            for part in {named[name] for name in watch.parts if name in named}:
                if part.by == watch.by and not part.parts:
                    part.composites.append(watch)

    def _drop(self, watch: Watch) -> None:
        for state in watch.states.values():
            if state.due is not None:
                state.due = None
                if not state.dirty:
                    state.dirty = DIRTY
                    self.dirty.append(state)
        watch.states.clear()

    def fails(self, watch: Watch, error: Exception) -> None:
        """The rule failed: it is not judged from here on, as if it had been deleted. Others go on.

        Lack of memory is raised again: it is nothing that a rule can be blamed for.
        """
        if isinstance(error, MemoryError):
            raise error
        if self.watches.get(watch.id) is not watch:
            return
        self.set_aside.append(SetAside.of(watch.saved, error, self.sink.received_at))
        self.drop(watch.id)

    def drop(self, rule_id: UUID) -> None:
        """Judge a rule no more, not even for hits that are on their way."""
        if (watch := self.watches.get(rule_id)) is not None:
            self.replace([one for one in self.watches.values() if one is not watch])
            self.missing = [state for state in self.missing if state.watch is not watch]
            watch.judge = _Gone()

    # --- matching --------------------------------------------------------------------------------------

    def match(self, stored: Stored, *, replayed: bool = False) -> Matched:
        """Which rules and groups each event belongs to; moves the watermark, counts what came too late.

        How far each event came behind the watermark goes into `stored.behind`, or, for `replayed` events,
        comes from there: lateness is decided once.
        """
        hits: list[Hit] = []
        failures: list[Failure] = []
        watermark, plans = self.watermark, self._plans
        minute, minutes, counts = -1, self.minutes, dict[str, list[int]]()
        upto = 0
        position, behind = stored.position, stored.behind
        for index, event in enumerate(stored.events):
            time, gap = event.timestamp, 0
            if replayed:
                gap = behind.get(index, 0)
                watermark, upto = max(watermark, time), time + gap
            elif time >= watermark:
                watermark = time
            else:
                gap = behind[index] = watermark - time
            type_ = event.type
            if time // _MINUTE != minute:
                minute, counts = time // _MINUTE, {}
            count = counts.get(type_)
            if count is None:
                count = counts[type_] = minutes.setdefault((minute, type_), [0, 0])
            count[0] += 1
            plan = plans.get(type_) or self._plan(type_)
            if plan.steps and self._match(plan, event, position, gap, hits, failures):
                count[1] += 1
        day = stored.received_at // _DAY * _DAY
        self.days[day] = self.days.get(day, 0) + len(stored.events)
        self.events += len(stored.events)
        self.watermark = watermark
        return Matched(stored, hits, upto if replayed else watermark, failures)

    def _match(
        self, plan: Plan, event: Event, position: int, gap: int, hits: list[Hit], failures: list[Failure]
    ) -> bool:
        """Add a hit for each rule that the event concerns; whether there was any such rule."""
        payload = orjson.loads(event.payload) if plan.needs_payload else _NOTHING
        matched = False
        for predicate, groups in plan.steps:
            try:
                if predicate is not None and not predicate(
                    payload, event.type, event.source, event.timestamp
                ):
                    continue
            except Exception as error:
                every = [one.watch for grouping in groups for one in grouping.asked]
                self._fail_later(every, error, position, len(hits), failures)
                continue
            for grouping in groups:
                if self._match_group(grouping, payload, event, position, gap, hits, failures):
                    matched = True
        return matched

    def _match_group(
        self,
        grouping: Grouping,
        payload: dict[str, Any],
        event: Event,
        position: int,
        gap: int,
        hits: list[Hit],
        failures: list[Failure],
    ) -> bool:
        """The same for watches that share a grouping."""
        find, asked, known = grouping
        try:
            key = find(event, payload)
            states = known.get(key)
        except Exception as error:
            self._fail_later([one.watch for one in asked], error, position, len(hits), failures)
            return False
        time, batch, matched = event.timestamp + gap, self.batch, False
        for place, (watch, take, lateness) in enumerate(asked):
            if watch.active_from >= position:
                continue  # replayed: an event from before the rule
            try:
                sample = None if take is None else take(payload, event)
                if sample is SKIP:
                    continue
                matched = True
                if gap > lateness:
                    watch.late += 1
                    continue
                if states is None:
                    states = known[key] = [None] * len(asked)
                state = states[place]
                if state is None:
                    state = states[place] = watch.states.get(key) or self.enter(watch, key)
                state.touched = batch
                hits.append((watch, state, event, time, sample))
            except Exception as error:
                self._fail_later([watch], error, position, len(hits), failures)
        return matched

    def _fail_later(
        self, watches: Iterable[Watch], error: Exception, position: int, hits: int, failures: list[Failure]
    ) -> None:
        """Match no more events with these rules; what was matched before is judged by them all the same."""
        if isinstance(error, MemoryError):
            raise error  # nothing that a rule can be blamed for
        failing = [watch for watch in watches if watch.active_from < position]
        if failing:
            self._failing.update(failing)
            self._plans.clear()
            failures.append((hits, failing, error))

    def forget_groups(self) -> None:
        """States left memory: look each group up again."""
        self._plans.clear()

    def enter(self, watch: Watch, key: Key) -> State:
        """A group that is not in memory; if it may have a past, `Memory.fill` loads it next."""
        by, known, text = self._named
        if known != key or by != watch.by:  # an event mostly enters the same group of several rules
            text = group.text(watch.by, key)
            self._named = watch.by, key, text
        state = watch.states[key] = State(watch, key, text)
        if not watch.complete:
            self.missing.append(state)
        if (watch.complete or self.rebuilding) and not watch.plain:
            watch.judge.load(state, None)
        for composite in watch.composites:
            if key not in composite.states:
                self.enter(composite, key)
        return state

    def _plan(self, type_: str) -> Plan:
        """Work out, once for each type, what there is to do for its events."""
        steps: dict[str | None, Step] = {}
        needs_payload = False
        for watch in self.watches.values():
            if watch.watches(type_) and watch not in self._failing:
                needs_payload |= watch.needs_payload
                step = steps.setdefault(watch.where, Step(watch.predicate, []))
                one = Asked(watch, watch.judge.sample if watch.sampled else None, watch.lateness)
                for grouping in step.groups:
                    if grouping.asked[0].watch.by == watch.by:
                        grouping.asked.append(one)
                        break
                else:
                    step.groups.append(Grouping(watch.group, [one], {}))
        if len(self._plans) >= _MOST_PLANS:
            self._plans.clear()
        plan = self._plans[type_] = Plan(needs_payload, list(steps.values()))
        return plan

    # --- judging ---------------------------------------------------------------------------------------

    def judge(self, matched: Matched) -> None:
        """Take each hit into its window, in order, and the deadlines between them; outcomes go to `sink`."""
        stored, hits, upto, failures = matched
        self.sink.begin(stored)
        if self._beginning:
            self.have_begun(stored.position)
        if not stored.events:
            self.pass_time(0 if self.name else stored.received_at)
            return
        clock = self.clock
        if not self.name and stored.received_at > clock:
            clock = stored.received_at
        done = 0
        for ahead, watches, error in failures:
            clock = self._take(hits[done:ahead], clock)
            done = ahead
            for watch in watches:
                self.fails(watch, error)
        clock = self._take(hits[done:] if done else hits, clock)
        if self.held:
            timing.composites(self)
        self.mark = max(self.mark, upto)
        self.pass_time(max(clock, upto))

    def _take(self, hits: list[Hit], clock: int) -> int:
        """Judge hits of one entry, one after the other; how far the clock is after them."""
        timers = self.timers
        before: Event | None = None
        for watch, state, event, watermark, sample in hits:
            if event is not before:
                before, time, id_ = event, event.timestamp, event.id
                if self.held and self.held[0][1] is not event:
                    timing.composites(self)
                clock = max(clock, watermark)
            if clock > timers.next:
                self.mark = max(self.mark, watermark)
                self._ring_before(clock)
            try:
                if state.dirty == DUE:
                    self.secure(state)
                holds = watch.judge.holds(state, time, id_, sample)
                if watch.plain:
                    if holds:
                        self._holds(state, event, time)
                elif holds or watch.attentive:
                    timing.judged(self, state, event, time, holds)
                elif time > state.at:
                    state.at = time
                if watch.windowed and (not state.dirty or len(state.times) > state.limit):
                    self.tidy(state, watermark)
            except Exception as error:
                self.fails(watch, error)
        return clock

    def _holds(self, state: State, event: Event, time: int) -> None:
        """The condition of a plain watch holds at an event."""
        self.sink.candidate(state, event, time)
        if state.watch.composites:
            self.held.append((state, event, time))

    def pass_time(self, clock: int) -> None:
        """Time is at least so far (µs): deadlines before it have come.

        One that a rule began with may lie behind the watermark: the next event meets it, or live time does.
        """
        if clock > self.clock:
            self.clock = clock
        if clock > self.timers.next:
            self._ring_before(clock)

    def begin(self, state: State) -> None:
        """The group waits for a deadline from its rule's beginning on; no entry before that can meet it."""
        if self.sink.replaying is None:
            self.timers.set(state)
        else:
            self._beginning.append(state)

    def have_begun(self, position: int) -> None:
        """All rules that began before a position of the stream wait for their deadlines now."""
        waiting, self._beginning = self._beginning, []
        for state in waiting:
            if state.watch.active_from < position:
                self.timers.set(state)
            else:
                self._beginning.append(state)

    def _ring_before(self, clock: int) -> None:
        while (state := self.timers.pop(clock)) is not None:
            try:
                self.secure(state)
                timing.ring(self, state)
                self.timers.set(state)
                self.tidy(state, self.mark)
            except Exception as error:
                self.fails(state.watch, error)
            if self.held:
                timing.composites(self, timer=True)

    def tidy(self, state: State, watermark: int) -> None:
        """After a state changed: keep its window small, and remember that the checkpoint lacks it."""
        watch = state.watch
        if not watch.windowed:
            return
        if len(state.times) > state.limit:
            watch.judge.thin(state, watermark - watch.reach)
        if not state.dirty:
            state.dirty = DIRTY
            self.dirty.append(state)

    def secure(self, state: State) -> None:
        """Before a state changes: a save under way shall write it as it is."""
        if state.dirty == DUE:
            assert self.snapshot is not None
            self.snapshot.take(self, state)

    def forget_counts(self) -> None:
        """Drop what was counted: it has been written down before."""
        self.minutes.clear()
        self.days.clear()
        self.events = 0
        self.sink.reports()
        for watch in self.watches.values():
            watch.late = 0
