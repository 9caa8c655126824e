"""One thing that judging some events came to, for people who compare it with what they expected."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

What = Literal["fires", "held", "resolves"]


class Moment(NamedTuple):
    """A rule fired, was held back, or its alert was over, for one group at one time (µs of event time).

    In what people expect, None stands for whatever there is.
    """

    what: What
    rule: str
    at: int
    group: dict[str, Any] | None
    value: float | None = None
    """What was measured when it fired."""
    at_least: bool = False
    """Whether the value is a lower bound."""
    margin: float | None = None
    """How far off it may be, as a share of it; None: it is exact, or a lower bound."""
    reason: str | None = ""
    """Why it was held back (`cooldown`, `paused`, `inactive`, `late`), or why its alert was over."""
