"""The scheduler role: housekeeping by the clock, in UTC. Any number may run; every job may run twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from signaldesk.desk import Desk
from signaldesk.errors import Unavailable
from signaldesk.log import get_logger
from signaldesk.roles.assignment import Assignment
from signaldesk.roles.role import Role

log = get_logger(__name__)

SOON = timedelta(seconds=5)
"""After the start, history is looked after for the first time."""

Job = Callable[[], Awaitable[int]]
"""Returns how many rows it changed."""


async def main(desk: Desk, told: Assignment, stop: asyncio.Event) -> None:
    scheduler = AsyncIOScheduler(timezone="UTC", job_defaults={"coalesce": True, "misfire_grace_time": None})
    under_way = asyncio.Lock()
    house = desk.housekeeping
    jobs: dict[str, tuple[Job, int]] = {
        "usage rolled up": (house.roll_up_usage, 60),
        "snoozed alerts woken": (house.wake_snoozed, 15),
        "sessions swept": (house.sweep_sessions, 600),
        "tokens swept": (house.sweep_tokens, 3600),
        "backtests swept": (house.sweep_backtests, 3600),
    }
    history_under_way = asyncio.Lock()
    for name, (job, seconds) in jobs.items():
        scheduler.add_job(
            _run, "interval", (name, job, under_way, stop), seconds=seconds, id=name, jitter=seconds // 10
        )
    for name, (job, _) in jobs.items():
        await _run(name, job, under_way, stop)
    for name, (job, seconds) in _history(desk, stop).items():
        scheduler.add_job(
            _run,
            "interval",
            (name, job, history_under_way, stop),
            seconds=seconds,
            id=name,
            next_run_time=datetime.now(UTC) + (timedelta(seconds=seconds) if seconds >= 86_400 else SOON),
        )
    scheduler.start()
    try:
        await stop.wait()
    finally:
        scheduler.pause()  # to shut down is to break off what runs
        async with under_way, history_under_way:  # the job at hand finishes
            pass
        scheduler.shutdown(wait=False)


def _history(desk: Desk, stop: asyncio.Event) -> dict[str, tuple[Job, int]]:
    """What is done for history, in a thread: it reads and writes files, and may take minutes.

    Arrow is loaded by the first of them, when everything else has started.
    """
    jobs: dict[str, tuple[Callable[[], int], int]] = {
        "events archived": (lambda: desk.archiver.run(stop=stop.is_set).events, 300),
        "history mended": (lambda: desk.history_keeper.mend(), 600),
        "history put together": (lambda: desk.history_keeper.compact(stop=stop.is_set), 3600),
        "history expired": (lambda: desk.history_keeper.expire(), 3600),
        "history cleared": (lambda: desk.history_keeper.clear(), 600),
        "history checked": (lambda: desk.history_keeper.check(stop=stop.is_set), 86_400),
        "archived days released": (lambda: desk.history_keeper.release(), 3600),
    }
    return {name: (partial(asyncio.to_thread, job), seconds) for name, (job, seconds) in jobs.items()}


async def _run(name: str, job: Job, under_way: asyncio.Lock, stop: asyncio.Event) -> None:
    """One job at a time, and none after a stop; when Postgres is away the next round catches up."""
    async with under_way:
        if stop.is_set():
            return
        try:
            changed = await job()
        except Unavailable as error:
            log.warning(f"not {name}", reason=error.detail)
        except Exception:
            log.exception(f"not {name}")
        else:
            log.debug(name, rows=changed)


ROLE = Role("scheduler", main)
