"""`anomaly`: the count or another figure of a bin of time is unlike anything usual for its group."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, cast

from pydantic import Field, field_validator, model_validator

from signaldesk import filters
from signaldesk.clock import from_us, iso
from signaldesk.errors import FieldError, Invalid
from signaldesk.model import duration
from signaldesk.model.active import zone
from signaldesk.model.duration import Duration
from signaldesk.model.event import Event
from signaldesk.model.group import look_up
from signaldesk.model.message import number
from signaldesk.model.rule import Condition, Rule
from signaldesk.model.window import Window
from signaldesk.rules._anomaly.bins import Bin, Bins
from signaldesk.rules._anomaly.detector import SCORE_MAX, THRESHOLD
from signaldesk.rules._kind import EVIDENCE_MAX, SKIP, Judge, Kind, Replay, Verdict

MEMBERS = 1_000
"""Newest events of a group whose ids are kept: for evidence, and so that one sent again counts once."""
LEARNED = 2_000
"""Bins of history that are learned anew from stored events when Redis lost what was known …"""
LEARNED_MOST = 14 * 86_400_000_000
"""… and the longest time (µs) that this may reach back."""

Function = Literal["count", "sum", "avg", "min", "max"]
_MICROSECOND = timedelta(microseconds=1)
_SIDES = {"up": 1, "down": -1, "both": 0}
_MOST = {"up": "high", "down": "low", "both": "unusual"}


class Anomaly(Condition):
    """Holds when a bin of time ends whose figure is more unusual than `score`, for its hour and weekday."""

    kind: Literal["anomaly"] = "anomaly"
    bin: Annotated[Duration, Field(description="Length of a bin, 1s to 1 day", examples=["5m"])]
    function: Annotated[
        Function, Field(description="The figure of a bin: count, sum, avg, min, max", examples=["count"])
    ] = "count"
    field: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=200,
            strict=True,
            description="Payload field for every function but count; `user.plan` goes into objects",
        ),
    ] = None
    direction: Annotated[
        Literal["up", "down", "both"],
        Field(description="Whether only high figures are unusual (up), only low ones, or both"),
    ] = "both"
    score: Annotated[
        float,
        Field(
            gt=1,
            le=1000,
            strict=True,
            description="How unusual a bin has to be; 1 is like the fifth most unusual of the last 1,000",
            examples=[THRESHOLD],
        ),
    ] = THRESHOLD
    min_history: Annotated[
        Duration, Field(description="Time that a group is only watched at first; at least 50 bins are")
    ] = 86_400_000_000
    settle: Annotated[
        Duration, Field(description="How long after its end a bin waits for events that come late")
    ] = 5_000_000

    timezone: Annotated[
        str, Field(description="IANA name of the place on whose clocks hours and weekdays are usual or not")
    ] = "UTC"

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        zone(value)
        return value

    @field_validator("bin")
    @classmethod
    def _sensible(cls, value: int) -> int:
        if not 1_000_000 <= value <= 86_400_000_000:
            raise ValueError("a bin is 1s to 1d long")
        return value

    @field_validator("settle")
    @classmethod
    def _soon(cls, value: int) -> int:
        if value > 3_600_000_000:
            raise ValueError("a bin settles within 1h")
        return value

    @model_validator(mode="after")
    def _field_of_function(self) -> Anomaly:
        if self.function != "count" and self.field is None:
            raise ValueError(f"`{self.function}` needs a `field`")
        if self.function == "count" and self.field is not None:
            raise ValueError("`count` takes no `field`; choose sum, avg, min or max")
        return self


class _Judge(Judge):
    timed = puts_off = noted = True

    def __init__(self, condition: Anomaly) -> None:
        self._what = condition
        self.sampled = condition.field is not None
        self._find = look_up(condition.field) if condition.field is not None else None
        self._side = _SIDES[condition.direction]
        self._zone = zone(condition.timezone) if condition.timezone != "UTC" else None
        self.span = 2 * condition.bin + condition.settle
        self.learned = min(LEARNED * condition.bin, LEARNED_MOST)

    def sample(self, payload: dict[str, Any], event: Event) -> Any:
        assert self._find is not None
        value = self._find(payload)
        return float(value) if type(value) is float or type(value) is int else SKIP

    def holds(self, window: Window, time: int, event: bytes, sample: Any) -> bool:
        bins: Bins = window.memory
        if type(sample) is Bin:
            bins.put(time, sample)
        elif window.add(time, event):
            bins.take(time, 1.0 if sample is None else sample)
        return False

    def due(self, window: Window) -> int | None:
        bins: Bins = window.memory
        return None if bins.next is None else bins.next + self._what.bin + self._what.settle

    def ring(self, window: Window, time: int) -> bool:
        what, bins = self._what, window.memory
        assert isinstance(bins, Bins)
        limit = what.score if self._known(bins) else SCORE_MAX + 1
        return bins.close(self._figure, limit, self._side, self._local)

    def _known(self, bins: Bins) -> bool:
        """Whether it has watched for long enough."""
        return bins.detector.count * self._what.bin >= self._what.min_history

    def _local(self, time: int) -> int:
        """What the clocks of the place show, as µs since 1970 there."""
        if self._zone is None:
            return time
        offset = from_us(time).astimezone(self._zone).utcoffset()
        return time + (offset // _MICROSECOND if offset else 0)

    def _figure(self, one: Bin | None) -> float | None:
        """The figure of a bin; None where there is none."""
        function = self._what.function
        if one is None:
            return 0.0 if function in ("count", "sum") else None
        if function == "avg":
            return one.total / one.count
        return {"count": float(one.count), "sum": one.total, "min": one.low, "max": one.high}[function]

    def verdict(self, window: Window, time: int, event: bytes) -> Verdict:
        what, bins = self._what, window.memory
        assert isinstance(bins, Bins)
        start, end = bins.closed, bins.closed + what.bin
        inside = zip(window.times, window.ids, strict=True)
        evidence = [id_ for at, id_ in inside if start <= at < end][-EVIDENCE_MAX:]
        words = f"{self._shown(bins)} is {_MOST[what.direction]}: {self._usual(bins)}"
        return Verdict(bins.score, False, what.score, start, end, evidence, words)

    def _shown(self, bins: Bins) -> str:
        what, value = self._what, number(bins.value)
        figure = f"{value} events" if what.function == "count" else f"{what.function} of {what.field} {value}"
        return f"{figure} in {duration.seconds(what.bin)}"

    def _usual(self, bins: Bins) -> str:
        usual = number(float(f"{bins.expected:.3g}"))
        limit = number(self._what.score)
        return f"about {usual} is usual at that time (score {bins.score:.2f}, limit {limit})"

    def lacking(self, window: Window, time: int, now: int) -> str:
        what, bins = self._what, window.memory
        assert isinstance(bins, Bins)
        if not self._known(bins):
            so_far, whole = bins.detector.count * what.bin, duration.rough(what.min_history)
            return f"it had watched for {duration.rough(so_far)} of the {whole} that it does at first"
        return f"the latest bin to end, of {iso(bins.closed)}, had {self._shown(bins)}: {self._usual(bins)}"

    def passed_over(self, payload: dict[str, Any], event: Event) -> str:
        return f"{self._what.field} is no number there"

    def thin(self, window: Window, horizon: int) -> None:
        """Keep the newest ids of bins that are open or were closed just now."""
        bins: Bins = window.memory
        first = max(0, len(window.times) - MEMBERS)
        while first < len(window.times) and window.times[first] < bins.closed:
            first += 1
        if first:
            window.times, window.ids = window.times[first:], window.ids[first:]
            window.fresh, window.rewrite = min(window.fresh, len(window.times)), True
        window.limit = 2 * MEMBERS

    def dump(self, window: Window) -> Any:
        bins: Bins = window.memory
        return bins.dump()

    def load(self, window: Window, notes: Any) -> None:
        window.memory = Bins.load(self._what.bin, notes)


def is_path(field: str) -> bool:
    """Whether a filter takes this for the same field of the payload."""
    try:
        path = filters.parse_value(field).path
    except Invalid:
        return False
    return (
        path is not None and all(isinstance(step, str) for step in path) and ".".join(map(str, path)) == field
    )


class AnomalyKind(Kind):
    name = "anomaly"
    condition = Anomaly
    plain_field = True

    def judge(self, rule: Rule) -> Judge:
        assert isinstance(rule.when, Anomaly)
        return _Judge(rule.when)

    def replay(self, rule: Rule) -> Replay | None:
        from signaldesk.rules._past.anomaly import AnomalyReplay

        condition = cast(Anomaly, rule.when)
        if condition.field is not None and not is_path(condition.field):
            return None  # a spelling that filters read in another way
        return AnomalyReplay(condition.bin, condition.settle, condition.field, MEMBERS)

    def sentence(self, condition: Condition) -> str:
        assert isinstance(condition, Anomaly)
        figure = "events" if condition.field is None else f"{condition.function} of {condition.field}"
        return (
            f"unusually {_MOST[condition.direction]} {figure} in {duration.seconds(condition.bin)}".replace(
                "unusually unusual", "unusual"
            )
        )

    def check(self, rule: Rule) -> list[FieldError]:
        faults = []
        if rule.for_:
            why = "has no meaning for anomaly, which holds for one bin; choose a longer `bin`"
            faults.append(FieldError("for", why))
        if rule.resolve is not None and rule.resolve.threshold is not None:
            why = "has no meaning for anomaly, which begins once; say `quiet_for`"
            faults.append(FieldError("resolve.threshold", why))
        return faults


KIND = AnomalyKind()
