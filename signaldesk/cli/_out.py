"""What commands print: tables for people, JSON for programs. Tenants' text never reaches the terminal raw."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from signaldesk.errors import SignalDeskError
from signaldesk.model.damage import words

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Unusable(SignalDeskError):
    """What the command was given cannot be used: exit code 2, where 1 is an answer."""


def plain(text: object) -> str:
    """The text without control characters: what a tenant wrote must not steer the operator's terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text))


def say(text: object = "") -> None:
    """A line for people, on standard output."""
    sys.stdout.write(f"{plain(text)}\n")


def note(text: object) -> None:
    """A line beside the data, on standard error."""
    sys.stderr.write(f"{plain(text)}\n")


def damage(missing: Sequence[str]) -> None:
    """Beside the data: damaged files of history, whose events are not among it."""
    if missing:
        note(words(missing))


def data(value: Any) -> None:
    """The value as JSON, indented on a terminal; ids and times become text."""
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps(value, default=_plain, ensure_ascii=False, indent=indent) + "\n")


def _plain(value: Any) -> str:
    """Times as RFC 3339, ids and the rest as text."""
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Rows under headings; on a pipe one line each, with tabs. `empty` is said when there are none."""
    listed = [["" if cell is None else plain(cell) for cell in row] for row in rows]
    if not listed:
        note(empty)
    elif not sys.stdout.isatty():
        for row in listed:
            sys.stdout.write("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row) + "\n")
    else:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        shown = Table(*columns, box=None, header_style="bold", pad_edge=False)
        for row in listed:
            shown.add_row(*map(Text, row))
        Console().print(shown)
