"""Backtests under way and done: taken on, run in processes of their own, asked for, ended."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec

from signaldesk.backtest import stored
from signaldesk.backtest.jobs.order import Judge, Order, Place, Told
from signaldesk.backtest.rule import Rule as Tuned
from signaldesk.backtest.sweep import grid
from signaldesk.catalog.rules import RuleCatalog
from signaldesk.clock import Clock, to_us
from signaldesk.errors import FieldError, Invalid, SignalDeskError, Unavailable
from signaldesk.history.turnstile import Turnstile
from signaldesk.ids import new_id
from signaldesk.log import get_logger
from signaldesk.model import problem
from signaldesk.model.label import Label
from signaldesk.model.rule import Rule
from signaldesk.store.backtests import BacktestRecord, BacktestStore
from signaldesk.store.labels import LabelStore

log = get_logger(__name__)

MOST_POINTS = 1_000
"""Of a sweep that the server runs."""
_BEAT_S = 0.5
_ENDING_S = 5.0
"""A process that has said everything and does not end by then is killed."""
_LONGEST = 256 << 20
"""Bytes of an answer."""


class Wanted(NamedTuple):
    """A backtest as it is asked for. `rule` is a document, or the name or id of a saved rule, and so is
    `against`, a rule to compare it with."""

    rule: Any
    since: datetime
    until: datetime
    version: int | None = None
    against: Any = None
    sweep: Mapping[str, Sequence[Any]] | None = None
    labels: Sequence[Label] | Literal["stored"] = ()
    replay: str = ""
    """Judge the events of the import of this name instead of the live ones."""


class Limits(NamedTuple):
    """Of one backtest: seconds, and bytes of memory; and how many there may be at once."""

    seconds: float
    memory: int
    at_once: int
    at_once_per_org: int


class Jobs:
    """Every method takes the organisation first; meant for one event loop. Close it."""

    def __init__(
        self,
        *,
        store: BacktestStore,
        rules: RuleCatalog,
        labels: LabelStore,
        place: Place,
        limits: Limits,
        lateness: int,
        clock: Clock,
    ) -> None:
        """`lateness` (µs) is that of rules that say nothing of their own."""
        self._store, self._rules, self._labels = store, rules, labels
        self._place, self._limits, self._lateness = place, limits, lateness
        self._clock = clock
        self._turnstile = Turnstile(
            over_all=limits.at_once, per_org=limits.at_once_per_org, what="backtests", wait=5.0
        )
        self._running: dict[UUID, asyncio.Task[None]] = {}

    async def start(self, org_id: UUID, wanted: Wanted, *, by: UUID | None) -> BacktestRecord:
        """Take a backtest on. Raises Invalid with every fault, NotFound for a rule, TooMany, Unavailable."""
        order = await self._order(org_id, wanted)
        with ExitStack() as stack:
            stack.enter_context(self._turnstile.let_in(org_id))
            name = order.rule.rule["name"]
            job = await self._store.add(org_id, new_id(), name, wanted.since, wanted.until, by)
            keep = stack.pop_all()
        task = asyncio.create_task(self._run(org_id, job.id, order, keep))
        self._running[job.id] = task
        task.add_done_callback(lambda _: self._running.pop(job.id))
        return job

    async def get(self, org_id: UUID, id: UUID) -> BacktestRecord:
        """Raises NotFound."""
        return await self._store.get(org_id, id)

    async def firings(self, org_id: UUID, id: UUID, *, after: int, limit: int) -> list[Any]:
        """Some of a result's firings in their order. Raises NotFound."""
        return (await self._store.firings(org_id, id))[after : after + limit]

    async def remove(self, org_id: UUID, id: UUID) -> None:
        """Forget a backtest; one under way ends, here at once, elsewhere within a second. Raises NotFound."""
        await self._store.remove(org_id, id)
        if (task := self._running.get(id)) is not None:
            task.cancel()
            await asyncio.wait({task})

    async def close(self) -> None:
        """End what is under way."""
        for task in (running := list(self._running.values())):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _order(self, org_id: UUID, wanted: Wanted) -> Order:
        if wanted.until <= wanted.since:
            raise Invalid(errors=[FieldError("to", "does not come after `from`; nothing lies between them")])
        judges = await stored.judges(self._rules, org_id, wanted.rule, wanted.version)
        against = None
        if wanted.against is not None:
            against = await stored.judges(self._rules, org_id, wanted.against, field="against")
            judges.others.extend(one for one in against.others if one not in judges.others)
        points: list[dict[str, Any]] = []
        if wanted.sweep is not None:
            points = await asyncio.to_thread(_points, judges.saved.rule, wanted.sweep)
        labels = wanted.labels
        if isinstance(labels, str):
            labels = await self._labels.between(org_id, wanted.since, wanted.until)
        return Order(
            place=self._place,
            org_id=org_id,
            rule=Judge.of(judges.saved),
            others=[Judge.of(one) for one in judges.others],
            since=to_us(wanted.since),
            until=to_us(wanted.until),
            lateness=self._lateness,
            now=self._clock.now_us(),
            memory=self._limits.memory,
            against=Judge.of(against.saved) if against is not None else None,
            points=points,
            labels=labels,
            replay=wanted.replay,
        )

    async def _run(self, org_id: UUID, id: UUID, order: Order, keep: ExitStack) -> None:
        with keep:
            try:
                async with asyncio.timeout(self._limits.seconds):
                    told = await self._work(org_id, id, order)
            except TimeoutError:
                seconds = f"{self._limits.seconds:g} s"
                told = _over_limit(f"takes longer than {seconds}; name a shorter time, or fewer points")
            except Exception:
                log.exception("a backtest failed", backtest=str(id))
                told = Told(problem=problem.document(SignalDeskError(), ""))
            if told is not None:
                await self._write_down(org_id, id, told)

    async def _write_down(self, org_id: UUID, id: UUID, told: Told) -> None:
        try:
            progress = (told.done, told.total) if told.problem is None else None
            await self._store.finish(org_id, id, told.answer, told.firings, told.problem, progress)
        except Unavailable as error:
            log.warning("the result of a backtest is lost", backtest=str(id), reason=error.detail)

    async def _work(self, org_id: UUID, id: UUID, order: Order) -> Told | None:
        """What the process said last; None when the backtest was taken away meanwhile."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "signaldesk.backtest.jobs.child"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST,
        )
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(msgspec.json.encode(order) + b"\n")
            reader = _Reader(process.stdout)
            reading = asyncio.create_task(reader.read())
            try:
                while not (await asyncio.wait({reading}, timeout=_BEAT_S))[0]:
                    if not await self._beat(org_id, id, reader.last):
                        return None
                await reading
                with suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), _ENDING_S)
            finally:
                reading.cancel()
        finally:
            if process.returncode is None:  # killing one that has just ended would take its code from `wait`
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if reader.last.answer is None and reader.last.problem is None:
            log.error("a backtest ended without an answer", backtest=str(id), code=process.returncode)
            many = f"{order.memory >> 20:,} MiB of memory"
            return _over_limit(f"may have needed more than {many}, and was ended; name a shorter time")
        return reader.last

    async def _beat(self, org_id: UUID, id: UUID, told: Told) -> bool:
        """Say that it is alive and how far; whether it is still wanted."""
        try:
            return await self._store.beat(org_id, id, told.done, told.total)
        except Unavailable:
            return True


class _Reader:
    """What a process says, line by line."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._stream = stream
        self.last = Told()

    async def read(self) -> None:
        while line := await self._stream.readline():
            with suppress(msgspec.DecodeError):  # the last line of a process that was ended in its middle
                self.last = msgspec.json.decode(line, type=Told)


def _over_limit(message: str) -> Told:
    fault = Invalid("the backtest asks for too much", errors=[FieldError("from", message)])
    return Told(problem=problem.document(fault, ""))


def _points(rule: Rule, sweep: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """The grid's points, each of which makes a rule. Raises Invalid with every fault."""
    points = grid(dict(sweep))
    if len(points) > MOST_POINTS:
        message = f"these are {len(points):,} points; the most is {MOST_POINTS:,} here"
        raise Invalid(errors=[FieldError("sweep", message)])
    tuned = Tuned(rule.document())
    faults: dict[FieldError, None] = {}
    for point in points:
        try:
            tuned.with_(**point)
        except Invalid as error:
            faults |= dict.fromkeys(FieldError(f"sweep.{one.field}", one.message) for one in error.errors)
    if faults:
        raise Invalid("points of this sweep are no rules", errors=list(faults)[:100])
    return points
