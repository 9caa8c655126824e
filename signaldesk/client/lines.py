"""Newline-delimited events in bites the server takes: at most so many lines and bytes each."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import NamedTuple

MOST_LINES = 1000
MOST_BYTES = 4 << 20


class Batch(NamedTuple):
    """Lines to be sent together; `numbers` are their places in the file, counted from 1."""

    body: bytes
    numbers: list[int]


def batches(
    lines: Iterable[bytes], *, most_lines: int = MOST_LINES, most_bytes: int = MOST_BYTES
) -> Iterator[Batch]:
    """The lines in their order, without empty ones. A line that is too long by itself goes alone."""
    taken: list[bytes] = []
    numbers: list[int] = []
    size = 0
    for number, line in _numbered(lines):
        if taken and (len(taken) >= most_lines or size + len(line) + 1 > most_bytes):
            yield Batch(b"\n".join(taken), numbers)
            taken, numbers, size = [], [], 0
        taken.append(line)
        numbers.append(number)
        size += len(line) + 1
    if taken:
        yield Batch(b"\n".join(taken), numbers)


def _numbered(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    for number, raw in enumerate(lines, 1):
        whole = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
        # The server ends lines at a lone \r as well; what it counts must be what we count.
        for line in whole.splitlines():
            if stripped := line.strip():
                yield number, stripped
