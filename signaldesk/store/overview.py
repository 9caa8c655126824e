"""One organisation's figures for the Overview page; `apps/data.py` says what each means."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from signaldesk import statements
from signaldesk.clock import MICROS, from_us, to_us
from signaldesk.model.overview import (
    AlertLine,
    Attention,
    Bar,
    Delivery,
    EventLine,
    NoisyRule,
    Quota,
    Span,
)
from signaldesk.store import people
from signaldesk.store.database import Database

_DAY = timedelta(days=1)
_AHEAD = timedelta(minutes=10)
"""The newest events may be a little ahead of our clock."""


class OverviewQueries:
    """Every question is one transaction of its own, so that several may be asked at once."""

    def __init__(self, *, database: Database, org_id: UUID) -> None:
        self._database = database
        self._org_id = org_id
        self._sql = statements.named("postgres/overview.sql")

    async def traffic(self, span: Span, now_us: int) -> tuple[Bar, ...]:
        return await self._bars(span, span.start_us(now_us), span.bars)

    async def recent_traffic(self, span: Span, now_us: int) -> tuple[Bar, ...]:
        """The last two bars only: what still grows."""
        return await self._bars(span, span.start_us(now_us) + (span.bars - 2) * span.bar_us, 2)

    async def pulse(self, now_us: int, minutes: int) -> tuple[int, ...]:
        minute = Span("minutes", "", 60, minutes + 1)
        return tuple(bar.events for bar in await self.traffic(minute, now_us))

    async def attention(self, limit: int) -> Attention:
        counts = await self._ask("attention")
        rows = await self._ask("most_urgent", limit=limit)
        handlers = await people.names(self._database, (row.acknowledged_by for row in rows))
        return Attention(
            by_severity={row.severity: row.alerts for row in counts},
            unacknowledged=sum(row.unacknowledged for row in counts),
            oldest_us=min((to_us(row.oldest) for row in counts), default=None),
            lines=tuple(_alert(row, handlers.get(row.acknowledged_by, "")) for row in rows),
            warnings=tuple(row.detail for row in await self._ask("warnings", limit=limit)),
        )

    async def noisy_rules(self, now_us: int, days: int, slices: int, limit: int) -> tuple[NoisyRule, ...]:
        now = from_us(now_us)
        since = now - days * _DAY
        rows = await self._ask(
            "noisy_rules",
            since=since,
            from_s=since.timestamp(),
            to_s=now.timestamp(),
            slices=slices,
            limit=limit,
        )
        return tuple(
            NoisyRule(
                id=row.rule_id,
                name=row.name,
                firings=row.firings,
                slices=tuple(row.slices.get(str(i), 0) for i in range(1, slices + 1)),
            )
            for row in rows
        )

    async def delivery(self, now_us: int) -> Delivery:
        now = from_us(now_us)
        (today,) = await self._ask("delivery", after=now - _DAY, until=now + _DAY)
        (before,) = await self._ask("delivery", after=now - 2 * _DAY, until=now - _DAY)
        return Delivery(
            sent=today.sent,
            waiting=today.waiting,
            retrying=today.retrying,
            failed=today.failed,
            p99_ms=today.p99_ms,
            p99_before_ms=before.p99_ms,
        )

    async def latest(self, limit: int, now_us: int) -> tuple[EventLine, ...]:
        rows = await self._ask("latest", limit=limit, until=from_us(now_us) + _AHEAD)
        return tuple(
            EventLine(
                id=str(row.id),
                type=row.type,
                timestamp_us=to_us(row.timestamp),
                received_us=to_us(row.received_at),
                source=row.source,
                payload=row.payload,
            )
            for row in rows
        )

    async def quota(self, now_us: int) -> Quota:
        month = from_us(now_us).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        (row,) = await self._ask("quota", since=month)
        return Quota(used=row.used, limit=row.most)

    async def _bars(self, span: Span, start_us: int, bars: int) -> tuple[Bar, ...]:
        rows = await self._ask("bars", bar_s=span.bar_s, since=from_us(start_us))
        found = {row.start * MICROS: row for row in rows}
        starts = [start_us + i * span.bar_us for i in range(bars)]
        return tuple(
            Bar(start, found[start].events, found[start].matched) if start in found else Bar(start, 0, 0)
            for start in starts
        )

    async def _ask(self, name: str, **values: Any) -> list[Any]:
        async with self._database.tenant(self._org_id) as connection:
            rows = await connection.execute(text(self._sql[name]), {"org_id": self._org_id, **values})
            return list(rows)


def _alert(row: Any, handled_by: str) -> AlertLine:
    return AlertLine(
        id=row.id,
        title=row.title,
        severity=row.severity,
        state=row.state,
        group=row.group,
        value=row.value,
        at_least=row.at_least,
        margin=row.margin,
        threshold=row.threshold,
        window_us=row.window,
        last_fired_us=to_us(row.last_fired_at),
        opened_us=to_us(row.opened_at),
        handled_by=handled_by,
    )
