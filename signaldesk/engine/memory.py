"""What one partition's owner knows: its organisations' rules and lanes, loaded when needed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from signaldesk import log
from signaldesk.engine import timing
from signaldesk.engine.lane import Lane
from signaldesk.engine.snapshot import Snapshot
from signaldesk.engine.state import SAVED, State
from signaldesk.engine.timers import NEVER
from signaldesk.engine.watch import Watch
from signaldesk.errors import Invalid
from signaldesk.model import group
from signaldesk.model.outcome import SetAside, Stored, Tallies
from signaldesk.model.rule import SavedRule
from signaldesk.rules import document
from signaldesk.rules.document import kinds
from signaldesk.store.ledger import Ledger, RuleRow
from signaldesk.stream.windows import WindowStore

_MINUTE = 60_000_000
_LOOKED_UP = 10_000
"""Groups whose latest firing is asked for in one question."""
_IDLE_BATCHES = 1_000
"""An import that had nothing in so many batches is taken to be over."""

_encoder = msgspec.msgpack.Encoder()
_timers: msgspec.msgpack.Decoder[tuple[bytes, bytes, int, str, dict[str, Any]]] = msgspec.msgpack.Decoder(
    tuple[bytes, bytes, int, str, dict[str, Any]]
)

logger = log.get_logger(__name__)


class Memory:
    """Rules, lanes and group states of one partition. Lookups go through a ledger that others may share."""

    def __init__(
        self,
        partition: int,
        *,
        lookups: Ledger,
        lock: asyncio.Lock,
        windows: WindowStore,
        lateness: int,
        most_states: int,
    ) -> None:
        """`lateness` (µs) is the default of rules; more than `most_states` groups do not stay in memory."""
        self.partition = partition
        self.lanes: dict[tuple[UUID, str], Lane] = {}
        self.known_lanes: dict[tuple[UUID, str], int] = {}
        """Watermarks (µs) of lanes that have a past; any other lane's first event is only now to come."""
        self.revisions: dict[UUID, int] = {}
        """Which change of its rules each organisation is judged by."""
        self.replaying: set[UUID] | None = None
        """See `Sink.replaying`; of lanes that are made from now on, too."""
        self.set_aside: list[SetAside] = []
        """Rules that failed and are judged no more, where that is not written down yet."""
        self._rules: dict[UUID, list[tuple[RuleRow, SavedRule]]] = {}
        self._lookups = lookups
        self._lock = lock
        self._windows = windows
        self._lateness = lateness
        self._most_states = most_states
        self._batch = 0

    # --- rules -----------------------------------------------------------------------------------------

    async def load_rules(self, org_id: UUID | None = None, *, begun: int | None = None) -> None:
        """Read the rules of one organisation (or all) that are live at the committed position.

        `begun`: the position of a marker that was committed just now; conditions that began there have no
        past.
        """
        async with self._lock:
            revisions = await asyncio.to_thread(self._lookups.revisions, [self.partition])
            rows = await asyncio.to_thread(self._lookups.rules, self.partition, org_id)
        found: dict[UUID, list[tuple[RuleRow, SavedRule]]] = {} if org_id is None else {org_id: []}
        parsed = {
            (saved.id, saved.version): saved for org in self._rules.values() for _, saved in org
        }  # a version never changes: with thousands of rules, reading all of them again would be felt
        for row in rows:
            saved = parsed.get((row.id, row.version)) or self._parse(row)
            if saved is not None:
                found.setdefault(row.org_id, []).append((row, saved))
        self._rules.update(found)
        self.revisions |= {org: rev for org, (_, rev) in revisions.items() if org_id in (None, org)}
        for org, saved_rules in found.items():
            if any(kinds()[saved.rule.when.kind].judge(saved.rule).begins for _, saved in saved_rules):
                self.lane(org, "")  # it has deadlines before any event comes
        for (org, _), lane in self.lanes.items():
            if org in found:
                lane.replace(self._watches(lane, found[org], begun))
                self._begin(lane)
        if begun is not None:
            await self.fill()

    def knows(self, org_id: UUID) -> bool:
        return org_id in self._rules

    def lane(self, org_id: UUID, name: str) -> Lane:
        """The lane of that name, made on first use from the organisation's rules."""
        lane = self.lanes.get((org_id, name))
        if lane is None:
            lane = self.lanes[org_id, name] = Lane(org_id, name, [])
            lane.set_aside = self.set_aside
            lane.sink.replaying = self.replaying
            fresh = (org_id, name) not in self.known_lanes
            lane.watermark = self.known_lanes.get((org_id, name), 0)
            lane.replace(self._watches(lane, self._rules.get(org_id, ())))
            for watch in lane.watches.values():
                watch.complete = fresh
            self._begin(lane)
        lane.batch = self._batch
        return lane

    def _watches(
        self, lane: Lane, rules: Iterable[tuple[RuleRow, SavedRule]], begun: int | None = None
    ) -> list[Watch]:
        found = []
        for row, saved in rules:
            try:
                found.append(self._watch(lane, row, saved, begun))
            except Exception as error:  # it can be read, and cannot be judged by: the others go on
                self.set_aside.append(SetAside.of(saved, error, 0))
        return found

    def _watch(self, lane: Lane, row: RuleRow, saved: SavedRule, begun: int | None = None) -> Watch:
        """The rule's watch in a lane: the one there is, with its windows, as long as the condition stays."""
        watch = lane.watches.get(row.id)
        if watch is not None and watch.saved.since_version == row.since_version:
            watch.update(saved, channels=row.channels, off=row.off, org_name=row.org_name)
            return watch
        watch = Watch(
            saved, channels=row.channels, off=row.off, org_name=row.org_name, lateness=self._lateness
        )
        watch.active_from, watch.begun = row.activated_at, row.begun
        # A first condition that begins now has no past; a later one has firings, and so cooldowns.
        watch.complete = row.activated_at == begun and row.since_version == 1
        return watch

    def _begin(self, lane: Lane) -> None:
        """Rules that are judged from their beginning on, before any event: enter their only group."""
        for watch in lane.watches.values():
            if watch.judge.begins and not watch.by and not lane.name and () not in watch.states:
                state = lane.enter(watch, ())
                if watch.complete:
                    lane.missing.append(state)

    def take_set_aside(self) -> list[SetAside]:
        """Take out the rules that failed; none of their organisations' lanes judges them any more."""
        found = {one.rule_id: one for one in reversed(self.set_aside)}
        self.set_aside.clear()
        for one in found.values():
            logger.error("rule set aside", org=str(one.org_id), rule=str(one.rule_id), error=one.error)
            rules = self._rules.get(one.org_id, ())
            self._rules[one.org_id] = [rule for rule in rules if rule[0].id != one.rule_id]
            for (org_id, _), lane in self.lanes.items():
                if org_id == one.org_id:
                    lane.drop(one.rule_id)
        return list(found.values())

    def replay(self, fired: set[UUID] | None) -> None:
        """From now on events are of the past, and what came of them is written down; None: of the present."""
        self.replaying = fired
        for lane in self.lanes.values():
            lane.sink.replaying = fired

    def live_lanes(self) -> list[Lane]:
        return [lane for (_, name), lane in self.lanes.items() if not name]

    def next_deadline(self) -> int:
        """The earliest deadline (µs) of what happens now, NEVER without one."""
        return min((lane.timers.waiting() for lane in self.live_lanes()), default=NEVER)

    def _parse(self, row: RuleRow) -> SavedRule | None:
        """The rule of a row; None, and set aside, for one that this version cannot read: the others go on."""
        try:
            rule = document.parse(row.body)
        except Exception as error:
            said = f"it cannot be read: {error.errors if isinstance(error, Invalid) else error!r}"[:500]
            name = str(row.body.get("name", row.id))
            self.set_aside.append(SetAside(row.org_id, row.id, row.since_version, name, 0, said))
            return None
        return SavedRule(
            org_id=row.org_id,
            id=row.id,
            version=row.version,
            since_version=row.since_version,
            fingerprint=row.fingerprint,
            rule=rule,
        )

    # --- states ----------------------------------------------------------------------------------------

    def begin_batch(self) -> None:
        self._batch += 1

    def lacking(self) -> bool:
        """Whether there are groups whose past is still to be loaded."""
        return any(lane.missing for lane in self.lanes.values())

    async def fill(self) -> None:
        """Load the past of new states: windows from Redis, firings from Postgres."""
        for lane in self.lanes.values():
            if lane.missing:
                windowed = [state for state in lane.missing if state.watch.windowed]
                names = [self._key(lane, state) for state in windowed]
                for state, (members, notes) in zip(windowed, await self._windows.load(names), strict=True):
                    self.recall(lane, state, members, notes)
                await self.fill_cooldowns(lane)

    @staticmethod
    def recall(lane: Lane, state: State, members: list[tuple[bytes, int]], notes: bytes) -> None:
        """Give a new state its past, and begin what begins without one."""
        try:
            state.recall(members, notes)
            if not state.watch.plain:
                lane.timers.set(state)
                timing.start(lane, state)
        except Exception as error:
            lane.fails(state.watch, error)

    async def load_timers(self) -> None:
        """Enter every group that waits for a deadline, and set the clocks: as of the windows' checkpoint."""
        for name, time in await self._windows.load_timers():
            org_id, rule_id, since, lane_name, values = _timers.decode(name)
            lane = self.lane(UUID(bytes=org_id), lane_name)
            if not rule_id:
                lane.clock = time
            elif (watch := lane.watches.get(UUID(bytes=rule_id))) and watch.saved.since_version == since:
                key = group.key(watch.by, values)
                state = watch.states.get(key) or lane.enter(watch, key)
                state.listed = True
        await self.fill()

    async def fill_cooldowns(self, lane: Lane) -> None:
        """Load when the lane's new states fired last; nothing is missing then but their windows."""
        cooling = {state.ref(lane.name): state for state in lane.missing if state.watch.cooldown}
        refs = list(cooling)
        for start in range(0, len(refs), _LOOKED_UP):
            async with self._lock:
                part = refs[start : start + _LOOKED_UP]
                fired = await asyncio.to_thread(self._lookups.last_fired, part)
            for ref, time in fired.items():
                cooling[ref].last_fired = time
        lane.missing = []

    def _key(self, lane: Lane, state: State) -> str:
        watch = state.watch
        return self._windows.key(watch.id, watch.saved.since_version, lane.name, state.text)

    async def try_out(self, stored: Stored) -> None:
        """Judge events on a scratch lane: raises what judging them raises, and changes nothing."""
        org_id = UUID(bytes=stored.org)
        scratch = Lane(org_id, stored.lane, [])
        scratch.replace(self._watches(scratch, self._rules.get(org_id, ())))
        for watch in scratch.watches.values():
            watch.complete = True
        scratch.judge(scratch.match(stored))

    # --- checkpoints -----------------------------------------------------------------------------------

    def tallies(self) -> Tallies:
        """Take out everything counted since the last checkpoint."""
        tallies = Tallies()
        for (org_id, name), lane in self.lanes.items():
            late = 0
            for watch in lane.watches.values():
                if watch.late:
                    place = (watch.id, watch.saved.since_version)
                    tallies.late[place] = tallies.late.get(place, 0) + watch.late
                    late += watch.late
                    watch.late = 0
            if lane.events:
                tallies.progress[org_id, name] = (lane.watermark, lane.events, late)
                for day, events in lane.days.items():
                    tallies.received[org_id, day] = tallies.received.get((org_id, day), 0) + events
            if not name:  # imports are no part of what happens now
                for (minute, type_), counts in lane.minutes.items():
                    tallies.minutes[org_id, minute * _MINUTE, type_] = counts
            tallies.held += lane.sink.reports()
            lane.minutes, lane.days, lane.events = {}, {}, 0
        return tallies

    def unsaved(self) -> int:
        """How many windows the checkpoint lacks as they are."""
        return sum(len(lane.dirty) for lane in self.lanes.values())

    def snapshot(self) -> Snapshot:
        """What the checkpoint lacks, as of now; must be saved before the next call.

        What it does not lack, because the save before wrote it, may leave memory.
        """
        self._make_room()
        self._close_imports()
        found = Snapshot(self._key, _timer)
        for lane in self.lanes.values():
            found.add(lane)
        return found

    def _close_imports(self) -> None:
        """Let lanes of imports leave memory that nothing came for in a while, and that are saved."""
        for place, lane in list(self.lanes.items()):
            self.known_lanes[place] = lane.watermark
            idle = lane.batch < self._batch - _IDLE_BATCHES
            if lane.name and idle and not lane.dirty and lane.timers.waiting() == NEVER:
                del self.lanes[place]

    def _make_room(self) -> None:
        """Let states leave memory that are saved, and were not used for long."""
        watches = [watch for lane in self.lanes.values() for watch in lane.watches.values()]
        total = sum(len(watch.states) for watch in watches)
        if total <= self._most_states:
            return
        states = [
            state
            for watch in watches
            for state in watch.states.values()
            if state.touched < self._batch and state.due is None and state.dirty == SAVED
        ]
        states.sort(key=lambda state: state.touched)
        for state in states[: total - self._most_states * 3 // 4]:
            del state.watch.states[state.key]
            state.watch.complete = False
        for lane in self.lanes.values():
            lane.forget_groups()


def _timer(lane: Lane, state: State | None) -> bytes:
    """The name under which a group's deadline is kept; without a group, the lane's clock."""
    if state is None:
        return _encoder.encode((lane.org_id.bytes, b"", 0, lane.name, {}))
    watch = state.watch
    values = group.values(watch.by, state.key)
    return _encoder.encode((lane.org_id.bytes, watch.id.bytes, watch.saved.since_version, lane.name, values))
