"""A file of events, one JSON object a line, and how far it has been read."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from signaldesk.errors import Malformed, NotFound


class EventFile(NamedTuple):
    """Lines as bytes; `size` is that of the file on disk, 0 when it is not known."""

    lines: Iterator[bytes]
    size: int
    position: Callable[[], int]


@contextmanager
def opened(file: str) -> Iterator[EventFile]:
    """The file of that name, unzipped when it ends with .gz; `-` is standard input.

    Raises NotFound when it cannot be read, Malformed (while its lines are read) when it is no gzip.
    """
    if file == "-":
        yield EventFile(iter(sys.stdin.buffer), 0, lambda: 0)
        return
    try:
        raw = Path(file).open("rb")  # noqa: SIM115  only opening it may fail this way
    except OSError as error:
        message = f"cannot read {file}: {error.strerror}; name a file of events, or - for standard input"
        raise NotFound(message) from None
    with raw:
        lines = _unzipped(file, raw) if file.endswith(".gz") else iter(raw)
        yield EventFile(lines, Path(file).stat().st_size, raw.tell)


@contextmanager
def progress(size: int) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal; takes (events sent, bytes read)."""
    if not sys.stderr.isatty():
        yield lambda events, read: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), TextColumn("{task.fields[events]:,} events"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=size or None, events=0)
        yield lambda events, read: bar.update(task, completed=read, events=events)


def _unzipped(file: str, raw: IO[bytes]) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=raw) as unzipped:
            yield from unzipped
    except (OSError, EOFError) as error:
        raise Malformed(f"{file} is not gzip, or is cut off: {error}") from None
