"""One organisation's silences for their page; `apps/data.py` says what each question means."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

from signaldesk import statements
from signaldesk.clock import from_us, to_us
from signaldesk.errors import NotFound
from signaldesk.model.active import Active
from signaldesk.model.inbox import Place
from signaldesk.model.message import plain
from signaldesk.model.quiet import Quiet, Quiets
from signaldesk.model.silence import FOREVER, Matcher
from signaldesk.store.alerts import AlertStore
from signaldesk.store.database import Database
from signaldesk.store.silences import Matches, SilenceRecord, SilenceStore

NAMES = 100


class QuietQueries:
    """Works as the organisation that it is made for."""

    def __init__(self, *, database: Database, org_id: UUID) -> None:
        self._database = database
        self._org_id = org_id
        self._silences = SilenceStore(database=database)
        self._alerts = AlertStore(database=database)
        self._sql = statements.named("postgres/inbox.sql")

    async def listed(self, state: str, now_us: int, limit: int, before: Place | None = None) -> Quiets:
        place = (from_us(before.at_us), before.id) if before else None
        found = await self._silences.page(
            self._org_id, states=[state], now=from_us(now_us), limit=limit + 1, before=place
        )
        rows, last = found[:limit], found[limit - 1] if len(found) > limit else None
        every = [_matchers(row) for row in rows]
        matches = await self._silences.matching_each(self._org_id, every) if rows else []
        return Quiets(
            tuple(_quiet(row, fits, now_us) for row, fits in zip(rows, matches, strict=True)),
            Place(to_us(last.ends_at), last.id) if last else None,
        )

    async def one(self, silence_id: UUID, now_us: int) -> Quiet | None:
        try:
            row = await self._silences.get(self._org_id, silence_id)
        except NotFound:
            return None
        (fits,) = await self._silences.matching_each(self._org_id, [_matchers(row)])
        return _quiet(row, fits, now_us)

    async def about(self, alert_id: UUID) -> tuple[Matcher, ...]:
        try:
            alert = await self._alerts.get(self._org_id, alert_id)
        except NotFound:
            return ()
        group = (Matcher(name, "=", plain(value)) for name, value in alert.group.items())
        return (Matcher("rule", "=", alert.title), *group)

    async def names(self) -> tuple[str, ...]:
        async with self._database.tenant(self._org_id) as connection:
            values = {"org_id": self._org_id, "limit": NAMES}
            rows = await connection.execute(text(self._sql["names_to_match"]), values)
            return ("rule", "severity", *(row.name for row in rows if row.name not in ("rule", "severity")))


def _matchers(row: SilenceRecord) -> tuple[Matcher, ...]:
    return tuple(Matcher(*one) for one in row.matchers)  # type: ignore[arg-type]


def _quiet(row: SilenceRecord, fits: Matches, now_us: int) -> Quiet:
    starts, ends = to_us(row.starts_at), to_us(row.ends_at)
    return Quiet(
        id=row.id,
        kind=row.kind,
        state="expired" if ends <= now_us else "active" if starts <= now_us else "pending",
        matchers=_matchers(row),
        starts_us=starts,
        ends_us=ends,
        forever=row.ends_at == FOREVER,
        hours=Active.model_validate(row.hours) if row.hours else None,
        comment=row.comment,
        author=row.author,
        alerts=len(fits.alerts),
        rules=len(fits.rules),
    )
