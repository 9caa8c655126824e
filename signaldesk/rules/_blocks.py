"""Work on many rows: in blocks, which stay in the cache of a core, by all cores where it is worth it."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS = 1 << 15
_FEW = 8
"""So many blocks are soon done by one core."""

Block = slice
"""Rows from `start` to before `stop`."""
Some = slice | NDArray[np.int64]
"""A block, or some rows of it."""


def by_blocks(count: int, kind: Any, work: Callable[[Block], Any]) -> NDArray[Any]:
    """What `work` answers for each of so many rows, asked block by block; an array of that `kind`.

    Blocks come in no order, and several at once: NumPy lets others run while it works.
    """
    found: NDArray[Any] = np.empty(count, kind)

    def fill(rows: Block) -> None:
        found[rows] = work(rows)

    blocks = [slice(start, min(start + _ROWS, count)) for start in range(0, count, _ROWS)]
    if len(blocks) <= _FEW:
        for rows in blocks:
            fill(rows)
    else:
        with ThreadPoolExecutor(os.cpu_count() or 1) as cores:
            for _ in cores.map(fill, blocks):
                pass
    return found
