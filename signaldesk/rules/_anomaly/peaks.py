"""How high the highest of late were: what a new value is held against."""

from __future__ import annotations

from heapq import heappush, heapreplace, nlargest
from itertools import chain

from signaldesk.rules._anomaly.tape import Tape

_READY = 50
_BLOCKS = 10


class Peaks:
    """The `rank` highest of about the last `window` values, in bounded memory.

    The window is cut into blocks; of each the `rank` highest are kept, and the oldest block is dropped as a
    whole, so the window is between 9/10 and all of `window` long.
    """

    __slots__ = ("_blocks", "_count", "_length", "_rank", "_usual")

    def __init__(self, window: int, rank: int) -> None:
        self._length = window // _BLOCKS
        self._rank = rank
        self._count = 0
        self._blocks: list[list[float]] = []
        self._usual: float | None = None
        """What `usual` found, until something changes it."""

    def usual(self) -> float | None:
        """The `rank`-th highest; None before there are enough values to tell."""
        if self._count < _READY:
            return None
        if self._usual is None:
            self._usual = nlargest(self._rank, chain.from_iterable(self._blocks))[-1]
        return self._usual

    def add(self, height: float) -> None:
        if self._count % self._length == 0:
            self._blocks = [*self._blocks[1 - _BLOCKS :], []]
            self._usual = None
        self._count += 1
        block = self._blocks[-1]
        if len(block) < self._rank:
            heappush(block, height)
            self._usual = None
        elif height > block[0]:
            heapreplace(block, height)
            self._usual = None

    def write(self, tape: Tape) -> None:
        tape.write(self._count, len(self._blocks))
        for block in self._blocks:
            tape.write_all(block)

    def read(self, tape: Tape) -> None:
        self._count = tape.read_int()
        self._blocks = [tape.read_all() for _ in range(tape.read_int())]
        self._usual = None
