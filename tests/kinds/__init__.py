"""Every rule kind as its page says it, slow and obvious: what the oracle judges by. One file for each kind.

A module offers `READING`, a subclass of `Reading`, and `WHENS`, a Hypothesis strategy of conditions as they
stand in a rule's document.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from signaldesk.model import duration

if TYPE_CHECKING:
    from tests.oracle import Event, Rule

EVIDENCE = 100
microseconds = cache(duration.parse)
"""What is written as a duration, in µs."""


class Seen(NamedTuple):
    """An event that was judged: its time, its id, and what `sample` said of it."""

    time: int
    id: bytes
    sample: Any
    type: str = ""
    met: int = 0
    """How many deadlines of its kind were met before it came."""


@dataclass
class Found:
    """Why a condition holds."""

    value: float
    at_least: bool
    threshold: float
    window: tuple[int, int]
    evidence: tuple[bytes, ...]
    margin: float | None = None
    """It is worked out of all there is: a value is exact, or a lower bound."""


class Reading:
    """One rule's condition. `past` is everything its group was ever shown, in the order of the stream."""

    takes_event: ClassVar[bool] = True
    ends: ClassVar[bool] = False
    """Whether an event that does not make it hold can end the alert; see `over`."""

    @property
    def waits(self) -> bool:
        """Whether the kind has deadlines at all."""
        return type(self).deadline is not Reading.deadline

    def __init__(self, rule: Rule, when: dict[str, Any]) -> None:
        self.rule = rule
        self.when = when

    def span(self, name: str = "within") -> int:
        """A duration of the condition, µs."""
        return microseconds(self.when.get(name, 0))

    @property
    def lasting(self) -> int:
        """How long an evaluation stays true."""
        return 0

    def sample(self, event: Event) -> Any:
        """What the condition needs of an event; None when it is none of its business."""
        return True if self.rule.where(event) else None

    def judge(self, past: list[Seen]) -> Found | None:
        """Whether it holds for the last one of `past`, at its time."""
        raise NotImplementedError

    def verdict(self, past: list[Seen], time: int) -> Found | None:
        """What is found when it fires at an earlier evaluation's time (rules with `for`)."""
        raise NotImplementedError

    def value(self, past: list[Seen], time: int) -> float | None:
        """What is measured, for `resolve.threshold`."""
        return None

    def recovered(self, value: float, threshold: float) -> bool:
        return value <= threshold

    def over(self, past: list[Seen], rung: list[int], begun: int | None) -> bool:
        """Whether the last one of `past` ends the alert, when these deadlines were met before."""
        return False

    def deadline(self, past: list[Seen], rung: list[int], begun: int | None) -> int | None:
        """The next deadline after those that were met already (`rung`); None without one.

        `begun`: when a rule without groups begins, live.
        """
        return None

    def ring(self, past: list[Seen], rung: list[int], begun: int | None) -> Found | None:
        """Whether it holds at the last one of `rung`."""
        return None
