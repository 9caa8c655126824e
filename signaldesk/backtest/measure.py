"""What a rule measures over time, for a picture: in slots of equal length, the value nearest to firing.

It is worked out in columns, by event time; where an event came late, live windows may have held less.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from signaldesk import filters
from signaldesk.backtest.events import Events
from signaldesk.backtest.fold import types_of
from signaldesk.filters.duckdb_sql import Columns, duckdb_expression
from signaldesk.filters.tree import Kind as ValueKind
from signaldesk.model.rule import Condition, Rule
from signaldesk.rules.document import kinds

SLOTS = 168
"""Slots of a picture: seven days by the hour."""
_PERCENT = 100.0
_OWN = ("type", "source")
"""What an event has beside its payload, to group by."""
_PLAIN = {"sum": "sum(v)", "avg": "avg(v)", "min": "min(v)", "max": "max(v)", "stddev": "stddev_samp(v)"}


class Slot(NamedTuple):
    """One slot: its start (µs), how many matching events lie in it, and the value, where one is measured."""

    start: int
    events: int
    value: float


def width(since: int, until: int) -> int:
    """How long a slot is (µs)."""
    return max(1, -(-(until - since) // SLOTS))


def measured(events: Events, rule: Rule, since: int, until: int) -> tuple[list[Slot], str]:
    """The slots that hold something, and what their values are, for people."""
    columns = Columns(timestamp="make_timestamptz(ts)", payload=f"({events.payload})::JSON")
    types = types_of([rule], events)
    if not types:
        return [], "matching events"
    where = kinds()[rule.when.kind].where(rule)
    tests = [duckdb_expression(filters.parse(where).tree, columns)] if where else []
    value, words = _value(rule.when, columns)
    of_ratio = rule.when.kind == "ratio"
    if of_ratio:
        flag = duckdb_expression(filters.parse(rule.where).tree, columns) if rule.where else "true"
        among = getattr(rule.when, "among", None)
        tests = [duckdb_expression(filters.parse(among).tree, columns)] if among else []
        value, words = f"CASE WHEN {flag} THEN 1.0 ELSE 0.0 END", "share in a window"
    group = _group(rule, columns)
    over = _over(rule.when)
    slot = width(since, until)
    downwards = (
        getattr(rule.when, "below", None) is not None or getattr(rule.when, "at_most", None) is not None
    )
    nearest = "min" if downwards else "max"
    query = (
        f"WITH matching AS (SELECT ts, {group} AS g, {value} AS v FROM events "
        f"WHERE {' AND '.join(['type IN (SELECT unnest(?))', *tests])}), "
        f"valued AS (SELECT ts, {over} AS m FROM matching) "
        f"SELECT (ts - {since}) // {slot} AS place, count(*), {nearest}(m) FROM valued "
        f"WHERE ts >= {since} AND ts < {until} GROUP BY 1 ORDER BY 1"
    )
    if over == "NULL":
        query = query.replace(f"{nearest}(m)", "count(*)")
        words = "matching events"
    rows = events.sql(query, [types]).fetchall()
    return [Slot(since + place * slot, count, float(most or 0)) for place, count, most in rows], words


def _value(condition: Condition, columns: Columns) -> tuple[str, str]:
    """What is taken of an event, and what the value of a window is called."""
    field: Any = getattr(condition, "field", None)
    if condition.kind == "aggregate":
        words = f"{getattr(condition, 'function', '')} of {field} in a window"
        return f"({filters.parse_value(field).sql(ValueKind.NUMBER, columns)})", words
    return "1.0", "most in a window" if condition.kind == "count" else "matching events"


def _group(rule: Rule, columns: Columns) -> str:
    parts = [
        f"coalesce({name if name in _OWN else f'{columns.payload} ->> {_path(name)}'}, '')"
        for name in rule.by
    ]
    return f"[{', '.join(parts)}]" if parts else "''"


def _path(name: str) -> str:
    return (
        "'$."
        + ".".join('"' + step.replace("'", "''").replace('"', "") + '"' for step in name.split("."))
        + "'"
    )


def _over(condition: Condition) -> str:
    """The value of the window that ends at an event; NULL where a picture shows events only."""
    function = str(getattr(condition, "function", ""))
    if condition.kind == "count":
        inside = "count(*)"
    elif condition.kind == "ratio":
        inside = "avg(v)"
    elif condition.kind == "aggregate" and function in _PLAIN:
        inside = _PLAIN[function]
    elif condition.kind == "aggregate" and function.startswith("p"):
        inside = f"quantile_disc(v, {float(function[1:]) / _PERCENT})"
    else:
        return "NULL"
    within = int(getattr(condition, "within", 1))
    window = f"PARTITION BY g ORDER BY ts RANGE BETWEEN {within - 1} PRECEDING AND CURRENT ROW"
    return f"{inside} OVER ({window})"
