"""`change`: this window against the one before it, or the same window a day or a week ago."""

from __future__ import annotations

from collections.abc import Callable
from operator import ge, le
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, cast

from pydantic import Field, model_validator

from signaldesk.errors import FieldError
from signaldesk.model import duration
from signaldesk.model.event import Event
from signaldesk.model.message import many, number
from signaldesk.model.rule import Condition, Rule
from signaldesk.model.window import Window
from signaldesk.rules._kind import EVIDENCE_MAX, SKIP, Judge, Kind, Replay, Verdict, Wanted
from signaldesk.rules._parameters import Share, ValueText, Within, value_of
from signaldesk.rules._series import EXACT, Series
from signaldesk.rules._tallies import Hits, Sums, finite, packed

if TYPE_CHECKING:
    from signaldesk.rules._columns import Bools, Columns, Ints
    from signaldesk.rules._fixed import Measure

_MINUTE = 60_000_000
_AGO = {"day": 1440 * _MINUTE, "week": 7 * 1440 * _MINUTE}
_LONGEST = 200 * _AGO["day"]
_SHORTEST = {"previous": 1000, "day": 5 * _MINUTE, "week": 30 * _MINUTE}
_PANES = {"previous": 64, "day": 8, "week": 8}
"""Past the cap of exact members, panes to a window."""
_EARLIER = {"previous": "the window before", "day": "a day ago", "week": "a week ago"}
_LIMITS: Final = ("rise", "fall", "rise_by", "fall_by")
_NAMES = "`rise`, `fall`, `rise_by`, `fall_by`"


def _relative(description: str, *examples: Any) -> Any:
    return Field(le=1_000_000, description=description, examples=list(examples) or None)


def _absolute(description: str) -> Any:
    return Field(gt=0, strict=True, allow_inf_nan=False, description=description)


class Change(Condition):
    """Holds when (t - within, t] rose or fell so far against the same window some time before."""

    kind: Literal["change"] = "change"
    rise: Annotated[Share | None, _relative("Rose by this share of the earlier value or more", "50%")] = None
    fall: Annotated[Share | None, _relative("Fell by this share of the earlier value or more")] = None
    rise_by: Annotated[float | None, _absolute("Rose by this much or more")] = None
    fall_by: Annotated[float | None, _absolute("Fell by this much or more")] = None
    function: Annotated[
        Literal["count", "sum", "avg"], Field(description="What is compared: events, or values of `field`")
    ] = "count"
    field: Annotated[
        ValueText | None,
        Field(description="What is taken of an event, for `sum` and `avg`: a field, or an expression"),
    ] = None
    within: Within
    against: Annotated[
        Literal["previous", "day", "week"],
        Field(description="The window just before, or the same one a day or a week ago"),
    ] = "previous"
    min_events: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000,
            strict=True,
            description="Judged when one of the two windows has so many events or more",
            examples=[2],
        ),
    ] = 10

    @model_validator(mode="after")
    def _one_limit(self) -> Change:
        given = [name for name in _LIMITS if getattr(self, name) is not None]
        if not given:
            raise ValueError(f"say how much of a change it takes: one of {_NAMES}")
        if len(given) > 1:
            raise ValueError(f"{' and '.join(f'`{name}`' for name in given)} contradict; say one of {_NAMES}")
        if getattr(self, given[0]) == 0:
            raise ValueError(f"`{given[0]}` is more than 0: no change is no change")
        if (self.field is None) != (self.function == "count"):
            if self.field is None:
                raise ValueError(f"`{self.function}` needs a `field` whose values it takes")
            raise ValueError("`count` takes no `field`; say `function: sum` or `avg`, or leave `field` out")
        return self

    @property
    def limit(self) -> tuple[str, float]:
        """Which of the four there is, and the number."""
        return next((name, value) for name in _LIMITS if (value := getattr(self, name)) is not None)

    @property
    def ago(self) -> int:
        """How far the two windows lie apart (µs)."""
        return _AGO.get(self.against, self.within)


class _Measured(NamedTuple):
    """Both windows, and how much of a change that is, in the direction of the condition."""

    now: float
    before: float
    change: float
    rough: bool


class _Judge(Judge):
    sampled = True
    noted = True

    def __init__(self, condition: Change) -> None:
        self.word, self.threshold = condition.limit
        self.function = condition.function
        self.of = f"{condition.function} of {condition.field}" if condition.field else "events"
        self.field = condition.field
        self.find = value_of(condition.field) if condition.field else None
        self.least = condition.min_events
        self.width = self.lasting = condition.within
        self.ago = condition.ago
        self.span = self.width + self.ago
        self.pane = max(1, self.width // _PANES[condition.against])
        self.earlier = _EARLIER[condition.against]

    def sample(self, payload: dict[str, Any], event: Event) -> Any:
        if self.find is None:
            return b""
        value = packed(self.find(payload, event))
        return SKIP if value is None else value

    def holds(self, window: Window, time: int, event: bytes, sample: Any) -> bool:
        series: Series[Any] = window.memory
        series.add(window, time, event, sample)
        if len(window.times) < self.least and not series.exact_from:
            return False  # neither window can have so many events
        measured = self._measure(window, time)
        return measured is not None and measured.change >= self.threshold

    def _measure(self, window: Window, time: int) -> _Measured | None:
        """None when there is too little to be judged, or nothing to compare with."""
        series: Series[Any] = window.memory
        one = series.measure(window, time, self.width)
        other = series.measure(window, time, self.width, view=1, ago=self.ago)
        return self.compared(one, other)

    def compared(self, one: Any, other: Any) -> _Measured | None:
        """What the tallies of the two windows come to."""
        if max(one.count, other.count) < self.least:
            return None
        if self.function == "count":
            now, before = float(one.count), float(other.count)
        elif not one.count or not other.count:
            return None
        elif self.function == "sum":
            now, before = one.sum(), other.sum()
        else:
            now, before = one.mean(), other.mean()
        change = now - before if self.word.startswith("rise") else before - now
        if not self.word.endswith("_by"):
            if not before:
                return None
            change /= abs(before)
        return _Measured(now, before, finite(change), one.rough or other.rough)

    def value(self, window: Window, time: int) -> float | None:
        """The rise or the fall."""
        measured = self._measure(window, time)
        return measured.change if measured else None

    def verdict(self, window: Window, time: int, event: bytes) -> Verdict:
        # What came late may have left nothing to compare with, where an earlier evaluation held.
        measured = self._measure(window, time) or _Measured(0.0, 0.0, 0.0, False)
        moved = "rose" if self.word.startswith("rise") else "fell"
        words = f"{self.of} {moved} {self._words(measured)}"
        evidence = window.memory.newest(window, time, self.width) or [event]
        start, margin = time - self.width, 0.0 if measured.rough else None
        return Verdict(measured.change, False, self.threshold, start, time, evidence, words, margin)

    def margin(self, window: Window, time: int) -> float | None:
        measured = self._measure(window, time)
        return 0.0 if measured and measured.rough else None

    def _words(self, measured: _Measured) -> str:
        about = "about " if measured.rough else ""
        return (
            f"from {about}{number(measured.before)} to {about}{number(measured.now)} "
            f"({self._amount(measured.change)}, limit {self._amount(self.threshold)}) "
            f"in {duration.seconds(self.width)} against {self.earlier}"
        )

    def lacking(self, window: Window, time: int, now: int) -> str:
        measured = self._measure(window, time)
        if measured is not None:
            return f"{self.of} went {self._words(measured)}"
        series: Series[Any] = window.memory
        present = series.measure(window, time, self.width).count
        past = series.measure(window, time, self.width, view=1, ago=self.ago).count
        if max(present, past) < self.least:
            least = many(self.least, "event")
            return f"there were {present}, and {past} before, of the {least} that it takes"
        return f"there was nothing to compare with {self.earlier}"

    def passed_over(self, payload: dict[str, Any], event: Event) -> str:
        return f"{self.field} is no number there"

    def _amount(self, change: float) -> str:
        return number(change) if self.word.endswith("_by") else f"{number(100 * change)} %"

    def recovered(self, value: float, threshold: float) -> bool:
        return value <= threshold

    def thin(self, window: Window, horizon: int) -> None:
        window.memory.thin(window, horizon)

    def dump(self, window: Window) -> Any:
        return window.memory.dump()

    def load(self, window: Window, notes: Any) -> None:
        tally = Hits if self.function == "count" else Sums
        window.memory = Series(tally, span=self.span, pane=self.pane, views=2)
        window.memory.load(window, notes)


class _Replay(Replay):
    exact = settles = True

    def __init__(self, condition: Change, judge: _Judge) -> None:
        self.judge = judge
        self.wanted = (Wanted(condition.field, "number", needed=True),) if condition.field else ()

    def holds(self, columns: Columns) -> Bools:
        return self._judged(columns, ge, self.judge.threshold)

    def recovered(self, columns: Columns, threshold: float) -> Bools:
        return self._judged(columns, le, threshold)

    def _judged(self, columns: Columns, holds: Callable[[Any, Any], Any], threshold: float) -> Bools:
        from signaldesk.rules._fixed import changed, compared

        judge, windows = self.judge, self._windows(columns)
        one, other = self._measured(columns, windows)
        word = judge.word
        measure = changed(one, other, rises=word.startswith("rise"), relative=not word.endswith("_by"))
        counts = [columns.totals(*window) for window in windows]

        def enough(rows: slice) -> Any:
            now, before = (count(rows) for count in counts)
            found = (now >= judge.least) | (before >= judge.least)
            return found if judge.function == "count" else found & (now > 0) & (before > 0)

        found, unsure = compared(len(columns), measure, holds, threshold, enough)
        for row in unsure.tolist():
            exact = judge.compared(
                *(self._tally(columns, columns.inside(row, *window)) for window in windows)
            )
            found[row] = exact is not None and holds(exact.change, threshold)
        return found

    def _windows(self, columns: Columns) -> list[tuple[Ints, Ints]]:
        """First rows and ends of this window, and of the one that it is compared with."""
        width, ago = self.judge.width, self.judge.ago
        earlier = columns.within(width, ago), columns.within(ago)
        return [(columns.within(width), columns.places), earlier]

    def _measured(self, columns: Columns, windows: list[tuple[Ints, Ints]]) -> list[Measure]:
        from signaldesk.rules._fixed import Fixed, counted

        if not self.wanted:
            return [counted(columns, first, end) for first, end in windows]
        sample = self.wanted[0].text
        fixed = columns.shared(("fixed", sample), lambda: Fixed(columns, columns.samples[sample]))
        measure = fixed.total if self.judge.function == "sum" else fixed.mean
        return [measure(first, end) for first, end in windows]

    def _tally(self, columns: Columns, rows: Ints) -> Sums:
        tally = Sums()
        for value in self.suffixes(columns, rows) or ():
            tally.add(value)
        return tally

    def unfit(self, columns: Columns) -> Bools | None:
        return columns.crowded(self.judge.span, EXACT)

    def first(self, columns: Columns, rows: Ints) -> Ints:
        return columns.after(rows, columns.times[rows] - self.judge.span)

    def latest(self, columns: Columns, rows: Ints) -> Ints:
        return columns.newest(rows, EVIDENCE_MAX, self.judge.width)

    def settle(self, columns: Columns, window: Window, row: int) -> None:
        from signaldesk.rules._past.settled import Counted, Settled, Values

        rows_of = [columns.inside(row, *bounds) for bounds in self._windows(columns)]
        if self.wanted:
            values = columns.samples[self.wanted[0].text]
            window.memory = Settled([Values(values[rows].tolist()) for rows in rows_of])
        else:
            window.memory = Settled([Counted(len(rows)) for rows in rows_of])

    def suffixes(self, columns: Columns, rows: Any) -> list[bytes] | None:
        if not self.wanted:
            return None
        return [packed(value) or b"" for value in columns.samples[self.wanted[0].text][rows].tolist()]


class ChangeKind(Kind):
    name = "change"
    condition = Change

    def judge(self, rule: Rule) -> Judge:
        return _Judge(cast(Change, rule.when))

    def check(self, rule: Rule) -> list[FieldError]:
        said = cast(Change, rule.when)
        shortest = _SHORTEST[said.against]
        if said.within < shortest:
            text = f"against {_EARLIER[said.against]}, a window is at least {duration.text(shortest)} long"
            return [FieldError("when.within", text)]
        longest = _AGO.get(said.against, _LONGEST)
        if said.within > longest:
            text = f"against {_EARLIER[said.against]}, a window is at most {duration.text(longest)} long"
            return [FieldError("when.within", text)]
        return []

    def replay(self, rule: Rule) -> Replay:
        condition = cast(Change, rule.when)
        return _Replay(condition, _Judge(condition))

    def sentence(self, condition: Condition) -> str:
        said = cast(Change, condition)
        word, limit = said.limit
        amount = number(limit) if word.endswith("_by") else f"{number(100 * limit)} %"
        of = f"{said.function} of {said.field}" if said.field else "events"
        return (
            f"{of} {word.removesuffix('_by')} by {amount} or more in {duration.seconds(said.within)} "
            f"against {_EARLIER[said.against]}"
        )


KIND = ChangeKind()
