"""What a rule measures over time, for a picture: in slots of equal length, the value nearest to firing.

It is worked out in columns, by event time; where an event came late, live windows may have held less.
"""

from __future__ import annotations

from typing import NamedTuple

from signaldesk.backtest.events import Events
from signaldesk.backtest.fold import types_of
from signaldesk.model.rule import Condition, Rule
from signaldesk.rules.document import kinds
from signaldesk.settings import Settings

SLOTS = 168
"""Slots of a picture: seven days by the hour."""
_EVENTS = "matching events"


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
    from signaldesk.backtest.feeding import Unsure

    types = types_of([rule], events)
    if not types:
        return [], _EVENTS
    if lateness is None:
        lateness = Settings.model_fields["allowed_lateness"].default * 1_000_000
    try:
        return _in_columns(events, rule, types, (since, until), lateness)
    except Unsure:
        return _asked(events, rule, types, (since, until)), _EVENTS


def _in_columns(
    events: Events, rule: Rule, types: list[str], span: tuple[int, int], lateness: int
) -> tuple[list[Slot], str]:
    """The same, of the columns in which the rule is judged. Raises Unsure where there are none."""
    import numpy as np

    from signaldesk.backtest.matched import Question, matched
    from signaldesk.backtest.single import replay_of

    replay = replay_of(rule)
    lateness = lateness if rule.allowed_lateness is None else rule.allowed_lateness
    question = Question(
        tuple(types), kinds()[rule.when.kind].where(rule), rule.by, tuple(replay.wanted), lateness
    )
    columns = matched(events, question).columns
    since, slot = span[0], width(*span)
    slots = (columns.times - since) // slot
    slots[(columns.times < since) | (columns.times >= span[1])] = -1
    counts = np.bincount(slots + 1, minlength=SLOTS + 1)[1:]
    values = replay.nearest(columns, slots, SLOTS, most=not _downwards(rule.when))
    words = _EVENTS if values is None else _words(rule.when)
    reached = np.nan_to_num(counts if values is None else values)
    return [
        Slot(since + place * slot, int(counts[place]), float(reached[place]))
        for place in np.flatnonzero(counts).tolist()
    ], words


def _asked(events: Events, rule: Rule, types: list[str], span: tuple[int, int]) -> list[Slot]:
    """How many events match, asked of DuckDB."""
    from signaldesk.backtest.matched import Writer

    where = kinds()[rule.when.kind].where(rule)
    test = f" AND {Writer(events).condition(where)}" if where else ""
    (since, until), slot = span, width(*span)
    query = (
        f"SELECT (ts - {since}) // {slot}, count(*) FROM events "
        f"WHERE type IN (SELECT unnest(?)) AND ts >= {since} AND ts < {until}{test} GROUP BY 1 ORDER BY 1"
    )
    rows = events.sql(query, [types]).fetchall()
    return [Slot(since + place * slot, count, float(count)) for place, count in rows]


def _downwards(condition: Condition) -> bool:
    return any(getattr(condition, name, None) is not None for name in ("below", "at_most"))


def _words(condition: Condition) -> str:
    """What the value of a slot is called."""
    if condition.kind == "aggregate":
        return f"{getattr(condition, 'function', '')} of {getattr(condition, 'field', '')} in a window"
    return {"count": "most in a window", "ratio": "share in a window"}.get(condition.kind, _EVENTS)
