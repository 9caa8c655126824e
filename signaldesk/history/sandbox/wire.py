"""What the server and a query's process say to each other over their socket.

A frame is a letter, the length of what follows as four bytes, and that many bytes:

    parent → child   P  nothing, with the descriptors of files beside it; as often as there are files to hand
                     J  a Job as JSON
    child → parent   H  {"pid"}, once, before the job is sent
                     C  the columns of the result, once
                     D  a piece of the result, ready to be sent on
                     E  {"rows"}: the end, all is well
                     F  a Fault: the end, and why
"""

from __future__ import annotations

import struct
from typing import Literal

import msgspec

from signaldesk.history.sandbox.limits import Limits

Format = Literal["json", "csv", "arrow", "parquet"]

HEAD = struct.Struct(">cI")
LARGEST = 4 << 20
"""Bytes of one frame."""
PROTOCOL = "handed"
FOLDER = f"{PROTOCOL}://"
"""Where DuckDB finds files that were handed; see `handed`."""
FILES_AT_ONCE = 200
"""Descriptors beside one frame; kernels take 253."""


class Job(msgspec.Struct, frozen=True):
    """One query. `setup` are statements of ours over the files that were handed, see `handed`."""

    sql: str
    format: Format
    setup: list[str]
    tables: dict[str, list[str]]
    """Names of what may be asked, and their columns."""
    limits: Limits
    arrow: dict[str, int] = {}
    """Tables that are made first, out of files that are Arrow IPC streams: name → number."""
    wide: str = ""
    """Makes `events` anew, with columns `payload.PATH` beside its own for `fields`."""
    fields: dict[str, str] = {}
    """Dotted path → type."""
    known: list[str] = []
    """Dotted paths of all fields that have a usual kind, to be named where somebody misspells one."""


class Hello(msgspec.Struct, frozen=True):
    pid: int


class Column(msgspec.Struct, frozen=True):
    """A column of the result; `type` is DuckDB's name for it."""

    name: str
    type: str


class End(msgspec.Struct, frozen=True):
    rows: int


class Fault(msgspec.Struct, frozen=True):
    """`line` and `column` count from 1; 0 is unknown. `unread`: a file that was handed could not be read."""

    kind: Literal["refused", "wrong", "limit", "broken", "unread"]
    detail: str
    line: int = 0
    column: int = 0


def path(number: int, kind: str) -> str:
    """The name of a file that was handed, for DuckDB."""
    return f"{FOLDER}{number}.{kind}"


def frame(letter: bytes, body: bytes) -> bytes:
    return HEAD.pack(letter, len(body)) + body
