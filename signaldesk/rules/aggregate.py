"""`aggregate`: sum, average, extremes, percentiles, deviation, distinct values of a field within a window."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Annotated, Any, Literal, NamedTuple, cast

from pydantic import AfterValidator, Field

from signaldesk.model import duration
from signaldesk.model.event import Event
from signaldesk.model.message import number
from signaldesk.model.rule import Condition, Rule
from signaldesk.model.window import Window
from signaldesk.rules._kind import SKIP, Judge, Kind, Verdict
from signaldesk.rules._parameters import Compared, ValueText, Within, value_of
from signaldesk.rules._series import Series, Tally
from signaldesk.rules._tallies import Different, Ranks, Sums, digest, packed

PANES = 64
"""Past the cap of exact members, panes to a window."""
_PERCENTILE = re.compile(r"p(\d{1,2})(?:\.(\d))?")


class _Function(NamedTuple):
    """What is worked out of the values in a window."""

    tally: Callable[[], Tally]
    value: Callable[[Any], float]
    """The value of a tally of at least `least` values."""
    least: int = 1
    takes: Callable[[Any], bytes | None] = packed
    margin: str = ""
    """How far off it may be past the cap, for people."""


def _ranked(thousandths: int) -> _Function:
    """The smallest value that at least so many thousandths of all are not greater than."""
    return _Function(
        Ranks, lambda tally: tally.ranked(-(-tally.count * thousandths // 1000)), margin=" ± 1 %"
    )


_FUNCTIONS: dict[str, _Function] = {
    "sum": _Function(Sums, lambda tally: tally.sum()),
    "avg": _Function(Sums, lambda tally: tally.mean()),
    "min": _Function(Ranks, lambda tally: tally.ranked(1), margin=" ± 1 %"),
    "max": _Function(Ranks, lambda tally: tally.ranked(tally.count), margin=" ± 1 %"),
    "stddev": _Function(Sums, lambda tally: tally.deviation(), least=2),
    "distinct": _Function(Different, lambda tally: float(tally.different()), takes=digest, margin=" ± 2 %"),
}
_KNOWN = f"{', '.join(_FUNCTIONS)}, or a percentile such as p50, p95, p99.9"


def function(name: str) -> _Function | None:
    """The function of that name, None for one that there is not."""
    if match := _PERCENTILE.fullmatch(name):
        thousandths = int(match[1]) * 10 + int(match[2] or 0)
        return _ranked(thousandths) if thousandths else None
    return _FUNCTIONS.get(name)


def _known(name: str) -> str:
    if function(name) is None:
        near = get_close_matches(name.lower()[:60], [*_FUNCTIONS, "p50", "p90", "p95", "p99"], n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {_KNOWN}"
        raise ValueError(f"unknown function {name[:60]!r}; {hint}")
    return name


FunctionName = Annotated[
    str,
    AfterValidator(_known),
    Field(
        strict=True,
        description=f"What is worked out: {_KNOWN}",
        examples=["p95"],
        json_schema_extra={"pattern": rf"^({'|'.join(_FUNCTIONS)}|{_PERCENTILE.pattern})$"},
    ),
]


class Aggregate(Compared):
    """Holds when a function of the values in (t - within, t] compares so with a number."""

    kind: Literal["aggregate"] = "aggregate"
    function: FunctionName
    field: Annotated[
        ValueText,
        Field(
            description="What is taken of an event: a field, or an expression such as `price * quantity`",
            examples=["duration_ms"],
        ),
    ]
    within: Within
    min_events: Annotated[
        int,
        Field(ge=1, le=1_000_000, strict=True, description="Judged from so many values in the window on"),
    ] = 1


class _Judge(Judge):
    sampled = True
    noted = True

    def __init__(self, condition: Aggregate) -> None:
        found = function(condition.function)
        assert found is not None
        self.function = found
        self.name = f"{condition.function} of {condition.field}"
        self.limit = condition.comparator
        self.least = max(condition.min_events, found.least)
        self.span = self.lasting = condition.within
        self.takes = found.takes
        self.find = value_of(condition.field)

    def sample(self, payload: dict[str, Any], event: Event) -> Any:
        value = self.takes(self.find(payload, event))
        return SKIP if value is None else value

    def holds(self, window: Window, time: int, event: bytes, sample: Any) -> bool:
        series: Series[Any] = window.memory
        series.add(window, time, event, sample)
        value = self.value(window, time)
        return value is not None and self.limit.holds(value, self.limit.threshold)

    def value(self, window: Window, time: int) -> float | None:
        tally = window.memory.measure(window, time, self.span)
        return self.function.value(tally) if tally.count >= self.least else None

    def verdict(self, window: Window, time: int, event: bytes) -> Verdict:
        series: Series[Any] = window.memory
        tally = series.measure(window, time, self.span)
        value = self.function.value(tally)
        about = f"about {number(value)}{self.function.margin}" if tally.rough else number(value)
        events = f"{tally.count} event{'s' if tally.count > 1 else ''}"
        words = f"{self.name} is {about} ({self.limit.words}) over {events} in {duration.seconds(self.span)}"
        evidence = series.newest(window, time, self.span) or [event]
        return Verdict(value, False, self.limit.threshold, time - self.span, time, evidence, words)

    def recovered(self, value: float, threshold: float) -> bool:
        return self.limit.recovered(value, threshold)

    def thin(self, window: Window, horizon: int) -> None:
        window.memory.thin(window, horizon)

    def dump(self, window: Window) -> Any:
        return window.memory.dump()

    def load(self, window: Window, notes: Any) -> None:
        window.memory = Series(self.function.tally, span=self.span, pane=max(1, self.span // PANES))
        window.memory.load(notes)


class AggregateKind(Kind):
    name = "aggregate"
    condition = Aggregate

    def judge(self, rule: Rule) -> Judge:
        return _Judge(cast(Aggregate, rule.when))

    def sentence(self, condition: Condition) -> str:
        said = cast(Aggregate, condition)
        length = duration.seconds(said.within)
        return f"{said.function} of {said.field} {said.comparator.words} in {length}"


KIND = AggregateKind()
