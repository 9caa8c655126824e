"""Ctrl-C while DuckDB works, which it answers with an error of its own, or not at all.

It sees that a signal came, and then waits for its other threads, which do not know of it: where these are at
a long piece of work, for as long as that takes. So the connections are told.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    import duckdb

_told: WeakValueDictionary[int, duckdb.DuckDBPyConnection] = WeakValueDictionary()
"""Connections that learn of an interrupt, by their identity."""


def telling(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The same connection or cursor, which is told from now on."""
    _told[id(connection)] = connection
    return connection


@contextmanager
def interruptible() -> Iterator[None]:
    """As everywhere in Python: raises KeyboardInterrupt. A handler of somebody else's stays."""
    ours = current_thread() is main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    except RuntimeError as error:
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from None
        raise
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(number: int, frame: Any) -> None:
    import duckdb

    for known in _told.valuerefs():
        if (connection := known()) is not None:
            with suppress(duckdb.Error):  # closed meanwhile
                connection.interrupt()
    signal.default_int_handler(number, frame)
