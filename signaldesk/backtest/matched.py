"""The events that a rule is concerned by, as columns: found by DuckDB, sorted by group once."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from threading import RLock
from typing import Any, NamedTuple, TypeVar

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from signaldesk import filters
from signaldesk.backtest import groups
from signaldesk.backtest.events import Events
from signaldesk.backtest.lookup import Lookup, Seen
from signaldesk.backtest.steps import Steps
from signaldesk.filters.duckdb_sql import Columns as Parts
from signaldesk.filters.duckdb_sql import Stored, duckdb_expression
from signaldesk.filters.duckdb_values import Values, quoted
from signaldesk.filters.tree import Kind, Path
from signaldesk.model import glob, group
from signaldesk.model.event import Event
from signaldesk.model.group import Key
from signaldesk.rules._blocks import by_blocks, stable_order
from signaldesk.rules._columns import Columns, Ints
from signaldesk.rules._kind import Wanted
from signaldesk.rules._tallies import digest

_STORED = {
    "VARCHAR": "VARCHAR", "BOOLEAN": "BOOLEAN", "DOUBLE": "DOUBLE", "BIGINT": "BIGINT",
    "INTEGER": "BIGINT", "SMALLINT": "BIGINT", "TINYINT": "BIGINT", "UINTEGER": "BIGINT",
}  # fmt: skip
"""Types of columns that say of an event exactly what its payload says, by what filters call them."""
T = TypeVar("T")
_LARGE = 1_000_000
_KEPT = 2
"""How many of an `Events`' questions are remembered: a sweep asks the same one at every point."""


class Question(NamedTuple):
    """What decides which events these are."""

    types: tuple[str, ...]
    where: str | None
    by: tuple[str, ...]
    wanted: tuple[Wanted, ...]
    lateness: int


class Rung(NamedTuple):
    """What stands behind a row at which no event came, but a deadline of a part of the rule."""

    event: Event
    """The latest event of that part's group."""
    step: int
    """At which of the `Steps` the deadline comes …"""
    upto: int
    """… and before which time (µs) the rule's own deadlines come first."""


class Matched:
    """The columns of a rule, and the way back from a row to its event and its group."""

    def __init__(
        self, question: Question, columns: Columns, *, count: int, too_late: NDArray[np.int64]
    ) -> None:
        self.question = question
        self.columns = columns
        self.count = count
        """Events that the rule is concerned by."""
        self.too_late = too_late
        """Places in the stream of those among them that came too late to be judged."""
        self._values: groups.Numbered | None = None
        self._numbers: NDArray[Any] = np.zeros(len(columns.starts), np.int32)
        self._lock = RLock()
        self.timers: dict[int, Rung] = {}
        """Rows at which a deadline came."""
        self.known: dict[str, Any] = {}
        """What was worked out of them for the first of several rules that ask the same question."""

    @property
    def judged(self) -> NDArray[Any]:
        """Places in the stream of the events that are judged."""
        return self.columns.came

    @property
    def size(self) -> int:
        """More than any place in the stream."""
        places = (self.columns.came, self.too_late)
        return 1 + max(int(some.max(initial=-1)) for some in places)

    def seqs(self, rows: Ints) -> Ints:
        """For each of these rows the place of its event in the stream."""
        found: Ints = self.columns.came[rows]
        return found

    def ids(self, lookup: Lookup, rows: Ints) -> list[bytes]:
        """The ids of some rows' events."""
        return lookup.ids(self.seqs(rows).tolist())

    def seen(self, lookup: Lookup, rows: Ints) -> list[Seen]:
        """The events of some rows."""
        return lookup.events(self.seqs(rows).tolist())

    def clocks(self, steps: Steps, rows: Ints) -> Ints:
        """For each of these rows how far time is (µs) before it is judged."""
        return steps.clocks(self.seqs(rows))

    def once(self, name: str, work: Callable[[], T]) -> T:
        """What this comes to, worked out for the first rule only."""
        with self._lock:
            if name not in self.known:
                self.known[name] = work()
            found: T = self.known[name]
            return found

    def key(self, number: int) -> Key:
        """The key of the group of that number."""
        by = self.question.by
        if self._values is None:
            return ()
        value = self._values.value(int(self._numbers[number]))
        return group.key(by, dict(zip(by, value if len(by) > 1 else (value,), strict=True)))

    def named(self, values: groups.Numbered, numbers: NDArray[Any]) -> None:
        """What the groups' numbers in the source stand for."""
        self._values, self._numbers = values, numbers


def matched(events: Events, question: Question) -> Matched:
    """The answer, remembered with the events."""
    known = events.answers
    with events.lock:
        if question not in known:
            while len(known) >= _KEPT:
                del known[next(iter(known))]
            known[question] = _ask(events, question)
            if known[question].count > _LARGE:
                gc.collect()  # the table of DuckDB's answer may be part of a cycle
        found: Matched = known[question]
        return found


def _ask(events: Events, question: Question) -> Matched:
    writer = Writer(events)
    by = [writer.grouping(field) for field in question.by]
    samples = [writer.wanted(one) for one in question.wanted]
    listed = ["seq::INTEGER AS seq", "ts", *(["behind"] if events.disordered else [])]
    listed += [f"{sql} AS g{n}" for n, (sql, _) in enumerate(by)]
    listed += [f"{sql} AS s{n}" for n, (sql, _) in enumerate(samples)]
    where, values = [], []
    if len(question.types) < len(events.types):
        where.append("list_contains(?, type)")  # a join would not keep the order
        values.append(list(question.types))
    if question.where is not None:
        where.append(writer.condition(question.where))
    asked = list(zip((sql for sql, _ in samples), question.wanted, strict=True))
    where += [f"{sql} IS NOT NULL" for sql, one in asked if one.needed]
    if steps := [sql for sql, one in asked if one.events]:
        where.append(f"({' OR '.join(steps)})")
    query = f"SELECT {', '.join(listed)} FROM events{' WHERE ' if where else ''}{' AND '.join(where)}"
    table = events.table(query, values)
    return _sorted(question, table, [json for _, json in by], [tagged for _, tagged in samples])


def _array(table: pa.Table, name: str) -> NDArray[Any]:
    found: NDArray[Any] = table.column(name).to_numpy()
    return found


def _sorted(question: Question, table: pa.Table, json: Sequence[bool], tagged: Sequence[bool]) -> Matched:
    """`json`: of each field of the groups whether it is JSON text; `tagged`: of each sample whether it is
    that, or text after its type."""
    count, too_late = len(table), np.empty(0, np.int64)
    if "behind" in table.column_names:
        late = _array(table, "behind") > question.lateness
        if late.any():
            too_late = _array(table, "seq")[late].astype(np.int64)
            table = table.filter(pa.array(~late))
    came, times = _array(table, "seq"), _array(table, "ts")
    assert (came[1:] > came[:-1]).all(), "DuckDB keeps the order of a table"
    samples, names, meant = _samples(question.wanted, table, tagged)
    values = None
    starts = np.zeros(min(1, len(came)), np.int64)
    numbers: NDArray[Any] = starts
    if question.by and len(came):
        values = groups.numbered([(table.column(f"g{n}"), one) for n, one in enumerate(json)])
        order = stable_order(values.numbers)
        sizes = np.bincount(values.numbers, minlength=values.size)
        numbers = np.flatnonzero(sizes)
        starts = np.append(0, np.cumsum(sizes[numbers])[:-1])
        whole = int(came[-1]) - int(came[0]) + 1 == len(came)
        came = (order + came[0]).astype(came.dtype) if whole else came[order]
        times = _taken(times, order)
        samples = {name: _taken(sample, order) for name, sample in samples.items()}
    columns = in_time(times, came, starts, samples)
    columns.names, columns.values = names, meant
    found = Matched(question, columns, count=count, too_late=too_late)
    if values is not None:
        found.named(values, numbers)
    return found


def _taken(values: NDArray[Any], order: Ints) -> NDArray[Any]:
    return by_blocks(len(order), values.dtype, lambda rows: values[order[rows]])


def _samples(
    wanted: Sequence[Wanted], table: pa.Table, tagged: Sequence[bool]
) -> tuple[dict[str, Any], dict[str, list[bytes]], dict[str, Callable[[int], Any]]]:
    """By name: the samples; and of those that are numbers, the names of values or the values themselves."""
    samples: dict[str, Any] = {}
    names: dict[str, list[bytes]] = {}
    values: dict[str, Callable[[int], Any]] = {}
    for number, one in enumerate(wanted):
        column = table.column(f"s{number}")
        if one.what == "scalar":
            name = _tagged_digest if tagged[number] else _digest
            samples[one.name], names[one.name] = groups.coded(column, name)
        elif one.what == "field":
            numbered = groups.numbered([(column, tagged[number])])
            samples[one.name], values[one.name] = numbered.numbers, numbered.value
        else:
            samples[one.name] = column.to_numpy()
    return samples, names, values


def _digest(value: Any) -> bytes:
    return digest(value) or b""


def _tagged_digest(text: str) -> bytes:
    """That of a value that is written after its JSON type."""
    kind, _, value = text.partition(":")
    return _digest(value if kind == "VARCHAR" else orjson.loads(value))


def in_time(times: Ints, came: NDArray[Any], starts: Ints, samples: dict[str, Any]) -> Columns:
    """Columns of rows that are sorted by group, and within it as they came: those late go to their places."""
    columns = Columns(times, came, starts, samples)
    inside = times[1:] >= times[:-1]
    inside[starts[1:] - 1] = True
    if inside.all():
        return columns
    keys = _keys(columns)
    newest = np.maximum.accumulate(keys)
    behind = keys < newest
    late = np.flatnonzero(behind)
    # The newest time before a row that came late is that of the last row before it that did not.
    peaks = times[np.maximum.accumulate(np.where(behind, 0, np.arange(len(keys))))[late]]
    by_time = np.argsort(keys[late], kind="stable")
    in_time = np.flatnonzero(~behind)
    places = np.searchsorted(keys[in_time], keys[late][by_time], side="right")
    order = np.insert(in_time, places, late[by_time])
    sorted_ = Columns(
        times[order], came[order], starts, {name: sample[order] for name, sample in samples.items()}
    )
    sorted_.late, sorted_.peaks = places + np.arange(len(late)), peaks[by_time]
    return sorted_


def _keys(columns: Columns) -> Ints:
    """Group and time in one number, or group and rank of the time where that is too large."""
    times = columns.times - columns.times.min()
    if (int(times.max()) + 1) * len(columns.starts) >= 2**62:
        times = np.unique(times, return_inverse=True)[1].astype(np.int64)
    keys: Ints = columns.group * np.int64(int(times.max()) + 1) + times
    return keys


class Writer:
    """Writes what rules say of an event as SQL over the table `events`."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._kinds = events.kinds

    def condition(self, text: str) -> str:
        condition = filters.parse(text)
        return duckdb_expression(condition.tree, self._parts(list(condition.fields)))

    def _parts(self, fields: Sequence[Path]) -> Parts:
        stored: dict[Path, Stored] = {}
        if "payload" not in self._events.own:
            for path in fields:
                column = self._events.column(path)
                if column and (kind := _STORED.get(self._kinds[column])):
                    sql = column if self._kinds[column] == kind else f"{column}::{kind}"
                    stored[path] = Stored(sql, kind)
        payload = self._events.json({str(path[0]): None for path in fields})
        return Parts(
            type="type", source="source", timestamp="make_timestamptz(ts)", payload=payload, fields=stored
        )

    def wanted(self, one: Wanted) -> tuple[str, bool]:
        """What a replay asked for; whether it is JSON text, or, for `scalar`, text after its type."""
        if one.what == "field":
            sql, json = self.grouping(one.text)
            return (f"nullif({sql}, 'null')", True) if json else (sql, False)
        if one.what == "truth":
            holds = f"coalesce({self.condition(one.text)}, false)" if one.text else "true"
            return (f"{self._types(one.events)} AND {holds}" if one.events else holds), False
        value = filters.parse_value(one.text)
        if one.what == "scalar":
            return self._scalar(value)
        return value.sql(Kind.NUMBER, self._parts(list(value.fields))), False

    def _types(self, events: Sequence[str]) -> str:
        watches = glob.matcher(events)
        listed = ", ".join(quoted(name) for name in self._events.types if watches(name))
        return f"list_contains([{listed}], type)" if listed else "false"

    def _scalar(self, value: filters.Value) -> tuple[str, bool]:
        """A field as it is where it has a column, else as text after its type."""
        assert value.path is not None
        parts = self._parts([value.path])
        if value.path in parts.fields:
            return parts.fields[value.path].sql, False
        kind, text = Values(parts).json_type(value.path), Values(parts).json_text(value.path)
        known = f"CASE WHEN {kind} NOT IN ('NULL', 'ARRAY', 'OBJECT') THEN {kind} || ':' || {text} END"
        return known, True

    def grouping(self, field: str) -> tuple[str, bool]:
        """The field of a group; whether it is JSON text."""
        if field in ("type", "source"):
            return field, False
        path = tuple(field.split("."))
        if "payload" not in self._events.own:
            column = self._events.column(path)
            if column is not None and self._kinds[column] in _STORED:
                return column, False
            if column is None and (len(path) == 1 or self._events.column(path[:1]) is None):
                return "NULL::VARCHAR", False
        pointer = "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in path)
        return f"json_extract({self._events.json(path[:1])}, {quoted(pointer)})::VARCHAR", True
