"""History is looked after by the scheduler role, without anybody asking."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from signaldesk.desk import opened
from signaldesk.roles import scheduler
from signaldesk.roles.assignment import Assignment
from signaldesk.settings import Settings, Urls
from tests.support.history import HistoryLab, ids_of, some_events
from tests.support.waiting import eventually


async def test_closed_hours_are_archived_by_the_scheduler(
    database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "SOON", timedelta(0))
    lab = HistoryLab(database_url, tmp_path / "history")
    org = await asyncio.to_thread(lab.org)
    events = some_events(20)
    await asyncio.to_thread(lab.store, org, events)
    settings, urls = Settings(data_dir=tmp_path), Urls(database_url, redis_url)
    async with opened(settings, urls, role="scheduler") as desk:
        stop = asyncio.Event()
        role = asyncio.create_task(scheduler.main(desk, Assignment(settings, urls), stop))
        await eventually(lambda: asyncio.to_thread(lab.paths), timeout=30)
        stop.set()
        await role
    assert await asyncio.to_thread(lab.ids, org) == ids_of(events)


async def test_asked_to_stop_it_finishes_the_job_at_hand_and_begins_no_other(
    database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "SOON", timedelta(0))
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), list[str]()

    async def first() -> int:
        begun.set()
        await may_end.wait()
        ended.append("first")
        return 0

    async def second() -> int:
        ended.append("second")
        return 0

    monkeypatch.setattr(scheduler, "_history", lambda *_: {"first": (first, 600), "second": (second, 600)})
    settings, urls = Settings(data_dir=tmp_path), Urls(database_url, redis_url)
    async with opened(settings, urls, role="scheduler") as desk:
        stop = asyncio.Event()
        role = asyncio.create_task(scheduler.main(desk, Assignment(settings, urls), stop))
        await begun.wait()
        stop.set()
        await asyncio.sleep(0)
        may_end.set()
        await role
    assert ended == ["first"]
