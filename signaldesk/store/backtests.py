"""Backtests that the server runs, and what came of them, until they are a week old."""

from __future__ import annotations

import gzip
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import delete, func, insert, select, text, update

from signaldesk.errors import NotFound
from signaldesk.store.database import Database
from signaldesk.store.tables import backtests


class BacktestRecord(NamedTuple):
    """A backtest as stored; `lost` is one whose process has said nothing for long."""

    id: UUID
    rule: str
    since: datetime
    until: datetime
    state: str
    done: int
    total: int
    answer: dict[str, Any] | None
    problem: dict[str, Any] | None
    created_by: UUID | None
    created_at: datetime
    lost: bool


_SILENT = text("interval '30 seconds'")
_LOST = (backtests.c.state == "running") & (backtests.c.changed_at < func.now() - _SILENT)
_COLUMNS = [*(backtests.c[name] for name in BacktestRecord._fields[:-1]), _LOST]


class BacktestStore:
    """Every method takes the organisation first and works as that tenant; foreign ids raise NotFound."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def add(
        self, org_id: UUID, id: UUID, rule: str, since: datetime, until: datetime, by: UUID | None
    ) -> BacktestRecord:
        """Write down that it runs."""
        values = {"id": id, "org_id": org_id, "rule": rule, "since": since, "until": until, "created_by": by}
        query = insert(backtests).values(state="running", **values).returning(*_COLUMNS)
        async with self._database.tenant(org_id) as connection:
            return BacktestRecord(*(await connection.execute(query)).one())

    async def get(self, org_id: UUID, id: UUID) -> BacktestRecord:
        query = select(*_COLUMNS).where(backtests.c.org_id == org_id, backtests.c.id == id)
        async with self._database.tenant(org_id) as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound
        return BacktestRecord(*row)

    async def firings(self, org_id: UUID, id: UUID) -> list[Any]:
        """All that were kept of its firings, in their order."""
        query = select(backtests.c.firings).where(backtests.c.org_id == org_id, backtests.c.id == id)
        async with self._database.tenant(org_id) as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise NotFound
        return [] if row[0] is None else orjson.loads(gzip.decompress(row[0]))

    async def beat(self, org_id: UUID, id: UUID, done: int, total: int) -> bool:
        """Its process lives and is so far; whether anybody still wants it."""
        return await self._change(org_id, id, done=done, total=total)

    async def finish(
        self,
        org_id: UUID,
        id: UUID,
        answer: dict[str, Any] | None,
        firings: list[Any],
        problem: dict[str, Any] | None,
        progress: tuple[int, int] | None,
    ) -> bool:
        """What came of it; whether anybody still wants it. `progress` is how far it came, if it did."""
        packed = gzip.compress(orjson.dumps(firings), 1)
        state = "done" if problem is None else "failed"
        ended = {"done": progress[0], "total": progress[1]} if progress is not None else {}
        return await self._change(
            org_id, id, state=state, answer=answer, firings=packed, problem=problem, **ended
        )

    async def remove(self, org_id: UUID, id: UUID) -> None:
        query = delete(backtests).where(backtests.c.org_id == org_id, backtests.c.id == id)
        async with self._database.tenant(org_id) as connection:
            if (await connection.execute(query)).rowcount == 0:
                raise NotFound

    async def _change(self, org_id: UUID, id: UUID, **values: Any) -> bool:
        query = update(backtests).values(changed_at=func.now(), **values)
        query = query.where(
            backtests.c.org_id == org_id, backtests.c.id == id, backtests.c.state == "running"
        )
        async with self._database.tenant(org_id) as connection:
            return bool((await connection.execute(query)).rowcount)
