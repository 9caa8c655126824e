"""A rule builder in the browser, on a million stored events: most of them in files, some in PostgreSQL.

Events are those of the history benchmark, and all of them match. What is timed is what the page waits for:
loading them, once; judging the rule and drawing its chart, then again with another threshold, and with
another window. Meanwhile an event loop goes on beside it, as that of the web server does, and notes its
longest pause. A few events were previewed before: what is loaded once is loaded by then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from signaldesk.backtest.bench import Tried
from signaldesk.backtest.room import Room
from signaldesk.clock import SystemClock, from_us
from signaldesk.history.archive import Archiver
from signaldesk.history.history import History
from signaldesk.history.shelf import Folder
from signaldesk.rules import document
from signaldesk.store import migrate
from signaldesk.store.arrow_events import ArrowEvents
from signaldesk.store.history_book import HistoryBook
from tests.bench.harness import Bench
from tests.bench.history import EVENTS, START, STEP, store
from tests.bench.report import OURS, Promise

TITLE = "Previews in the browser"
CHUNK = 125_000
ARCHIVED = 7
"""So many of eight chunks are in files."""
NEED, WITHIN = 27, 10
T = TypeVar("T")


def rule(*, need: int = NEED, within: int = WITHIN) -> Any:
    when = {"kind": "count", "at_least": need, "within": f"{within}s"}
    return document.parse({"name": "a", "event": "*", "by": "user.id", "cooldown": "1m", "when": when})


def run(bench: Bench) -> None:
    """Everything is measured in every round."""
    url = bench.postgres.create("preview")
    migrate.upgrade(url)
    org_id = store(url, EVENTS)
    book, events = HistoryBook(url, clock=SystemClock()), ArrowEvents(url)
    shelf = Folder(bench.folder / "previewed")
    chunks = iter(range(ARCHIVED - 1))
    archiver = Archiver(book=book, events=events, shelf=shelf, clock=SystemClock(), chunk=CHUNK)
    archiver.run(closed_only=False, stop=lambda: next(chunks, None) is None)
    history = History(book=book, events=events, shelf=shelf)
    moves = Promise("ours", at_most=0.3)
    lines = {
        "load": bench.line("a million events loaded", "s"),
        "first": bench.line("judged and drawn for the first time", "s"),
        "threshold": bench.line("again, with another threshold", "s", moves),
        "window": bench.line("again, with another window", "s", moves),
        "pause": bench.line("longest pause of an event loop meanwhile", "s"),
    }
    asyncio.run(_previewed(history, org_id, until=START + 1_000 * STEP))
    for _ in range(bench.options.rounds):
        found = asyncio.run(_previewed(history, org_id, until=START + EVENTS * STEP + 1))
        for name, (value, remark) in found.items():
            lines[name].add(OURS, value, remark)


async def _previewed(history: History, org_id: UUID, *, until: int) -> dict[str, tuple[float, str]]:
    """Seconds, and what else there is to say."""
    room, found = Room(), dict[str, tuple[float, str]]()
    load = partial(room.load, history, org_id, [rule()], from_us(START), from_us(until))
    pauses: list[float] = []
    pulse = asyncio.create_task(_beat(pauses))
    loaded, seconds = await _timed(load)
    found["load"] = seconds, f"{len(loaded.events):,} events"
    for name, changed in {
        "first": rule(), "threshold": rule(need=NEED + 1), "window": rule(need=NEED + 1, within=WITHIN - 1)
    }.items():  # fmt: skip
        tried: Tried
        tried, seconds = await _timed(partial(loaded.judge, changed))
        said = f"{tried.found.matched:,} match, {len(tried.found.firings):,} firings; {tried.found.how}"
        found[name] = seconds, said
    pulse.cancel()
    found["pause"] = max(pauses), ""
    return found


async def _timed(work: Callable[[], T]) -> tuple[T, float]:
    begun = time.perf_counter()
    found = await asyncio.to_thread(work)
    return found, time.perf_counter() - begun


async def _beat(pauses: list[float]) -> None:
    """How much later than asked for the loop went on, each time."""
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(0.005)
        pauses.append(time.perf_counter() - begun - 0.005)
