"""How much one query may use, and what a query is told that wants more."""

from __future__ import annotations

import msgspec


class OutOfProportion(Exception):
    """There is more than a query's process can hold."""


class Limits(msgspec.Struct, frozen=True):
    """Seconds, bytes, rows."""

    seconds: float = 30.0
    memory: int = 1 << 30
    rows: int = 1_000_000
    result: int = 256 << 20
    threads: int = 2
    sql: int = 100_000
    """Characters of the statement."""


def size(count: int) -> str:
    """Bytes as people say them: `1 GiB`, `256 MiB`, `1000 bytes`."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= unit:
            return f"{count / unit:.4g} {name}"
    return f"{count} bytes"


def too_slow(limits: Limits) -> str:
    return (
        f"the query took more than {limits.seconds:g} seconds; narrow it down with WHERE on `timestamp` "
        "or `type`, or join and sort fewer rows"
    )


def too_much_memory(limits: Limits) -> str:
    return (
        f"the query needed more than {size(limits.memory)} of memory; narrow it down with WHERE, group by "
        "fewer values, or sort less"
    )


def too_many_rows(limits: Limits) -> str:
    return f"the result has more than {limits.rows:,} rows; add LIMIT, or sum up with GROUP BY"


def result_too_large(limits: Limits) -> str:
    return f"the result is larger than {size(limits.result)}; select fewer columns, or add LIMIT"
