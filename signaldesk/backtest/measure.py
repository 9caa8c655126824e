"""What a rule measures over time, for a picture: in slots of equal length, the value nearest to firing.

It is worked out in columns, by event time; where an event came late, live windows may have held less.
"""

from __future__ import annotations

from typing import NamedTuple

from signaldesk.backtest.events import Events
from signaldesk.backtest.fold import types_of
from signaldesk.model.rule import Condition, Rule
from signaldesk.rules._kind import Wanted
from signaldesk.rules.document import kinds
from signaldesk.settings import Settings

SLOTS = 168
"""Slots of a picture: seven days by the hour."""
_PERCENT = 100.0
_EVENTS = "matching events"
_PLAIN = {"sum": "sum(v)", "avg": "avg(v)", "min": "min(v)", "max": "max(v)", "stddev": "stddev_samp(v)"}


class Slot(NamedTuple):
    """One slot: its start (µs), how many matching events lie in it, and the value, where one is measured."""

    start: int
    events: int
    value: float


def width(since: int, until: int) -> int:
    """How long a slot is (µs)."""
    return max(1, -(-(until - since) // SLOTS))


def measured(
    events: Events, rule: Rule, since: int, until: int, lateness: int | None = None
) -> tuple[list[Slot], str]:
    """The slots that hold something, and what their values are, for people. `lateness` (µs) is that of rules
    that say nothing of their own."""
    types = types_of([rule], events)
    if not types:
        return [], _EVENTS
    if lateness is None:
        lateness = Settings.model_fields["allowed_lateness"].default * 1_000_000
    found = _in_columns(events, rule, types, (since, until), lateness)
    if found is not None:
        return found, _words(rule.when)
    return _asked(events, rule, types, (since, until))


def _in_columns(
    events: Events, rule: Rule, types: list[str], span: tuple[int, int], lateness: int
) -> list[Slot] | None:
    """The slots, of the columns in which the rule is judged; None where these do not say what is measured."""
    import numpy as np

    from signaldesk.backtest.feeding import Unsure
    from signaldesk.backtest.matched import Question, matched
    from signaldesk.backtest.single import replay_of

    kind = kinds()[rule.when.kind]
    try:
        replay = replay_of(rule)
    except Unsure:
        return None
    lateness = lateness if rule.allowed_lateness is None else rule.allowed_lateness
    question = Question(tuple(types), kind.where(rule), rule.by, tuple(replay.wanted), lateness)
    columns = matched(events, question).columns
    values = replay.measured(columns)
    if values is None:
        return None
    since, slot = span[0], width(*span)
    places = (columns.times - since) // slot
    inside = (columns.times >= since) & (columns.times < span[1])
    places, values = places[inside], values[inside]
    nearest, most = (np.fmin, np.inf) if _downwards(rule.when) else (np.fmax, -np.inf)
    reached = np.full(SLOTS, most)
    nearest.at(reached, places, values)
    reached[np.isinf(reached)] = 0.0
    counts = np.bincount(places, minlength=SLOTS)
    return [
        Slot(since + place * slot, int(counts[place]), float(reached[place]))
        for place in np.flatnonzero(counts).tolist()
    ]


def _asked(events: Events, rule: Rule, types: list[str], span: tuple[int, int]) -> tuple[list[Slot], str]:
    """The same, asked of DuckDB."""
    from signaldesk.backtest.matched import Writer

    writer, kind = Writer(events), kinds()[rule.when.kind]
    tests = [writer.condition(where)] if (where := kind.where(rule)) else []
    value = "1.0"
    if rule.when.kind == "aggregate":
        value, _ = writer.wanted(Wanted(str(getattr(rule.when, "field", "")), "number"))
    groups = [f"nullif({sql}, 'null')" if json else sql for sql, json in map(writer.grouping, rule.by)]
    named = "".join(f", {sql} AS g{number}" for number, sql in enumerate(groups))
    over = _over(rule.when, [f"g{number}" for number in range(len(groups))])
    (since, until), slot = span, width(*span)
    nearest = "count(*)" if over is None else "min(m)" if _downwards(rule.when) else "max(m)"
    query = (
        f"WITH matching AS (SELECT ts, {value} AS v{named} FROM events "
        f"WHERE {' AND '.join(['type IN (SELECT unnest(?))', *tests])}), "
        f"valued AS (SELECT ts, {over or 'NULL'} AS m FROM matching) "
        f"SELECT (ts - {since}) // {slot} AS place, count(*), {nearest} FROM valued "
        f"WHERE ts >= {since} AND ts < {until} GROUP BY 1 ORDER BY 1"
    )
    rows = events.sql(query, [types]).fetchall()
    slots = [Slot(since + place * slot, count, float(most or 0)) for place, count, most in rows]
    return slots, _EVENTS if over is None else _words(rule.when)


def _downwards(condition: Condition) -> bool:
    return any(getattr(condition, name, None) is not None for name in ("below", "at_most"))


def _words(condition: Condition) -> str:
    """What the value of a slot is called."""
    if condition.kind == "aggregate":
        return f"{getattr(condition, 'function', '')} of {getattr(condition, 'field', '')} in a window"
    return {"count": "most in a window", "ratio": "share in a window"}.get(condition.kind, _EVENTS)


def _over(condition: Condition, groups: list[str]) -> str | None:
    """The value of the window that ends at an event; None where a picture shows events only."""
    function = str(getattr(condition, "function", ""))
    if condition.kind != "aggregate":
        return None
    if function in _PLAIN:
        inside = _PLAIN[function]
    elif function.startswith("p"):
        inside = f"quantile_disc(v, {float(function[1:]) / _PERCENT})"
    else:
        return None
    within = int(getattr(condition, "within", 1))
    by = f"PARTITION BY {', '.join(groups)} " if groups else ""
    return f"{inside} OVER ({by}ORDER BY ts RANGE BETWEEN {within - 1} PRECEDING AND CURRENT ROW)"
