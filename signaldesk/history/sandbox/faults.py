"""What can be wrong with a query, and DuckDB's errors said in our words."""

from __future__ import annotations

import re

import duckdb

from signaldesk.history.sandbox.limits import Limits, too_much_memory, too_slow
from signaldesk.history.sandbox.wire import FOLDER, Fault

_LINE = re.compile(r"\n\nLINE (?P<line>\d+): (?P<text>[^\n]*)\n(?P<mark>[ ]*)\^")
_CANDIDATES = re.compile(r"\n\s*Candidate (?P<what>bindings|functions):\s*(?P<names>.*)", re.DOTALL)
_KIND = re.compile(r"^[A-Z][A-Za-z ]{2,40} Error: ")
_HANDED = re.compile(rf"{FOLDER}\d+\.parquet")
_NO_MEMORY = ("bad allocation", "bad_alloc", "failed to allocate", "memory allocation failure")


class Refused(Exception):
    """The statement asks for something that is not answered here."""


class Wrong(Exception):
    """The statement cannot be read."""

    def __init__(self, detail: str, line: int = 0, column: int = 0) -> None:
        super().__init__(detail)
        self.line, self.column = line, column


NESTED = "the statement is nested too deeply; take it apart with WITH"


class OverLimit(Exception):
    """The query wanted more than it may have."""


def place_of(sql: str, offset: int) -> tuple[int, int]:
    """(line, column), from 1, of a byte of the statement."""
    before = sql.encode()[:offset].decode(errors="ignore")
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def fault_of(error: BaseException, limits: Limits, sql: str = "") -> Fault:
    """Any error of a query as what its sender is told; `sql` is what DuckDB was given."""
    if isinstance(error, Refused):
        return Fault("refused", str(error))
    if isinstance(error, Wrong):
        return Fault("wrong", str(error), error.line, error.column)
    if isinstance(error, OverLimit):
        return Fault("limit", str(error))
    if isinstance(error, MemoryError | duckdb.OutOfMemoryException) or _wants_memory(str(error)):
        return Fault("limit", too_much_memory(limits))
    if isinstance(error, RecursionError):
        return Fault("limit", NESTED)
    if isinstance(error, duckdb.InterruptException):
        return Fault("limit", too_slow(limits))
    if isinstance(error, duckdb.Error):
        return _duckdb_fault(str(error), limits, sql)
    return Fault(
        "wrong", f"the query failed ({type(error).__name__}); simplify it, or ask for another format"
    )


def named_files(error: BaseException) -> list[str]:
    """Files of history that an error speaks of. Whoever wrote the statement may have put the name there."""
    return list(dict.fromkeys(_HANDED.findall(str(error)))) if isinstance(error, duckdb.Error) else []


def _wants_memory(text: str) -> bool:
    """Arrow says it as an OSError."""
    return any(words in text.lower() for words in _NO_MEMORY)


def _duckdb_fault(text: str, limits: Limits, sql: str) -> Fault:
    if "expression depth" in text:
        return Fault("limit", NESTED)
    text = text.partition("\n\nStack Trace:")[0]
    line, column = 0, 0
    if found := _LINE.search(text):
        line, column = _marked(found, sql)
        text = text[: found.start()]
    text = _KIND.sub("", text)
    hint = ""
    if candidates := _CANDIDATES.search(text):
        text = text[: candidates.start()]
        hint = _hint(candidates["names"]) if candidates["what"] == "bindings" else ""
    detail = _HANDED.sub("a file of history", " ".join(text.split()))[:500].rstrip(".!")
    return Fault("wrong", f"{detail}{hint}", line, column)


def _marked(found: re.Match[str], sql: str) -> tuple[int, int]:
    """(line, column) of DuckDB's mark; 0 where that cannot be told."""
    line, text = int(found["line"]), found["text"]
    mark = len(found["mark"]) - len(f"LINE {line}: ")
    # A long line is shown in part only, and of a fault met on the way the line is counted from the statement
    # that DuckDB has put around ours: look for what is shown.
    part = text.removeprefix("...").removesuffix("...")
    lines = sql.split("\n")
    here = next((n for n in range(min(line, len(lines)), 0, -1) if part in lines[n - 1]), None)
    if here is None:
        return 0, 0
    start = lines[here - 1].find(part) - 3 if text.startswith("...") else 0
    return here, max(1, start + mark + 1)


def _hint(names: str) -> str:
    """`; did you mean "a" or "b"?`, from DuckDB's own candidates."""
    quoted = list(dict.fromkeys(re.findall(r'"([^"]+)"', names)))[:4]
    return f"; did you mean {' or '.join(quoted)}?" if quoted else ""
