"""A rule builder in the browser, on a million stored events: most of them in files, some in PostgreSQL.

Events are those of the history benchmark, and all of them match. What is timed is what the page waits for:
loading them, once; judging the rule and drawing its chart, then again with another threshold, and with
another window. Meanwhile an event loop goes on beside it, as that of the web server does, and notes its
longest pause. A few events were previewed before: what is loaded once is loaded by then.

The same is done with rules of every kind and aggregate, one after the other and nothing remembered from one
to the next; of these the slowest is told, and below how long each of them took.
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
MOVES = {
    "first": "judged and drawn for the first time",
    "threshold": "again, with another threshold",
    "window": "again, with another window",
}
T = TypeVar("T")


def rule(*, need: int = NEED, within: int = WITHIN) -> Any:
    when = {"kind": "count", "at_least": need, "within": f"{within}s"}
    return document.parse({"name": "a", "event": "*", "by": "user.id", "cooldown": "1m", "when": when})


def others() -> dict[str, dict[str, Any]]:
    """For every other kind and aggregate a rule, the same with another threshold, and with another window."""
    value = {"kind": "aggregate", "field": "amount", "within": "10s", "min_events": 5}
    limits = {
        "sum": ("above", 1200), "avg": ("above", 88), "min": ("above", 70), "max": ("below", 35),
        "stddev": ("above", 46), "distinct": ("above", 25),
        "p50": ("above", 93), "p95": ("below", 35), "p99": ("below", 35),
    }  # fmt: skip
    rare, failed, fine = ({"event": "*", "where": text} for text in ("amount > 99.9", "NOT ok", "ok"))
    whens: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
        name: ({**value, "function": name, word: limit}, {word: limit + 0.5}, {"within": "9s"})
        for name, (word, limit) in limits.items()
    }
    whens |= {
        "each": ({"kind": "each"}, {}, {}),
        "ratio": (
            {"kind": "ratio", "above": 0.7, "within": "10s", "min_events": 5}, {"above": 0.75},
            {"within": "9s"},
        ),
        "change": (
            {"kind": "change", "rise": "500%", "within": "10s", "min_events": 20}, {"rise": "550%"},
            {"within": "9s"},
        ),
        "change of sums": (
            {
                "kind": "change", "function": "sum", "field": "amount", "rise": "900%", "within": "10s",
                "min_events": 15,
            },
            {"rise": "950%"}, {"within": "9s"},
        ),
        "absence": ({"kind": "absence", "within": "10s"}, {}, {"within": "11s"}),
        "absence, expected": (
            {"kind": "absence", "expected": {"cron": "* * * * *", "grace": "12s"}}, {},
            {"expected": {"cron": "* * * * *", "grace": "11s"}},
        ),
        "sequence": (
            {"kind": "sequence", "steps": [failed, fine, rare], "within": "200ms"}, {}, {"within": "300ms"}
        ),
        "sequence, missing": (
            {"kind": "sequence", "steps": [rare], "missing": fine, "within": "4s"}, {}, {"within": "5s"}
        ),
        "new_value": (
            {"kind": "new_value", "field": "country", "within": "1m", "learn": "1m"}, {}, {"within": "70s"}
        ),
        "anomaly": ({"kind": "anomaly", "bin": "10s", "min_history": "1m"}, {"score": 2}, {"bin": "20s"}),
        "composite": (
            {"kind": "composite", "all": ["often", "rare"], "within": "10s"}, {}, {"within": "9s"}
        ),
    }  # fmt: skip
    by = {"each": ["country"], "anomaly": []}
    common = {"event": "*", "cooldown": "1m"}
    found: dict[str, dict[str, Any]] = {}
    for name, (when, *moves) in whens.items():
        body = {"name": name, "by": by.get(name, ["user.id"]), **common, "when": when}
        if when["kind"] in ("sequence", "composite"):
            del body["event"]
        if name == "ratio":
            body["where"] = "NOT ok"
        bodies = [body, *({**body, "when": when | move} for move in moves)]
        found[name] = dict(zip(MOVES, map(document.parse, bodies), strict=True))
    return found


def parts() -> list[Any]:
    """What the composite rule is made of."""
    rare = {"event": "*", "by": "user.id", "where": "amount > 99.9", "when": {"kind": "each"}}
    return [rule().model_copy(update={"name": "often"}), document.parse({"name": "rare", **rare})]


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
        **{name: bench.line(words, "s", moves) for name, words in MOVES.items()},
        "pause": bench.line("longest pause of an event loop meanwhile", "s"),
        **{
            f"any {name}": bench.line(f"any kind and aggregate, {words}", "s", moves)
            for name, words in MOVES.items()
        },
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
    moved = rule(), rule(need=NEED + 1), rule(need=NEED + 1, within=WITHIN - 1)
    for name, changed in zip(MOVES, moved, strict=True):
        tried: Tried
        tried, seconds = await _timed(partial(loaded.judge, changed))
        said = f"{tried.found.matched:,} match, {len(tried.found.firings):,} firings; {tried.found.how}"
        found[name] = seconds, said
    pulse.cancel()
    found["pause"] = max(pauses), ""
    del loaded
    return {**found, **await asyncio.to_thread(_any, history, org_id, until)}


def _any(history: History, org_id: UUID, until: int) -> dict[str, tuple[float, str]]:
    """The same of every kind and aggregate: the slowest, and how long each of them took."""
    rules, its_parts = others(), parts()
    given = [*its_parts, *(one["first"] for one in rules.values())]
    loaded = Room().load(history, org_id, given, from_us(START), from_us(until), others=its_parts)
    took: dict[str, dict[str, float]] = {name: {} for name in MOVES}
    for name, moved in rules.items():
        loaded.events.answers.clear()
        for move, changed in moved.items():
            begun = time.perf_counter()
            loaded.judge(changed)
            took[move][name] = time.perf_counter() - begun
    found = {}
    for move, seconds in took.items():
        slowest = sorted(seconds, key=seconds.__getitem__, reverse=True)
        said = ", ".join(f"{name} {seconds[name]:.2f}" for name in slowest)
        found[f"any {move}"] = max(seconds.values()), said
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
