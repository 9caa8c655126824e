"""`aggregate`: sum, average, extremes, percentiles, deviation, distinct values of a field within a window."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, cast

from pydantic import AfterValidator, Field

from signaldesk.filters import parse_value
from signaldesk.model import duration
from signaldesk.model.event import Event
from signaldesk.model.message import many, measured
from signaldesk.model.rule import Condition, Rule
from signaldesk.model.window import Window
from signaldesk.rules._kind import SKIP, Judge, Kind, Replay, Verdict, Wanted
from signaldesk.rules._parameters import Comparator, Compared, ValueText, Within, value_of
from signaldesk.rules._series import EXACT, Series, Tally
from signaldesk.rules._tallies import Different, Ranks, Sums, digest, double, packed

if TYPE_CHECKING:
    from signaldesk.rules._columns import Bools, Columns, Ints
    from signaldesk.rules._fixed import Measure

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
    margin: float = 0.0
    """How far off it may be past the cap, as a share of it, besides the edges of the window."""
    rank: Callable[[Any], Any] | None = None
    """Of a count of values, or of many counts: which of them in order is the value, if it is one of them."""
    between: bool = False
    """Whether it lies between the least and the greatest value."""


def _ranked(rank: Callable[[Any], Any]) -> _Function:
    """The value at a rank, which follows from how many there are; 1 is the least."""
    return _Function(
        Ranks, lambda tally: tally.ranked(rank(tally.count)), margin=0.01, rank=rank, between=True
    )


def _percentile(thousandths: int) -> _Function:
    """The smallest value that at least so many thousandths of all are not greater than."""
    return _ranked(lambda count: -(-count * thousandths // 1000))


_FUNCTIONS: dict[str, _Function] = {
    "sum": _Function(Sums, lambda tally: tally.sum()),
    "avg": _Function(Sums, lambda tally: tally.mean(), between=True),
    "min": _ranked(lambda count: 1),
    "max": _ranked(lambda count: count),
    "stddev": _Function(Sums, lambda tally: tally.deviation(), least=2),
    "distinct": _Function(Different, lambda tally: float(tally.different()), takes=digest, margin=0.02),
}
_KNOWN = f"{', '.join(_FUNCTIONS)}, or a percentile such as p50, p95, p99.9"


def function(name: str) -> _Function | None:
    """The function of that name, None for one that there is not."""
    if match := _PERCENTILE.fullmatch(name):
        thousandths = int(match[1]) * 10 + int(match[2] or 0)
        return _percentile(thousandths) if thousandths else None
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
        self.holds_so, self.threshold = self.limit.holds, self.limit.threshold
        self.least = self.few = max(condition.min_events, found.least)
        if condition.function == "distinct" and self.limit.upwards:
            self.few = max(self.few, math.ceil(self.threshold))
        self.between = found.between
        self.span = self.lasting = condition.within
        self.takes = found.takes
        self.field, self.find = condition.field, value_of(condition.field)

    def sample(self, payload: dict[str, Any], event: Event) -> Any:
        value = self.takes(self.find(payload, event))
        return SKIP if value is None else value

    def holds(self, window: Window, time: int, event: bytes, sample: Any) -> bool:
        series: Series[Any] = window.memory
        series.add(window, time, event, sample)
        if self.between and time > series.telling and self.holds_so(double(sample), self.threshold):
            series.telling = time
        if not series.exact_from and (
            len(window.times) < self.few or (self.between and series.telling <= time - self.span)
        ):
            return False  # without a look at what the window comes to
        tally = series.measure(window, time, self.span)
        return tally.count >= self.least and self.holds_so(self.function.value(tally), self.threshold)

    def value(self, window: Window, time: int) -> float | None:
        tally = window.memory.measure(window, time, self.span)
        return self.function.value(tally) if tally.count >= self.least else None

    def verdict(self, window: Window, time: int, event: bytes) -> Verdict:
        series: Series[Any] = window.memory
        tally = series.measure(window, time, self.span)
        value = self.function.value(tally)
        margin = self._margin(tally)
        about = measured(value, margin=margin)
        events = f"{tally.count} event{'s' if tally.count > 1 else ''}"
        words = f"{self.name} is {about} ({self.limit.words}) over {events} in {duration.seconds(self.span)}"
        evidence = series.newest(window, time, self.span) or [event]
        return Verdict(value, False, self.limit.threshold, time - self.span, time, evidence, words, margin)

    def margin(self, window: Window, time: int) -> float | None:
        return self._margin(window.memory.measure(window, time, self.span))

    def _margin(self, tally: Tally) -> float | None:
        return self.function.margin if tally.rough else None

    def lacking(self, window: Window, time: int, now: int) -> str:
        count = window.memory.measure(window, time, self.span).count
        if count < self.least:
            return f"there were {count} of the {many(self.least, 'value')} that it takes"
        return super().lacking(window, time, now)

    def passed_over(self, payload: dict[str, Any], event: Event) -> str:
        return f"{self.field} is no {'single value' if self.takes is digest else 'number'} there"

    def recovered(self, value: float, threshold: float) -> bool:
        return self.limit.recovered(value, threshold)

    def thin(self, window: Window, horizon: int) -> None:
        window.memory.thin(window, horizon)

    def dump(self, window: Window) -> Any:
        return window.memory.dump()

    def load(self, window: Window, notes: Any) -> None:
        window.memory = Series(self.function.tally, span=self.span, pane=max(1, self.span // PANES))
        window.memory.load(window, notes)


class _Replay(Replay):
    """A value in order is compared without being found: by how many values lie below the limit."""

    def __init__(self, condition: Aggregate, judge: _Judge) -> None:
        self.name, self.judge = condition.function, judge
        what: Literal["number", "scalar"] = "scalar" if self.name == "distinct" else "number"
        self.wanted = (Wanted(condition.field, what, needed=True),)
        self.exact = what == "number"

    def holds(self, columns: Columns) -> Bools:
        return self._judged(columns, self.judge.limit)

    def recovered(self, columns: Columns, threshold: float) -> Bools:
        word = "at_most" if self.judge.limit.upwards else "at_least"
        return self._judged(columns, Comparator.of(word, threshold))

    def _judged(self, columns: Columns, limit: Comparator) -> Bools:
        from signaldesk.rules._blocks import by_blocks

        first, rank = columns.within(self.judge.span), self.judge.function.rank
        counts = columns.totals(first, columns.places)

        def enough(rows: slice) -> Any:
            return counts(rows) >= self.judge.least

        if rank is not None:
            ranked = self._ranked(columns, first, rank, limit)

            def holds_at(rows: slice) -> Any:
                there = counts(rows)
                return ranked(rows, there) & (there >= self.judge.least)

            return by_blocks(len(columns), bool, holds_at)
        if self.name == "distinct":
            holds: Callable[[Any, float], Any] = limit.holds
            many = holds(columns.different(self._again(columns), first), limit.threshold)
            return by_blocks(len(columns), bool, lambda rows: many[rows] & enough(rows))
        return self._summed(columns, first, enough, limit)

    def _ranked(
        self, columns: Columns, first: Ints, rank: Callable[[Any], Any], limit: Comparator
    ) -> Callable[[slice, Ints], Any]:
        """Whether the value of that rank holds, for the rows of a block and their counts."""
        values = self._values(columns)
        strictly = limit.word in ("at_least", "below")
        low = values < limit.threshold if strictly else values <= limit.threshold
        lower = columns.totals(first, columns.places, low)

        def ranked(rows: slice, counts: Ints) -> Any:
            return lower(rows) < rank(counts) if limit.upwards else lower(rows) >= rank(counts)

        return ranked

    def _summed(
        self, columns: Columns, first: Ints, enough: Callable[[slice], Bools], limit: Comparator
    ) -> Bools:
        from signaldesk.rules._fixed import compared

        measure = self._measured(columns, first)
        found, unsure = compared(len(columns), measure, limit.holds, limit.threshold, enough)
        for row in unsure.tolist():
            tally = self.judge.function.tally()
            for value in self.suffixes(columns, columns.inside(row, first, columns.places)):
                tally.add(value)
            found[row] = limit.holds(self.judge.function.value(tally), limit.threshold)
        return found

    def measured(self, columns: Columns) -> Any:
        from signaldesk.rules._blocks import by_blocks

        first = columns.within(self.judge.span)
        counts = columns.totals(first, columns.places)
        if self.name == "distinct":
            many = columns.different(self._again(columns), first)

            def values(rows: slice) -> Any:
                return many[rows].astype(float)
        else:
            measure = self._measured(columns, first)

            def values(rows: slice) -> Any:
                return measure(rows).values

        def judged(rows: slice) -> Any:
            found = values(rows)
            found[counts(rows) < self.judge.least] = math.nan
            return found

        return by_blocks(len(columns), float, judged)

    def nearest(self, columns: Columns, slots: Ints, count: int, *, most: bool) -> Any:
        rank = self.judge.function.rank
        if rank is None:
            return super().nearest(columns, slots, count, most=most)
        from signaldesk.rules._blocks import by_blocks
        from signaldesk.rules._ranked import extreme

        first = columns.within(self.judge.span)
        counts = columns.totals(first, columns.places)

        def ranks(rows: slice) -> Any:
            there = counts(rows)
            return rank(there) * ((there >= self.judge.least) & (slots[rows] >= 0))

        ranked = by_blocks(len(columns), "int64", ranks)
        return extreme(columns, self.wanted[0].text, first, ranked, slots, count, most=most)

    def _measured(self, columns: Columns, first: Ints) -> Measure:
        from signaldesk.rules._fixed import Fixed, Spread

        values, ends, sample = self._values(columns), columns.places, self.wanted[0].text
        if self.name == "stddev":
            spread = columns.shared(("spread", sample), lambda: Spread(columns, values))
            return spread.deviation(first, ends)
        fixed = columns.shared(("fixed", sample), lambda: Fixed(columns, values))
        return fixed.total(first, ends) if self.name == "sum" else fixed.mean(first, ends)

    def _again(self, columns: Columns) -> Ints:
        return columns.shared(("again", self.wanted[0].text), lambda: columns.again(self._values(columns)))

    def unfit(self, columns: Columns) -> Bools | None:
        return columns.crowded(self.judge.span, EXACT)

    def first(self, columns: Columns, rows: Ints) -> Ints:
        return columns.after(rows, columns.times[rows] - self.judge.span)

    def suffixes(self, columns: Columns, rows: Any) -> list[bytes]:
        values = self._values(columns)[rows].tolist()
        if self.name == "distinct":
            names = columns.names[self.wanted[0].text]
            return [names[value] for value in values]
        return [packed(value) or b"" for value in values]

    def _values(self, columns: Columns) -> Any:
        return columns.samples[self.wanted[0].text]


class AggregateKind(Kind):
    name = "aggregate"
    condition = Aggregate

    def judge(self, rule: Rule) -> Judge:
        return _Judge(cast(Aggregate, rule.when))

    def replay(self, rule: Rule) -> Replay | None:
        condition = cast(Aggregate, rule.when)
        if condition.function == "distinct" and parse_value(condition.field).path is None:
            return None
        if float(condition.comparator.threshold) != condition.comparator.threshold:
            return None  # a whole number that is no double
        return _Replay(condition, _Judge(condition))

    def sentence(self, condition: Condition) -> str:
        said = cast(Aggregate, condition)
        length = duration.seconds(said.within)
        return f"{said.function} of {said.field} {said.comparator.words} in {length}"


KIND = AggregateKind()
