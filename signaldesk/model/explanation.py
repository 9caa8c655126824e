"""Why a rule fired, or did not, at a moment."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple
from uuid import UUID

Answer = Literal[
    "fired",
    "held_back",
    "not_enough",
    "filter_false",
    "passed_over",
    "late",
    "no_event",
    "not_yet",
    "holds_not_long_enough",
    "set_aside",
]


class Clause(NamedTuple):
    """One condition of a filter, and whether it is true for the event; None: it is NULL."""

    text: str
    holds: bool | None


class Explanation(NamedTuple):
    """The answer for one rule, group and moment. Times are µs."""

    answer: Answer
    text: str
    at: int
    version: int
    """The version that judged then; 0 when there was none."""
    newest: int
    """The rule's version now."""
    condition: str
    group: dict[str, Any]
    event_id: UUID | None = None
    event_at: int | None = None
    """The event that decided: the latest one, or for a deadline the latest before it."""
    value: float | None = None
    at_least: bool = False
    """Whether the value is a lower bound."""
    margin: float | None = None
    """How far off it may be, as a share of it; None: it is exact, or a lower bound."""
    reason: str | None = None
    """Why a firing was held back, or why it fired and nobody was told."""
    until: int | None = None
    """Until when that goes on, where it is known."""
    firing_id: UUID | None = None
    alert_id: UUID | None = None
    told: tuple[str, ...] = ()
    """The channels that were told of the firing."""
    clauses: tuple[Clause, ...] = ()
