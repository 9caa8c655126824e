"""Many objects made at once, without looking through everything that was there before again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()
_within = 0


@contextmanager
def set_aside() -> Iterator[None]:
    """Keep what is in memory now from Python's garbage collector until this is done.

    A backtest makes many objects that stay; the collector then looks for cycles among all that there are,
    time after time, which took a seventh of a backtest. Several threads may do so at once: what was set aside
    comes back when the last one is done.
    """
    global _within
    with _lock:
        if not _within:
            gc.freeze()
        _within += 1
    try:
        yield
    finally:
        with _lock:
            _within -= 1
            if not _within:
                gc.unfreeze()
