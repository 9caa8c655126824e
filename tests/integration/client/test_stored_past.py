"""The past as an installation keeps it, seen from Python: its settings count, and its damage is told."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

import signaldesk as sd
from signaldesk.client.damage import DamagedHistory
from signaldesk.client.desk import Desk
from signaldesk.clock import MICROS, from_us, to_us
from signaldesk.history.archive import Archiver
from signaldesk.store import tables as t
from signaldesk.store.arrow_events import ArrowEvents
from tests.integration.client.conftest import T, aside, connected
from tests.support import rows
from tests.support.web import Web, running_web

NOW = rows.now()
RULE = sd.Rule.each("checkout_failed", name="Every failure")
SPAN: dict[str, Any] = {"since": NOW - timedelta(days=3), "until": NOW + timedelta(hours=1)}
QUIET: dict[str, Any] = {**SPAN, "progress": False}


@pytest.fixture
async def web(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Web]:
    """An installation that judges events up to an hour late."""
    async with running_web(database_url, redis_url, data_dir=tmp_path, allowed_lateness=3600) as web:
        yield web


@pytest.fixture(params=["elsewhere", "here"])
async def desk(
    request: pytest.FixtureRequest, web: Web, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[Desk]:
    """Two failures of different days, of which the second came ten minutes late."""
    org = await web.found("Acme")
    for number in range(2):
        moment, behind = NOW - timedelta(days=1 - number), 600 * MICROS * number
        await rows.event(web.desk.database, org.id, timestamp=moment, behind=behind)
    settings = {"DATA_DIR": str(tmp_path), "ALLOWED_LATENESS": "3600"}
    async with connected(request.param, web, org.key, monkeypatch, **settings) as found:
        yield found


async def test_what_is_late_is_what_the_installation_says(desk: Desk) -> None:
    found = await aside(lambda: desk.backtest(RULE, **QUIET))
    assert (found.summary["firings"], found.summary["late"]) == (2, 0)
    swept = await aside(lambda: desk.sweep(RULE, cooldown=["1s", "2s"], **QUIET))
    assert [point.firings for point in swept.points] == [2, 2]
    await aside(lambda: desk.save(RULE))
    strict = RULE.with_(name="Strict", allowed_lateness="1m")
    versus = await aside(lambda: desk.compare(strict, RULE.model.name, **QUIET))
    assert versus.fewer == 1


async def test_when_history_begins_is_told_and_figures_a_week_count_from_there(desk: Desk) -> None:
    begins = to_us((NOW - timedelta(days=1)).replace(minute=0, second=0, microsecond=0))
    long = {**QUIET, "since": NOW - timedelta(days=30)}
    found = await aside(lambda: desk.backtest(RULE, **long))
    grid = await aside(lambda: desk.sweep(RULE, cooldown=["0s"], **long))
    assert found.kept_since == grid.kept_since == begins
    assert grid.points[0].per_week == found.summary["notifications_per_week"]
    assert 12 < found.summary["notifications_per_week"] < 15
    for one in (found, grid):
        assert "history has no events from before" in one._repr_html_()
    await aside(lambda: desk.save(RULE))
    versus = await aside(lambda: desk.compare(RULE.with_(name="Again"), RULE.model.name, **long))
    assert "history has no events from before" in versus.notes[0]
    short = await aside(lambda: desk.backtest(RULE, **{**QUIET, "since": from_us(begins)}))
    assert (short.kept_since, list(short.notes)) == (None, [])


async def test_a_damaged_file_is_told_of_with_every_answer(desk: Desk, web: Web, tmp_path: Path) -> None:
    async with web.desk.database.system() as connection:  # as if the engine had committed them
        newest = select(func.max(t.events.c.position)).scalar_subquery()
        await connection.execute(update(t.partitions).values(position=newest))
    archiver = Archiver(
        book=web.desk.history_book, events=ArrowEvents(web.desk.urls.database), shelf=web.desk.shelf,
        clock=web.desk.clock, chunk=1000,
    )  # fmt: skip
    await aside(lambda: archiver.run(closed_only=False))
    first, _ = sorted((tmp_path / "history").rglob("*.parquet"))
    first.write_bytes(first.read_bytes()[: first.stat().st_size // 2])

    async def told(work: Callable[[], T]) -> T:
        with pytest.warns(
            DamagedHistory, match="events of 1 damaged file of history are not among these"
        ) as said:
            found = await aside(work)
        assert first.name in str(said[0].message)
        return found

    assert len(await told(desk.events("checkout_*", **SPAN).arrow)) == 1
    assert len(await told(desk.sql("SELECT id FROM events").df)) == 1
    assert (await told(lambda: desk.backtest(RULE, **QUIET))).summary["firings"] == 1
    assert (await told(lambda: desk.sweep(RULE, cooldown=["1s"], **QUIET))).points[0].firings == 1
    await aside(lambda: desk.save(RULE))
    assert (await told(lambda: desk.compare(RULE, **QUIET))).fewer == 0
    events = desk.events("checkout_*", **SPAN)
    assert len(await told(lambda: RULE.backtest(events, lateness=3600).firings)) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await aside(desk.sql("SELECT 1").arrow)
        await aside(lambda: desk.backtest(RULE, last="3h", progress=False))
