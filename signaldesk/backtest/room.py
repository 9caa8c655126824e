"""How much the previews of a process hold in memory, all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Lock
from typing import Any
from uuid import UUID
from weakref import finalize

from signaldesk.backtest.bench import Bench
from signaldesk.backtest.events import Events
from signaldesk.clock import to_us
from signaldesk.errors import TooMany
from signaldesk.history.history import History
from signaldesk.model.rule import Rule

MOST = 1_000_000
"""Events of one preview."""
_TOGETHER = 3 * MOST
_FEWEST = 50_000


class Room:
    """What the previews of a process share: how many events they hold, and the threads that load these."""

    def __init__(self, events: int = _TOGETHER) -> None:
        self._left = events
        self._lock = Lock()
        self.threads = ThreadPoolExecutor(2, thread_name_prefix="preview")

    @property
    def left(self) -> int:
        return self._left

    def load(
        self,
        history: History,
        org_id: UUID,
        rules: Sequence[Rule],
        since: datetime,
        until: datetime,
        **more: Any,
    ) -> Bench:
        """A bench of these events, which gives its room back when it is forgotten; `more` is for the bench.

        Waits for the disk. Raises as `recent.load` does, and TooMany when others hold all the room.
        """
        from signaldesk.backtest.recent import load  # DuckDB and Arrow: only for those who need them

        most = self._take(MOST)
        kept = 0
        try:
            found = load(history, org_id, rules, since, until, most)
            kept = len(found.events)
            bench = Bench(
                found.events, since=found.since, until=to_us(until), missing=found.missing,
                left_out=found.left_out, **more,
            )  # fmt: skip
            finalize(bench, self._let_go, found.events, kept).atexit = False
            return bench
        finally:
            self._give(most - kept)

    def _take(self, most: int) -> int:
        with self._lock:
            taken = min(most, self._left)
            if taken < _FEWEST:
                raise TooMany("other previews hold all the memory that there is for them; close one of them")
            self._left -= taken
            return taken

    def _give(self, events: int) -> None:
        with self._lock:
            self._left += events

    def _let_go(self, events: Events, count: int) -> None:
        events.answers.clear()  # these know the events: nobody shall wait for the garbage collector
        self._give(count)
