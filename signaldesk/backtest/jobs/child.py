"""The process of one backtest. Its first line of input is the order; when its input ends, so does it.

It is not a sandbox: what it runs is ours. A process of its own is what can be ended at any moment, may use
so much memory and no more, and holds nobody else up.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.abc import MetaPathFinder
from typing import Any, NoReturn

import duckdb
import msgspec

from signaldesk.backtest import stored
from signaldesk.backtest.comparison import compared
from signaldesk.backtest.jobs.order import MOST_FIRINGS, MOST_ROWS, Order, Told
from signaldesk.backtest.result import Backtest
from signaldesk.backtest.rule import backtest, swept
from signaldesk.clock import SystemClock, from_us, iso
from signaldesk.errors import FieldError, Invalid, SignalDeskError
from signaldesk.history import duck
from signaldesk.history.history import History
from signaldesk.history.shelf import shelf
from signaldesk.model import problem
from signaldesk.store.arrow_events import ArrowEvents
from signaldesk.store.history_book import HistoryBook

EVERY_S = 0.2
"""Progress is told so often."""
_SPARE = 512 << 20
"""Bytes beyond what a backtest may use, for Python and its libraries."""

Tell = Callable[[Told], None]


class WithoutPandas(MetaPathFinder):
    """There is no pandas here. PyArrow would import it for its first array: 0.3 s, and not needed."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("a backtest needs no pandas", name=fullname)


def main() -> NoReturn:
    sys.meta_path.insert(0, WithoutPandas())
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    threading.Thread(target=_end_with_whoever_asked, daemon=True).start()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (order.memory + _SPARE, order.memory + _SPARE))
    try:
        told = _answered(order, _tell)
    except SignalDeskError as error:
        told = Told(problem=problem.document(error, ""))
    except (MemoryError, duckdb.OutOfMemoryException):
        told = Told(problem=problem.document(too_much_memory(order.memory), ""))
    _tell(told)
    os._exit(0)  # the thread still reads, and nothing is left to be cleared up


def too_much_memory(memory: int) -> Invalid:
    message = f"takes more than {memory >> 20:,} MiB of memory; name a shorter time"
    return Invalid("the backtest asks for too much", errors=[FieldError("from", message)])


def _answered(order: Order, tell: Tell) -> Told:
    place = order.place
    history = History(
        book=HistoryBook(place.database_url, clock=SystemClock()),
        events=ArrowEvents(place.database_url),
        shelf=shelf(place.history_url, place.folder),
        kept_days=place.kept_days,
    )
    connection = duck.connect(threads=min(2, os.cpu_count() or 1), memory=f"{order.memory // 2}B")
    connection.execute("SET temp_directory = ''")  # a backtest fills no disk
    saved, others = order.rule.saved(), [one.saved() for one in order.others]
    against = order.against.saved() if order.against is not None else None
    loaded = stored.load(
        history,
        order.org_id,
        [one.rule for one in (saved, against, *others) if one is not None],
        from_us(order.since),
        from_us(order.until),
        now=from_us(order.now),
        replay=order.replay,
        connection=connection,
    )
    events, until = loaded.events, order.until - 1
    kept = events.kept_since
    answer: dict[str, Any] = {
        "missing": list(loaded.missing),
        "kept_since": iso(kept) if kept is not None else None,
    }
    if order.points:
        progress = _Progress(tell, len(order.points))
        sweep = swept(
            saved,
            events,
            order.points,
            others=others,
            labels=order.labels,
            since=order.since,
            until=until,
            lateness=order.lateness,
            step=progress.add,
        )
        return Told(progress.total, progress.total, answer=answer | sweep.as_json())
    if against is not None:
        compare = compared(
            saved,
            against,
            events,
            others=others,
            since=order.since,
            until=until,
            lateness=order.lateness,
        )
        cut = _cut(compare.as_json(), "missed", "extra")
        return Told(len(events), len(events), answer=answer | {"comparison": cut})
    progress = _Progress(tell, len(events))
    found = backtest(
        saved,
        events,
        others=others,
        since=order.since,
        until=until,
        lateness=order.lateness,
        step=progress.add,
    )
    return _result(found, answer)


def _result(found: Backtest, answer: dict[str, Any]) -> Told:
    whole = _cut(found.as_json(), "alerts", "suppressed")
    firings = whole.pop("firings")[:MOST_FIRINGS]
    return Told(found.events, found.events, answer=answer | whole, firings=firings)


def _cut(whole: dict[str, Any], *names: str) -> dict[str, Any]:
    """The same with no more than so many rows in these lists."""
    return {**whole, **{name: whole[name][:MOST_ROWS] for name in names}}


class _Progress:
    """Adds up what was done, and tells of it now and then."""

    def __init__(self, tell: Tell, total: int) -> None:
        self._tell = tell
        self._done, self.total = 0, total
        self._at = 0.0
        self._lock = threading.Lock()
        self.add(0)

    def add(self, more: int) -> None:
        with self._lock:
            self._done += more
            now = time.monotonic()
            if now - self._at >= EVERY_S:
                self._at = now
                self._tell(Told(min(self._done, self.total), self.total))


def _tell(told: Told) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


def _end_with_whoever_asked() -> None:
    with suppress(OSError):
        while os.read(sys.stdin.fileno(), 1):
            pass
    os._exit(1)


if __name__ == "__main__":
    main()
