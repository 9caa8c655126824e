"""`count`: so many matching events within a window."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from signaldesk.model import duration
from signaldesk.model.duration import Duration
from signaldesk.model.rule import Condition, Rule
from signaldesk.model.window import Window
from signaldesk.rules._kind import EVIDENCE_MAX, Judge, Kind, Verdict


class Count(Condition):
    """Holds when at least `at_least` matching events of the group lie in (t - within, t]."""

    kind: Literal["count"] = "count"
    at_least: Annotated[int, Field(ge=1, le=10_000, strict=True, description="Matching events", examples=[3])]
    within: Annotated[Duration, Field(description="Length of the window", examples=["60s"])]

    @field_validator("within")
    @classmethod
    def _some_time(cls, within: int) -> int:
        if within < 1000:
            raise ValueError("a window is at least 1ms long")
        return within


class _Judge(Judge):
    def __init__(self, need: int, width: int) -> None:
        self.need = need
        self.span = self.lasting = width

    def holds(self, window: Window, time: int, event: bytes, sample: Any) -> bool:
        window.add(time, event)
        return window.reaches(self.need, time, self.span)

    def verdict(self, window: Window, time: int, event: bytes) -> Verdict:
        # An event that arrived out of order vouches for itself: its neighbours may have been thinned out.
        evidence = window.newest(min(self.need, EVIDENCE_MAX), time) or [event]
        return Verdict(self.need, True, self.need, time - self.span, time, evidence)

    def value(self, window: Window, time: int) -> float | None:
        """How many there are, as far as they are kept: at most the threshold."""
        return float(min(self.need, window.count(time, self.span)))

    def recovered(self, value: float, threshold: float) -> bool:
        return value <= threshold

    def thin(self, window: Window, horizon: int) -> None:
        window.thin(self.need, self.span, horizon)


class CountKind(Kind):
    name = "count"
    condition = Count

    def judge(self, rule: Rule) -> Judge:
        condition = rule.when
        assert isinstance(condition, Count)
        return _Judge(condition.at_least, condition.within)

    def sentence(self, condition: Condition) -> str:
        assert isinstance(condition, Count)
        return f"{condition.at_least} or more in {duration.seconds(condition.within)}"


KIND = CountKind()
