"""Work on many rows: in blocks, which stay in the cache of a core, by all cores where it is worth it; and
putting them in order."""

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


def stable_order(keys: NDArray[Any]) -> NDArray[np.int64]:
    """The rows by their key, a whole number from 0 on, those of the same key as they are.

    A key and its row make one number, where they fit: numbers alone are put in order many times faster than
    what they lead to.
    """
    bits = len(keys).bit_length()
    if int(keys.max(initial=0)).bit_length() + bits > 63:
        return np.argsort(keys, kind="stable")
    rows = keys.astype(np.int64)
    rows <<= bits
    rows |= np.arange(len(keys))
    rows.sort()
    rows &= (1 << bits) - 1
    return rows
