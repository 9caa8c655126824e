"""Groups of many events at once: a small number for each row, and the key that it stands for."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from signaldesk.model import group

T = TypeVar("T")
_MANY = 1 << 18
_MOST = 1 << 31
"""Numbers of groups need not be dense, but they stay below this."""


class Numbered(NamedTuple):
    """For each row a number below `size`, and what a number stands for."""

    numbers: NDArray[Any]
    size: int
    value: Callable[[int], Any]


def numbered(columns: Sequence[tuple[pa.ChunkedArray, bool]]) -> Numbered:
    """Rows by the values of several columns; of each is said whether it is JSON text."""
    found = _column(*columns[0])
    for column, json in columns[1:]:
        found = _pair(found, _column(column, json))
    return found


def _pair(one: Numbered, other: Numbered) -> Numbered:
    size = one.size * other.size
    numbers = one.numbers.astype(np.int64) * other.size + other.numbers
    places: list[int] = []
    if size >= _MOST:
        encoded = pa.array(numbers).dictionary_encode()
        numbers, places = encoded.indices.to_numpy(), encoded.dictionary.to_pylist()
        size = len(places)

    def value(number: int) -> tuple[Any, ...]:
        place = places[number] if places else number
        left = one.value(place // other.size)
        return (*(left if isinstance(left, tuple) else (left,)), other.value(place % other.size))

    return Numbered(numbers, size, value)


def _column(column: pa.ChunkedArray, json: bool) -> Numbered:
    if pa.types.is_integer(column.type) and column.type != pa.uint64():
        column = column.cast(pa.int64())
        least, most = (one.as_py() or 0 for one in pc.min_max(column).values())
        if most - least < max(4 * len(column), 1000):
            return _whole(column, least, most)
    numbers, values = _encoded(column)
    values = [*(map(_parsed, values) if json else values), None]
    numbers, _ = shared(numbers, [group.key(("x",), {"x": value}) for value in values])
    return Numbered(numbers, len(values), values.__getitem__)


def coded(column: pa.ChunkedArray, name: Callable[[Any], bytes]) -> tuple[NDArray[Any], list[bytes]]:
    """For each row, none of which is NULL, a number that stands for its value's name."""
    numbers, values = _encoded(column)
    return shared(numbers, list(map(name, values)))


def _encoded(column: pa.ChunkedArray) -> tuple[NDArray[Any], list[Any]]:
    """For each row the number of its value, and the values; that of NULL is one more than there are."""
    if not len(column):
        return np.empty(0, np.int32), []
    encoded = _by_parts(column).unify_dictionaries()
    values: list[Any] = encoded.chunk(0).dictionary.to_pylist()
    indices = pa.chunked_array([chunk.indices for chunk in encoded.chunks])
    return pc.fill_null(indices, len(values)).to_numpy(), values


def _by_parts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Encoded, each of a few parts with a dictionary of its own: by all cores, where it is work."""
    cores = os.cpu_count() or 1
    if len(column) < _MANY or cores < 2:
        return column.dictionary_encode()
    size = -(-len(column) // cores)
    parts = [column.slice(start, size) for start in range(0, len(column), size)]
    with ThreadPoolExecutor(cores) as pool:  # Arrow lets others run while it works
        encoded = list(pool.map(lambda part: part.dictionary_encode(), parts))
    return pa.chunked_array([chunk for part in encoded for chunk in part.chunks])


def _parsed(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)


def _whole(column: pa.ChunkedArray, least: int, most: int) -> Numbered:
    """Whole numbers that lie near each other need no dictionary."""
    null = most - least + 1
    shifted = pc.fill_null(pc.subtract(column, least), null).to_numpy()
    return Numbered(shifted, null + 1, lambda number: None if number == null else number + least)


def shared(numbers: NDArray[Any], keys: list[T]) -> tuple[NDArray[Any], list[T]]:
    """The numbers, those with the same key made one; and the keys."""
    first: dict[T, int] = {}
    one = np.array([first.setdefault(key, number) for number, key in enumerate(keys)], np.int32)
    return (one[numbers] if len(first) < len(keys) else numbers), keys
