"""`ratio`: which share of the events within a window passes the rule's filter."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field

from signaldesk import filters
from signaldesk.errors import FieldError
from signaldesk.model import duration
from signaldesk.model.event import Event
from signaldesk.model.message import many, number
from signaldesk.model.rule import Condition, Rule
from signaldesk.model.window import Window
from signaldesk.rules._kind import EVIDENCE_MAX, Judge, Kind, Replay, Verdict, Wanted
from signaldesk.rules._parameters import Compared, FilterText, Share, Within, share_limit
from signaldesk.rules._series import EXACT, ID, Series
from signaldesk.rules._tallies import Hits

if TYPE_CHECKING:
    from signaldesk.rules._columns import Bools, Columns, Ints

PANES = 64
"""Past the cap of exact members, panes to a window."""


class Ratio(Compared):
    """Holds when the share of events in (t - within, t] for which `where` holds compares so with a number."""

    kind: Literal["ratio"] = "ratio"
    among: Annotated[
        FilterText | None,
        Field(
            description="Filter: of which of the rule's events it is a share; all, when there is none",
        ),
    ] = None
    above: Annotated[Share | None, share_limit("Holds while the share is greater than this", 0.05)] = None
    at_least: Annotated[Share | None, share_limit("Holds while the share is this or greater")] = None
    below: Annotated[Share | None, share_limit("Holds while the share is less than this")] = None
    at_most: Annotated[Share | None, share_limit("Holds while the share is this or less")] = None
    within: Within
    min_events: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000,
            strict=True,
            description="Judged from so many events in the window on",
            examples=[2],
        ),
    ] = 20


class _Judge(Judge):
    sampled = True
    noted = True

    def __init__(self, condition: Ratio, where: str) -> None:
        self.limit = condition.comparator
        self.holds_so, self.threshold = self.limit.holds, self.limit.threshold
        self.least = condition.min_events
        self.telling = self.holds_so(0.0, self.threshold), self.holds_so(1.0, self.threshold)
        """Whether it holds for a window of events that do not pass the filter, and for one of such that do:
        any share lies between theirs."""
        self.span = self.lasting = condition.within
        self.passes = filters.parse(where).predicate

    def sample(self, payload: dict[str, Any], event: Event) -> Any:
        return b"\1" if self.passes(payload, event.type, event.source, event.timestamp) else b""

    def holds(self, window: Window, time: int, event: bytes, sample: Any) -> bool:
        series: Series[Hits] = window.memory
        series.add(window, time, event, sample)
        if self.telling[sample != b""]:
            series.telling = max(series.telling, time)
        if not series.exact_from and (len(window.times) < self.least or series.telling <= time - self.span):
            return False  # without a look at what the window comes to
        tally = series.measure(window, time, self.span)
        return tally.count >= self.least and self.holds_so(tally.hits / tally.count, self.threshold)

    def value(self, window: Window, time: int) -> float | None:
        tally = window.memory.measure(window, time, self.span)
        return tally.hits / tally.count if tally.count >= self.least else None

    def verdict(self, window: Window, time: int, event: bytes) -> Verdict:
        tally = window.memory.measure(window, time, self.span)
        value = tally.hits / tally.count
        words = (
            f"{_share(tally)} in {duration.seconds(self.span)} ({self.limit.word.replace('_', ' ')} "
            f"{number(100 * self.limit.threshold)} %)"
        )
        evidence = self._evidence(window, time) or [event]
        margin = 0.0 if tally.rough else None
        return Verdict(value, False, self.limit.threshold, time - self.span, time, evidence, words, margin)

    def margin(self, window: Window, time: int) -> float | None:
        return 0.0 if window.memory.measure(window, time, self.span).rough else None

    def lacking(self, window: Window, time: int, now: int) -> str:
        tally = window.memory.measure(window, time, self.span)
        if tally.count < self.least:
            return f"there were {tally.count} of the {many(self.least, 'event')} that it takes"
        return f"it was {_share(tally)}"

    def _evidence(self, window: Window, time: int) -> list[bytes]:
        """The newest events that pass the filter, where many of them are bad; else those that do not."""
        members = window.memory.members(window, time, self.span)
        found = [member[:ID] for member in members if (len(member) > ID) is self.limit.upwards]
        return found[-EVIDENCE_MAX:]

    def recovered(self, value: float, threshold: float) -> bool:
        return self.limit.recovered(value, threshold)

    def thin(self, window: Window, horizon: int) -> None:
        window.memory.thin(window, horizon)

    def dump(self, window: Window) -> Any:
        return window.memory.dump()

    def load(self, window: Window, notes: Any) -> None:
        window.memory = Series(Hits, span=self.span, pane=max(1, self.span // PANES))
        window.memory.load(window, notes)


def _share(tally: Hits) -> str:
    share = number(100 * tally.hits / tally.count)
    return f"{'about ' if tally.rough else ''}{tally.hits} of {many(tally.count, 'event')} ({share} %)"


class _Replay(Replay):
    """Both counts are differences of running counts."""

    exact = True

    def __init__(self, condition: Ratio, where: str) -> None:
        self.limit, self.least, self.span = condition.comparator, condition.min_events, condition.within
        self.wanted = (Wanted(where, "truth"),)

    def holds(self, columns: Columns) -> Bools:
        return self._judged(columns, self.limit.holds, self.limit.threshold)

    def recovered(self, columns: Columns, threshold: float) -> Bools:
        return self._judged(columns, self.limit.recovered, threshold)

    def _judged(self, columns: Columns, holds: Callable[[Any, float], Any], threshold: float) -> Bools:
        from signaldesk.rules._blocks import by_blocks

        first, end = columns.within(self.span), columns.places
        counts, passing = columns.totals(first, end), columns.totals(first, end, self._passes(columns))

        def judged(rows: slice) -> Any:
            events = counts(rows)
            return holds(passing(rows) / events, threshold) & (events >= self.least)

        return by_blocks(len(columns), bool, judged)

    def measured(self, columns: Columns) -> Any:
        first, end = columns.within(self.span), columns.places
        events = columns.total(first, end).astype(float)
        events[events < self.least] = math.nan
        return columns.total(first, end, self._passes(columns)) / events

    def unfit(self, columns: Columns) -> Bools | None:
        return columns.crowded(self.span, EXACT)

    def first(self, columns: Columns, rows: Ints) -> Ints:
        return columns.after(rows, columns.times[rows] - self.span)

    def suffixes(self, columns: Columns, rows: Ints) -> list[bytes]:
        return [b"\1" if passes else b"" for passes in self._passes(columns)[rows].tolist()]

    def _passes(self, columns: Columns) -> Any:
        return columns.samples[self.wanted[0].text]


class RatioKind(Kind):
    name = "ratio"
    condition = Ratio
    wants_where = True

    def judge(self, rule: Rule) -> Judge:
        return _Judge(cast(Ratio, rule.when), rule.where or "TRUE")

    def replay(self, rule: Rule) -> Replay:
        return _Replay(cast(Ratio, rule.when), rule.where or "TRUE")

    def check(self, rule: Rule) -> list[FieldError]:
        if rule.where is None:
            return [FieldError("where", "is missing: a ratio is the share of events that pass it")]
        return []

    def where(self, rule: Rule) -> str | None:
        return cast(Ratio, rule.when).among

    def sentence(self, condition: Condition) -> str:
        said = cast(Ratio, condition)
        limit = f"{said.comparator.word.replace('_', ' ')} {number(100 * said.comparator.threshold)} %"
        among = f" of events with {said.among}" if said.among else " of events"
        return f"{limit}{among} in {duration.seconds(said.within)}"


KIND = RatioKind()
