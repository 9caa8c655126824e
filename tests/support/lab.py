"""A laboratory for the engine: organisations, rules, a way in, owners of a partition that may die anywhere.

Everything is real (Postgres, Redis, the intake, the partition) but the clock, and the owner's tools can be
told to fail at a named place: `Fault`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from typing import Any, Literal, TypeVar
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import dict_row
from sqlalchemy import delete, insert

from signaldesk.clock import MICROS, ManualClock
from signaldesk.engine.cancel import cancel
from signaldesk.engine.notices import composer
from signaldesk.engine.partition import Partition
from signaldesk.engine.pulse import Pulse
from signaldesk.engine.tools import Tools
from signaldesk.errors import Fenced, Unavailable
from signaldesk.ids import new_id
from signaldesk.intake.appender import Appender
from signaldesk.intake.intake import Delivery, Intake, Sender
from signaldesk.model.life import Alert
from signaldesk.model.outcome import Batch, GroupRef, RuleChange
from signaldesk.model.rule import SavedRule
from signaldesk.rules import document
from signaldesk.store import rules as rule_rows
from signaldesk.store import tables as t
from signaldesk.store.alert_book import Compose
from signaldesk.store.database import Database
from signaldesk.store.days import Days
from signaldesk.store.ledger import Claim, Ledger
from signaldesk.stream import client
from signaldesk.stream.events import Entry, EventStream
from signaldesk.stream.news import News
from signaldesk.stream.windows import Changes, WindowStore

T = TypeVar("T")
Row = dict[str, Any]

START_US = 1_700_000_040 * MICROS
"""Where a laboratory's clock begins."""
SKEW_S = 60
LATENESS_US = 5 * MICROS
"""The default of rules that say nothing of their own."""
PATIENCE_S = 10.0
"""Seconds after which an owner that does not get on is taken to be stuck."""

Place = Literal["commit", "save", "load", "read", "replay", "rules"]


class Crashed(BaseException):
    """What a fault raises when the process shall die there; nothing in the engine may catch it."""


@dataclass
class Fault:
    """At the `nth` time (from 0) that an owner comes to a place: die, or find Postgres or Redis away.

    `after`: what was asked for was done all the same, only the answer is lost.
    """

    place: Place
    nth: int
    after: bool
    deadly: bool


@dataclass
class Faults:
    """What shall go wrong in the life of one owner."""

    planned: list[Fault] = field(default_factory=list)
    _passed: Counter[Place] = field(default_factory=Counter)

    def _due(self, place: Place) -> Fault | None:
        nth = self._passed[place]
        self._passed[place] += 1
        return next((fault for fault in self.planned if (fault.place, fault.nth) == (place, nth)), None)

    @staticmethod
    def _raise(fault: Fault) -> None:
        if fault.deadly:
            raise Crashed(f"{fault.place} {fault.nth}")
        raise Unavailable("away, for the sake of the test", retry_after=0.001)

    def around(self, place: Place, call: Callable[[], T]) -> T:
        fault = self._due(place)
        if fault and not fault.after:
            self._raise(fault)
        result = call()
        if fault:
            self._raise(fault)
        return result

    @asynccontextmanager
    async def at(self, place: Place) -> AsyncIterator[None]:
        fault = self._due(place)
        if fault and not fault.after:
            self._raise(fault)
        yield
        if fault:
            self._raise(fault)


class FaultyLedger(Ledger):
    """A ledger that fails where it is told to."""

    faults: Faults
    ended = False
    """Its owner is gone; a thread that is still under way shall not open another connection."""

    def _open(self) -> psycopg.Connection[Any]:
        if self.ended:
            raise Unavailable("its owner is gone")
        return super()._open()

    def commit(self, claim: Claim, batch: Batch, compose: Compose) -> list[Alert]:
        return self.faults.around("commit", lambda: super(FaultyLedger, self).commit(claim, batch, compose))

    def last_fired(self, groups: list[GroupRef]) -> dict[GroupRef, int]:
        return self.faults.around("load", lambda: super(FaultyLedger, self).last_fired(groups))

    def fired(self, partition: int, after: int) -> set[UUID]:
        return self.faults.around("replay", lambda: super(FaultyLedger, self).fired(partition, after))

    def rules(self, partition: int, org_id: UUID | None = None) -> Any:
        return self.faults.around("rules", lambda: super(FaultyLedger, self).rules(partition, org_id))


class FaultyWindows(WindowStore):
    """Windows that fail where they are told to."""

    faults: Faults

    async def load(self, names: list[str]) -> list[tuple[list[tuple[bytes, int]], bytes]]:
        async with self.faults.at("load"):
            return await super().load(names)

    async def _put(self, position: int, part: Changes, stage: str) -> None:
        async with self.faults.at("save"):
            await super()._put(position, part, stage)


class FaultyStream(EventStream):
    """A stream that fails where it is told to, hands out at most `most` entries, and blocks briefly."""

    faults: Faults
    most: int

    async def read(self, partition: int, after: int, count: int, block_ms: int) -> list[Entry]:
        async with self.faults.at("read"):
            return await super().read(partition, after, min(count, self.most), 2)


@dataclass(frozen=True)
class Life:
    """How one owner lives: in which portions it reads, how often it writes checkpoints, what goes wrong."""

    most_entries: int = 1_000_000
    batch_events: int = 8_192
    checkpoint_every: float = 1_000_000.0
    most_states: int = 1_000_000
    storm_after: int = 1_000_000
    faults: tuple[Fault, ...] = ()


class Lab:
    """One partition with everything around it."""

    def __init__(self, database_url: str, redis_url: str, *, partition: int = 0) -> None:
        self.partition = partition
        self.database_url = database_url
        self.clock = ManualClock(START_US)
        self.redis = client.connect(redis_url)
        self.stream = EventStream(self.redis)
        self.news = News(self.redis)
        self.database = Database(database_url)
        self.days = Days(database_url)
        self._reading = psycopg.connect(database_url, row_factory=dict_row, autocommit=True)
        self.appender = Appender(self.stream, self.clock)
        self.intake = Intake(
            stream=self.stream,
            appender=self.appender,
            clock=self.clock,
            max_body=1 << 20,
            max_batch=8 << 20,
            max_events=10_000,
            clock_skew=SKEW_S,
        )

    async def close(self) -> None:
        self._reading.close()
        await self.appender.close()
        await self.database.close()
        await self.redis.aclose()

    # --- people ----------------------------------------------------------------------------------------

    async def org(self) -> UUID:
        """A new organisation with one channel, `hook`."""
        org_id = new_id()
        async with self.database.system() as connection:
            await connection.execute(
                insert(t.orgs).values(
                    id=org_id, slug=str(org_id), name="Lab", plan="free", partition=self.partition
                )
            )
            await connection.execute(
                insert(t.channels).values(id=new_id(), org_id=org_id, name="hook", kind="webhook", config={})
            )
        return org_id

    async def forget(self, orgs: Iterable[UUID]) -> None:
        """Delete organisations, so that those who come after need not remember them."""
        async with self.database.system() as connection:
            await connection.execute(delete(t.orgs).where(t.orgs.c.id.in_(list(orgs))))

    async def save_rule(
        self, org_id: UUID, body: Row, before: SavedRule | None = None, *, announce: bool = True
    ) -> SavedRule:
        """Save a rule, or the next version of one, as the catalog does."""
        rule = document.parse(body)
        judged = document.fingerprint(rule)
        version = before.version + 1 if before else 1
        since = before.since_version if before and before.fingerprint == judged else version
        saved = SavedRule(
            org_id=org_id,
            id=before.id if before else new_id(),
            version=version,
            since_version=since,
            fingerprint=judged,
            rule=rule,
        )
        async with self.database.tenant(org_id) as connection:
            await (rule_rows.replace if before else rule_rows.add)(connection, saved, None)
        if announce:
            change = RuleChange(org_id, saved.id, saved.version, saved.since_version)
            await self.stream.mark(self.partition, org_id, [change], at=self.clock.now_us())
        return saved

    async def delete_rule(self, saved: SavedRule) -> None:
        async with self.database.tenant(saved.org_id) as connection:
            await rule_rows.remove(connection, saved.org_id, saved.id)
        gone = RuleChange(saved.org_id, saved.id, 0, 0)
        await self.stream.mark(self.partition, saved.org_id, [gone], at=self.clock.now_us())

    async def send(
        self, org_id: UUID, events: Iterable[Row], *, lane: str = "", notify: bool = False, key: str = ""
    ) -> list[bytes]:
        """Send a batch through the intake; the ids it got."""
        body = orjson.dumps(list(events))
        delivery = Delivery(body=body, replay=lane, notify=notify, idempotency_key=key)
        answer = orjson.loads(await self.intake.accept(Sender(org_id, self.partition), delivery))
        assert answer["rejected"] == []
        return [UUID(id_).bytes for id_ in answer["ids"]]

    async def pass_time(self, seconds: float) -> int:
        """Let the clock go on while nothing happens, and have the stream say so; how far it says (µs)."""
        self.clock.advance(seconds)
        time = self.clock.now_us()
        await self.stream.tick(self.partition, time)
        return time

    # --- owners ----------------------------------------------------------------------------------------

    async def owner(self, life: Life = Life()) -> Owner:
        """A new owner of the partition, at work; whoever owned it before is fenced off."""
        owner = Owner(self, life)
        await owner.begin()
        return owner

    async def empty_windows(self) -> None:
        """What is left when Redis loses everything but the stream."""
        for pattern in ("sd:*:w:*", "sd:*:windows:*"):
            if names := [name async for name in self.redis.scan_iter(pattern)]:
                await self.redis.delete(*names)

    # --- what came of it -------------------------------------------------------------------------------

    def rows(self, query: str, **values: object) -> list[Row]:
        """What a query says; it names its values as in %(orgs)s."""
        return self._reading.execute(query, values).fetchall()

    def position(self) -> int:
        """The committed position."""
        return int(
            self.rows("SELECT position FROM partitions WHERE id = %(id)s", id=self.partition)[0]["position"]
        )


class Owner:
    """One owner of the laboratory's partition, from its claim to its end."""

    def __init__(self, lab: Lab, life: Life) -> None:
        self.lab = lab
        self.life = life
        self.faults = Faults(list(life.faults))
        self._ledgers: list[FaultyLedger] = []
        self.partition: Partition
        self.task: asyncio.Task[None]

    async def begin(self) -> None:
        lab, life = self.lab, self.life
        stream = FaultyStream(lab.redis)
        stream.faults, stream.most = self.faults, life.most_entries
        tools = Tools(
            stream=stream,
            open_windows=self._windows,
            pulse=Pulse(lab.news, lab.clock),
            days=lab.days,
            lookups=self._ledger(),
            lookups_lock=asyncio.Lock(),
            compose=composer("http://desk.test"),
            lateness=LATENESS_US,
            checkpoint_every=life.checkpoint_every,
            clock=lab.clock,
            most_states=life.most_states,
            batch_events=life.batch_events,
        )
        ledger = self._ledger()
        # A lease that is over at once: whoever comes next may take over, and the epoch fences this one off.
        claims: list[Claim] = []
        while not any(claim.partition == lab.partition for claim in claims):  # locked while one commits
            claims = await asyncio.to_thread(ledger.claim, 8, 0.0)
        (claim,) = [claim for claim in claims if claim.partition == lab.partition]
        self.partition = Partition(claim, ledger=ledger, tools=tools)
        self.task = asyncio.create_task(self.partition.run())

    def _windows(self, partition: int) -> WindowStore:
        windows = FaultyWindows(self.lab.redis, partition)
        windows.faults = self.faults
        return windows

    def _ledger(self) -> FaultyLedger:
        life = self.life
        ledger = FaultyLedger(self.lab.database_url, owner=str(new_id()), storm_after=life.storm_after)
        ledger.faults = self.faults
        self._ledgers.append(ledger)
        return ledger

    async def work_off(self) -> bool:
        """Until everything in the stream is committed; False when it died, or was fenced off, before."""
        last = await self.lab.stream.last(self.lab.partition)
        give_up = time.monotonic() + PATIENCE_S
        while self.partition.committed < last:
            if self.task.done():
                self.fault()
                return False
            if time.monotonic() > give_up:
                raise AssertionError(f"the owner is stuck at {self.partition.committed}: {self._stack()}")
            await asyncio.wait([self.task], timeout=0.001)
        return True

    async def end(self) -> None:
        """Let it end in good order; it may die on the way."""
        self.partition.stop()
        await asyncio.wait([self.task], timeout=PATIENCE_S)
        assert self.task.done(), f"the owner does not end: {self._stack()}"
        await self.cut_off()
        self.fault()

    def fault(self) -> BaseException | None:
        """What a dead owner died of, if that was meant to happen; raises anything else."""
        error = None if self.task.cancelled() else self.task.exception()
        if error is not None and not isinstance(error, Crashed | Fenced):
            raise error
        return error

    def _stack(self) -> str:
        text = StringIO()
        self.task.print_stack(file=text)
        return text.getvalue()

    async def cut_off(self) -> None:
        """End it as a crash does: nothing more is written, what is in memory is gone."""
        await cancel(self.task)
        for ledger in self._ledgers:
            await asyncio.to_thread(partial(self._close, ledger))

    @staticmethod
    def _close(ledger: FaultyLedger) -> None:
        # A statement under way ends by itself, as it would after a crash.
        assert ledger._lock.acquire(timeout=PATIENCE_S), "somebody keeps the ledger's connection"
        ledger.ended = True
        ledger.close()
        ledger._lock.release()
