"""How much work something is, whatever else the machine and this process do meanwhile."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from time import thread_time


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """The block takes no more than so many seconds of a core in this thread.

    Looking for garbage does not count: that is for all the objects that other tests and libraries made.
    """
    gc.disable()
    try:
        started = thread_time()
        yield
        taken = thread_time() - started
    finally:
        gc.enable()
    assert taken < seconds, f"it took {taken:.3f} s of a core, and not less than {seconds:g} s"
