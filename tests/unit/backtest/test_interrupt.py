"""Ctrl-C while DuckDB works."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Timer

import duckdb
import pytest

from signaldesk.backtest.interrupt import interruptible, telling

_LONG = "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b"


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """A shell starts what runs in the background with Ctrl-C ignored, and Python leaves it so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_who_interrupts_duckdb_is_understood() -> None:
    timer = Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt), interruptible():
        telling(duckdb.connect()).execute(_LONG)
    timer.join()


@pytest.mark.usefixtures("ctrl_c")
def test_who_interrupts_ends_what_other_threads_ask_of_duckdb_as_well() -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(lambda: telling(duckdb.connect()).execute(_LONG))
        while not asked.done():  # the first one may come before it has begun
            with pytest.raises(KeyboardInterrupt), interruptible():
                os.kill(os.getpid(), signal.SIGINT)
            wait([asked], timeout=0.2)
    assert isinstance(asked.exception(), duckdb.InterruptException)
