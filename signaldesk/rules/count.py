"""`count`: so many matching events within a window, or so few."""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field

from signaldesk.model import duration
from signaldesk.model.message import measured, number
from signaldesk.model.rule import Condition, Rule
from signaldesk.model.window import Window
from signaldesk.rules._kind import EVIDENCE_MAX, Judge, Kind, Replay, Verdict
from signaldesk.rules._parameters import Comparator, Compared, Within

if TYPE_CHECKING:
    from signaldesk.rules._columns import Bools, Columns, Ints

MOST = 10_000


def _events(least: int, description: str, *examples: int) -> Any:
    return Field(ge=least, le=MOST, strict=True, description=description, examples=list(examples) or None)


class Count(Compared):
    """Holds when so many matching events of the group, the judged one included, lie in (t - within, t]."""

    kind: Literal["count"] = "count"
    above: Annotated[int | None, _events(0, "More matching events than this")] = None
    at_least: Annotated[int | None, _events(1, "This many matching events or more", 3)] = None
    below: Annotated[int | None, _events(2, "Fewer matching events than this")] = None
    at_most: Annotated[int | None, _events(1, "This many matching events or fewer")] = None
    within: Within


class _Judge(Judge):
    """Keeps as many members as decide whether there are `need`: less than that is the true number."""

    def __init__(self, comparator: Comparator, width: int) -> None:
        self.limit = comparator
        self.enough = comparator.upwards
        whole = int(comparator.threshold)
        self.need = whole + 1 if comparator.word in ("above", "at_most") else whole
        self.span = self.lasting = width

    def holds(self, window: Window, time: int, event: bytes, sample: Any) -> bool:
        return window.arrive(time, event, self.need, self.span) is self.enough

    def verdict(self, window: Window, time: int, event: bytes) -> Verdict:
        found = self.need if self.enough else window.count(time, self.span)
        # An event that arrived out of order vouches for itself: its neighbours may have been thinned out.
        evidence = window.newest(min(found, EVIDENCE_MAX), time) or [event]
        words = ""
        if self.limit.word != "at_least":
            measured = f"{number(found)}{' or more' if self.enough else ''}"
            words = f"{measured} in {duration.seconds(self.span)} ({self.limit.words})"
        return Verdict(found, self.enough, self.limit.threshold, time - self.span, time, evidence, words)

    def value(self, window: Window, time: int) -> float | None:
        """How many there are, as far as they are kept."""
        return float(min(self.need, window.count(time, self.span)))

    def lacking(self, window: Window, time: int, now: int) -> str:
        found = window.count(time, self.span)
        return f"the value was {measured(min(self.need, found), found >= self.need)}"

    def recovered(self, value: float, threshold: float) -> bool:
        return self.limit.recovered(value, threshold)

    def thin(self, window: Window, horizon: int) -> None:
        window.thin(self.need, self.span, horizon)


class _Replay(Replay):
    """Row i crosses if the row `need` - 1 places before it lies in its window, in its group."""

    exact = True

    def __init__(self, judge: _Judge) -> None:
        self.judge = judge

    def holds(self, columns: Columns) -> Bools:
        reaches = columns.reaches(self.judge.need, self.judge.span)
        return reaches if self.judge.enough else ~reaches

    def recovered(self, columns: Columns, threshold: float) -> Bools:
        """The value is whole, and not counted beyond `need`."""
        judge = self.judge
        if judge.enough:  # back at the threshold or below: not one more than it
            more = floor(threshold) + 1
            if more > judge.need:
                return columns.reaches(1, judge.span)
            return ~columns.reaches(more, judge.span) if more > 0 else ~columns.reaches(1, judge.span)
        least = ceil(threshold)
        if least > judge.need:
            return ~columns.reaches(1, judge.span)
        return columns.reaches(max(least, 1), judge.span)

    def measured(self, columns: Columns) -> Any:
        return columns.total(columns.within(self.judge.span), columns.places).astype(float)

    def first(self, columns: Columns, rows: Ints) -> Ints:
        return columns.newest(rows, self.judge.need, self.judge.span)


class CountKind(Kind):
    name = "count"
    condition = Count

    def judge(self, rule: Rule) -> Judge:
        condition = cast(Count, rule.when)
        return _Judge(condition.comparator, condition.within)

    def replay(self, rule: Rule) -> Replay:
        condition = cast(Count, rule.when)
        return _Replay(_Judge(condition.comparator, condition.within))

    def sentence(self, condition: Condition) -> str:
        assert isinstance(condition, Count)
        limit = condition.comparator
        said = {
            "above": f"more than {number(limit.threshold)}",
            "at_least": f"{number(limit.threshold)} or more",
            "below": f"fewer than {number(limit.threshold)}",
            "at_most": f"{number(limit.threshold)} or fewer",
        }
        return f"{said[limit.word]} in {duration.seconds(condition.within)}"


KIND = CountKind()
