"""Events to be judged again, in the order in which the engine judged them, whatever form they came in.

They become one DuckDB table. Known columns are `id, type, source, timestamp, received_at, lane, clock_skewed,
behind, partition, position, idx, payload`; every other column is a field of the payload. Only `timestamp`
must be there: without `position`, events are taken in the order of their receipt, and without `received_at`
as if each had come at its own time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple

from signaldesk.backtest.given import said, view
from signaldesk.backtest.interrupt import interruptible, telling
from signaldesk.clock import MICROS, from_us, to_us
from signaldesk.errors import FieldError, Invalid
from signaldesk.filters.duckdb_values import quoted
from signaldesk.filters.tree import Path as FieldPath
from signaldesk.model.event import Event
from signaldesk.model.message import many

if TYPE_CHECKING:
    import duckdb

KNOWN = (
    *("id", "type", "source", "timestamp", "received_at", "lane", "clock_skewed"),
    *("behind", "partition", "position", "idx", "payload"),
)
SKEW = 300 * MICROS
"""How far (µs) a timestamp may be ahead of its receipt where nobody has looked at that yet."""
_FIRST, _LAST = to_us(datetime(1, 1, 1, tzinfo=UTC)), to_us(datetime(9999, 12, 31, tzinfo=UTC))
_NUMBERED = "unhex(printf('%032x', seq))"
"""The id of an event that has none."""
_LATE = "greatest(max(ts) OVER (ORDER BY seq) - ts, 0)"
"""How far (µs) it came behind the newest before it."""
_PAGE = 50_000
_LARGE = 1_000_000
_TOLD = 1_000
"""Payloads whose fields are told."""
_ID_TYPES = {"UUID": "unhex(replace({0}::VARCHAR, '-', ''))", "BLOB": "{0}"}
_TEXT_ID = "unhex(coalesce(replace(TRY_CAST({0} AS UUID)::VARCHAR, '-', ''), md5({0}::VARCHAR)))"


class Unreadable(Invalid):
    """What they lie in cannot be read."""


class Row(NamedTuple):
    """One event, when it was received (µs), how far behind (µs) the newest one it came, and its entry."""

    event: Event
    received: int
    behind: int
    position: int


class Events:
    """A table `events` of its own connection, with the columns `seq, type, source, ts, received, behind,
    position, skewed, id, payload` (times are µs; `id` and `payload` only where they were given), and
    `f0, f1, …` for the fields."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        fields: dict[str, str],
        own: set[str],
        lane: str = "",
        *,
        dotted: bool = False,
    ) -> None:
        """`fields`: name of a field -> its column; `own`: which of `id` and `payload` there are; `lane`: the
        import that they are of; `dotted`: names are paths into payloads."""
        self.connection = connection
        self.lane = lane
        self.fields = fields
        self.own = own
        self.dotted = dotted
        self.repeated = 0
        """Events that are not among them because one with their id came before."""
        self._found: dict[Any, Any] = {}
        """What was found out about the fields of payloads."""
        self.kept_since: int | None = None
        """From when on (µs) history has events, when that is later than was asked for."""
        self.answers: dict[Any, Any] = {}
        """What was found out about them before; see `matched`. Under `lock`: a sweep has several threads."""
        self.lock = RLock()
        bounds = "min(ts), max(ts), max(greatest(ts + behind, received))"
        found = self.sql(f"SELECT count(*), {bounds} FROM events")
        self.count, self.first, self.last, self.clock = found.fetchone() or (0, None, None, None)

    @classmethod
    @interruptible()
    def of(
        cls,
        source: Any,
        *,
        type: str | None = None,
        lane: str = "",
        since: int | None = None,
        until: int | None = None,
    ) -> Events:
        """Events from a DuckDB relation, an Arrow, pandas or Polars table, dicts, or a file; those in
        [since, until) (µs).

        `type` is that of all events where there is no such column. Raises Invalid with every fault of the
        columns, NotFound for a file that is not there.
        """
        if isinstance(source, Events):
            return source
        import duckdb

        connection = telling(duckdb.connect(":memory:"))
        connection.execute("SET TimeZone = 'UTC'; SET autoinstall_known_extensions = false")
        if hasattr(source, "reader"):  # `desk.events(…)`: into the table as they arrive
            with source.reader() as arriving:
                connection.register("given", arriving)
                return cls.on(connection, type=type, lane=lane, since=since, until=until)
        view(connection, source)
        events = cls.on(connection, type=type, lane=lane, since=since, until=until, once=True)
        connection.execute("DROP VIEW given")
        connection.unregister("given")
        events._check_payloads()
        if len(events) > _LARGE:
            gc.collect()  # DuckDB's relations are parts of cycles, which may hold all that was given
        return events

    @classmethod
    @interruptible()
    def on(
        cls,
        connection: duckdb.DuckDBPyConnection,
        *,
        type: str | None = None,
        lane: str = "",
        paths: Mapping[str, str] | None = None,
        since: int | None = None,
        until: int | None = None,
        once: bool = False,
    ) -> Events:
        """The events of a connection's relation `given`. Raises as `of` does.

        `paths`: fields of their payloads by dotted path, and their columns, where nobody asks for others;
        `once`: nobody has looked yet whether an id came before.
        """
        loader = _Loader(telling(connection), type, lane, paths)
        events = cls(connection, *loader.load(since, until, once), lane, dotted=paths is not None)
        events.repeated = loader.repeated
        return events

    def _check_payloads(self) -> None:
        """Raises Invalid for text that somebody took for JSON."""
        wrong = "FROM events WHERE NOT json_valid(payload) LIMIT 1"
        if "payload" in self.own and self.sql(wrong).fetchone():
            message = "is not JSON in all events; mend it, or leave the column out"
            raise Invalid("these are no events", errors=[FieldError("payload", message)])

    def __len__(self) -> int:
        return int(self.count)

    def sql(self, query: str, values: Sequence[Any] = ()) -> duckdb.DuckDBPyConnection:
        """The rows of a query, on a cursor of their own."""
        return telling(self.connection.cursor()).execute(query, list(values))

    def table(self, query: str, values: Sequence[Any] = (), **views: Any) -> Any:
        """The rows of a query as an Arrow table; `views` are Arrow tables that it may name."""
        cursor = telling(self.connection.cursor())
        for name, table in views.items():
            cursor.register(name, table)
        return cursor.sql(query, params=list(values)).to_arrow_table()

    def end(self, until: int | None) -> int:
        """How far time goes (µs): that of an import no further than its events, other time on `until`."""
        return max(self.clock or 0, until + 1 if until is not None and not self.lane else 0)

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Column -> its type."""
        return {name: str(kind) for name, kind, *_ in self.sql("DESCRIBE events").fetchall()}

    @cached_property
    def disordered(self) -> bool:
        """Whether any of them came behind a newer one."""
        found = self.sql("SELECT max(behind) FROM events").fetchone()
        return bool(found and found[0])

    @cached_property
    def types(self) -> list[str]:
        return [name for (name,) in self.sql("SELECT DISTINCT type FROM events ORDER BY 1").fetchall()]

    def has(self, types: Sequence[str], keys: Sequence[object]) -> bool:
        """Whether a payload of these types has that field, be it null."""
        asked = ("has", *types, *keys)
        if asked not in self._found:
            # Where its last key stands nowhere, and that is soon found, nothing has to be parsed.
            path, last = "".join(f".{_name(str(key))}" for key in keys), _name(str(keys[-1]))
            where = "list_contains(?, type) AND contains(payload, ?) AND json_exists(payload, ?)"
            found = self.sql(f"SELECT 1 FROM events WHERE {where} LIMIT 1", [list(types), last, f"${path}"])
            self._found[asked] = found.fetchone() is not None
        return bool(self._found[asked])

    def names(self, types: Sequence[str]) -> list[str]:
        """Dotted paths of the fields that payloads of these types have, as far as the first ones tell."""
        import orjson

        asked = ("names", *types)
        if asked not in self._found:
            query = f"SELECT payload FROM events WHERE list_contains(?, type) LIMIT {_TOLD}"
            rows = self.sql(query, [list(types)]).fetchall()
            self._found[asked] = sorted({name for (text,) in rows for name in _dotted(orjson.loads(text))})
        return list(self._found[asked])

    @property
    def notes(self) -> list[str]:
        """What whoever judges them should know."""
        notes = []
        if self.repeated:
            left = "was left out, as it is" if self.repeated == 1 else "were left out, as they are"
            notes.append(f"{many(self.repeated, 'event')} whose id came before {left} live")
        if self.kept_since is not None:
            began = f"{from_us(self.kept_since):%Y-%m-%d %H:%M} UTC"
            notes.append(f"history has no events from before {began}: figures a week count from then on")
        return notes

    @property
    def id(self) -> str:
        """An expression for the id, 16 bytes: the event's own, or its number."""
        return "id" if "id" in self.own else _NUMBERED

    @property
    def payload(self) -> str:
        """An expression for the whole payload as JSON text."""
        return "payload" if "payload" in self.own else self.json(self.fields)

    def json(self, names: Iterable[str]) -> str:
        """An expression for the payload as JSON text, as far as these fields go."""
        if "payload" in self.own:
            return "payload"
        wanted, tree = set(names), dict[str, Any]()
        for name, column in self.fields.items():
            *above, last = name.split(".") if self.dotted else [name]
            if wanted & {name, *above[:1]}:
                level = tree
                for key in above:
                    level = level.setdefault(key, {})
                level[last] = column
        return f"to_json({_struct(tree)})::VARCHAR" if tree else "'{}'"

    def column(self, path: FieldPath) -> str | None:
        """The column of a field of payloads, None where it has none of its own."""
        if any(not isinstance(key, str) or (self.dotted and "." in key) for key in path):
            return None
        return self.fields.get(".".join(map(str, path))) if self.dotted or len(path) == 1 else None

    def rows(self, types: Sequence[str], where: str = "true", values: Sequence[Any] = ()) -> Iterator[Row]:
        """The events of these types in their order; `where` is SQL over the table's columns."""
        cursor = self.sql(
            f"SELECT {self.id}, type, ts, {self.payload}, source, skewed, received, behind, position "
            f"FROM events WHERE type IN (SELECT unnest(?)) AND {where} ORDER BY seq",
            [list(types), *values],
        )
        while page := cursor.fetchmany(_PAGE):
            for id_, name, time, payload, source, skewed, received, behind, position in page:
                event = Event(id_, name, time, payload.encode(), source, skewed)
                yield Row(event, received, behind, position)


class _Loader:
    """Works out of the columns that were given those that we want, and says everything that is wrong."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        type_: str | None,
        lane: str,
        paths: Mapping[str, str] | None,
    ) -> None:
        self._connection = connection
        self._paths = paths
        self._type = type_
        self._lane = lane
        described = connection.execute("DESCRIBE given").fetchall()
        self._columns: dict[str, str] = {name: str(kind) for name, kind, *_ in described}
        self._faults: list[FieldError] = []
        self.repeated = 0

    def load(self, since: int | None, until: int | None, once: bool) -> tuple[dict[str, str], set[str]]:
        """Make the table `events`, of those in [since, until); its fields, and which of its own columns there
        are. `once`: leave out those whose id came before."""
        import duckdb

        named = self._paths if self._paths is not None else set(self._columns) - set(KNOWN)
        fields = {name: f"f{n}" for n, name in enumerate(sorted(named))}
        own = {name for name in self._columns if name in ("id", "payload")}
        parts = self._parts(fields, own)
        if self._faults:
            raise Invalid("these are no events", errors=self._faults)
        try:
            self._connection.execute(self._statement(parts))
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            raise Unreadable(f"these events cannot be read: {said(error)}") from None
        self._check("ts IS NULL OR type IS NULL", "no timestamp or no type")
        self._check(
            f"NOT (ts BETWEEN {_FIRST} AND {_LAST}) OR NOT (received BETWEEN {_FIRST} AND {_LAST})",
            "a time in no year from 1 to 9999",
        )
        first, end = _FIRST if since is None else since, _LAST + 1 if until is None else until
        if once and "id" in own:
            self._leave_out(f"ts >= {first} AND ts < {end}")
        if since is not None or until is not None:
            self._connection.execute(f"DELETE FROM events WHERE ts < {first} OR ts >= {end}")
        return fields, own

    def _leave_out(self, counted: str) -> None:
        """Those whose id came before, as the intake does; one row of the stream is one event, whoever copied
        it. Those that have no id get one."""
        self._connection.execute(f"UPDATE events SET id = {_NUMBERED} WHERE id IS NULL")
        if self._one("SELECT count(*) = count(DISTINCT hash(id, position)) FROM events"):
            return
        again = "seq NOT IN (SELECT min(seq) FROM events GROUP BY id, position)"
        self.repeated = self._one(f"SELECT count(*) FROM events WHERE {again} AND {counted}")
        late = "" if "behind" in self._columns else f" REPLACE ({_LATE} AS behind)"
        self._connection.execute(
            f"CREATE OR REPLACE TABLE events AS SELECT *{late} FROM events WHERE NOT ({again}) ORDER BY seq"
        )

    def _check(self, wrong: str, what: str) -> None:
        """Raises Invalid when there are events for which that is true."""
        if count := self._one(f"SELECT count(*) FROM events WHERE {wrong}"):
            have = "1 event has" if count == 1 else f"{count:,} events have"
            raise Invalid(f"{have} {what}; leave them out, or mend them")

    def _one(self, query: str) -> Any:
        rows = self._connection.execute(query).fetchall()  # what is not fetched keeps the connection busy
        return rows[0][0] if rows else None

    def _parts(self, fields: dict[str, str], own: set[str]) -> dict[str, str]:
        time = self._moment("timestamp")
        received = self._moment("received_at") if "received_at" in self._columns else None
        skewed = "clock_skewed" if "clock_skewed" in self._columns else "false"
        if received and "clock_skewed" not in self._columns:
            skewed = f"{time} > {received} + {SKEW}"
            time = f"least({time}, CASE WHEN {skewed} THEN {received} ELSE {time} END)"
        if "type" not in self._columns and self._type is None:
            self._faults.append(FieldError("type", "there is no such column; say the `type` of these events"))
        parts = {
            "type": '"type"::VARCHAR' if "type" in self._columns else quoted(self._type or ""),
            "source": "source::VARCHAR" if "source" in self._columns else "NULL::VARCHAR",
            "ts": f"({time})::BIGINT",
            "received": f"({received or time})::BIGINT",
            "skewed": f"coalesce({skewed}, false)",
            "position": '"position"::BIGINT' if "position" in self._columns else "NULL::BIGINT",
        }
        if "behind" in self._columns:
            parts["behind"] = "coalesce(behind, 0)::BIGINT"
            if self._lane:  # in an import time goes with its events: when they were received is no matter
                parts["received"] = f"({time} + coalesce(behind, 0))::BIGINT"
        if "id" in own:
            parts["id"] = _ID_TYPES.get(self._columns["id"], _TEXT_ID).format("id")
        if "payload" in own:
            plain = self._columns["payload"] in ("VARCHAR", "JSON")
            parts["payload"] = f"coalesce({'payload' if plain else 'to_json(payload)'}::VARCHAR, '{{}}')"
        for name, column in fields.items():
            given = self._paths[name] if self._paths is not None else name
            finite = self._columns[given] in ("DOUBLE", "FLOAT")
            value = _name(given)
            parts[column] = f"CASE WHEN isfinite({value}) THEN {value} END" if finite else value
        return parts

    def _moment(self, column: str) -> str:
        """The column as microseconds since 1970."""
        kind = self._columns.get(column)
        if kind is None:
            near = get_close_matches(column, self._columns, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? rename it" if near else f"there are {', '.join(self._columns)}"
            self._faults.append(FieldError(column, f"there is no such column; {hint}"[:300]))
        elif kind.startswith(("TIMESTAMP", "DATE")):
            return f"epoch_us({column})"
        elif kind == "VARCHAR":
            return f"epoch_us({column}::TIMESTAMPTZ)"
        else:
            message = f"is {kind}; a time is wanted, e.g. a datetime or RFC 3339 text"
            self._faults.append(FieldError(column, message))
        return "0"

    def _statement(self, parts: dict[str, str]) -> str:
        """In the order of the stream, each with how far it came behind the newest before it."""
        listed = ", ".join(f'{expression} AS "{name}"' for name, expression in parts.items())
        where = f"WHERE coalesce(lane, '') = {quoted(self._lane)}" if "lane" in self._columns else ""
        if "position" in self._columns:
            order = "position" + (", i" if "idx" in self._columns else "")
        else:
            order = "received"
        inside = f"SELECT {listed}, {'idx' if 'idx' in self._columns else '0'} AS i FROM given {where}"
        late = "" if "behind" in parts else f", {_LATE} AS behind"
        return (
            f"CREATE TABLE events AS SELECT * EXCLUDE (i){late} FROM "
            f"(SELECT row_number() OVER (ORDER BY {order}) AS seq, * FROM ({inside})) ORDER BY seq"
        )


def _dotted(payload: Any, above: str = "") -> Iterator[str]:
    for name, value in payload.items() if isinstance(payload, dict) else ():
        yield above + name
        yield from _dotted(value, f"{above}{name}.")


def _struct(tree: Mapping[str, Any]) -> str:
    """A STRUCT of columns, by their names."""
    parts = (
        f"{_name(name)}: {_struct(inner) if isinstance(inner, dict) else inner}"
        for name, inner in tree.items()
    )
    return f"{{{', '.join(parts)}}}"


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'
