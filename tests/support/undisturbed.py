"""Let a test that measures time run while no other worker runs one.

Each test holds the floor together with the others; one marked `undisturbed` has it to itself. Whoever waits
for the floor holds the door, so that nobody who comes later gets in before.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


class Floor:
    """Where the workers of a run meet; `folder` is one that all of them can write to."""

    def __init__(self, folder: Path) -> None:
        self._door = folder / "door.lock"
        self._floor = folder / "floor.lock"

    @contextmanager
    def taken(self, alone: bool) -> Iterator[None]:
        """Held by one test, beside those of other workers or alone."""
        with ExitStack() as floor:
            with _locked(self._door, fcntl.LOCK_EX):
                floor.enter_context(_locked(self._floor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
            yield


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
