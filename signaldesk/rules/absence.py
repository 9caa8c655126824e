"""`absence`: what should come does not: nothing for so long, or not at the times of a schedule."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice, pairwise
from typing import Annotated, Any, Literal, cast

from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from signaldesk.clock import from_us, iso, to_us
from signaldesk.model import duration
from signaldesk.model.active import zone
from signaldesk.model.duration import Duration
from signaldesk.model.message import number
from signaldesk.model.rule import Condition, Rule
from signaldesk.model.window import Window
from signaldesk.rules._kind import Judge, Kind, Replay, Verdict

_NOBODY = bytes(16)
"""The event of a rule for which none has come yet."""


class Schedule(BaseModel):
    """When events are expected: cron, on the clocks of a place, and how late they may be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cron: Annotated[
        str, Field(max_length=200, description="Five fields, as in crontab", examples=["0 3 * * *"])
    ]
    timezone: Annotated[str, Field(description="IANA name of the clocks' place")] = "UTC"
    grace: Annotated[Duration, Field(description="How late an event may be", examples=["10m"])] = 0

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        zone(value)
        return value

    @field_validator("cron")
    @classmethod
    def _readable(cls, value: str) -> str:
        if len(value.split()) != 5:
            raise ValueError("expected five fields: minute hour day month weekday, e.g. '0 3 * * *'")
        try:
            next(CronSim(value, datetime(2026, 1, 1, tzinfo=UTC)))
        except (CronSimError, StopIteration):
            raise ValueError(f"{value[:60]!r} is no schedule; write e.g. '0 3 * * *'") from None
        return value

    def after(self, time: int) -> int:
        """The first moment of the schedule after a time (both µs)."""
        return to_us(next(CronSim(self.cron, from_us(time).astimezone(zone(self.timezone)))))

    def longest_gap(self) -> int:
        """The longest time (µs) between two of its moments, among a hundred."""
        moments = islice(CronSim(self.cron, datetime(2026, 1, 1, tzinfo=zone(self.timezone))), 100)
        return max((to_us(b) - to_us(a) for a, b in pairwise(moments)), default=duration.LONGEST)


class Absence(Condition):
    """Holds when no matching event of the group has come for `within`, or by a moment of the schedule."""

    kind: Literal["absence"] = "absence"
    within: Annotated[
        Duration | None, Field(description="Longest time between two events", examples=["10m"])
    ] = None
    expected: Annotated[
        Schedule | None, Field(description="Or the schedule: `cron`, `timezone`, `grace`")
    ] = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Absence:
        if (self.within is None) is (self.expected is None):
            raise ValueError("say either `within` or `expected`")
        if self.within is not None and self.within < 1000:
            raise ValueError("`within` is at least 1ms")
        return self


class _Silence:
    """The latest event of a group, and what is expected after it."""

    __slots__ = ("due", "event", "expected", "heard", "last", "missed", "missing", "rang", "returned")

    def __init__(self) -> None:
        self.last = -1
        """Since when nothing has come (µs): the latest event, or the rule's beginning."""
        self.event = _NOBODY
        self.heard = -1
        """When that event was (µs)."""
        self.expected = 0
        """The moment of the schedule that is waited for (µs)."""
        self.due: int | None = None
        self.missed = 0
        """Moments of the schedule that were missed in a row."""
        self.rang = -1
        """The deadline that was met last (µs); only an event that is not older ends the alert."""
        self.missing = True  # of a group without a past it is not known; to end no alert does no harm
        self.returned = False


_KEPT = ("last", "event", "heard", "expected", "due", "missing", "missed", "rang")

ASLEEP = 1_000
"""After so many moments of a schedule that were missed in a row, the next event is waited for: one event
with a clock that is decades behind must not come to millions of missed minutes."""


class _Judge(Judge):
    timed = puts_off = noted = ends = begins = True

    def __init__(self, rule: Rule, condition: Absence) -> None:
        self._what = " or ".join(rule.event)
        self._within = condition.within or 0
        self._schedule = condition.expected
        schedule = condition.expected
        self.span = schedule.longest_gap() + schedule.grace if schedule else self._within

    def holds(self, window: Window, time: int, event: bytes, sample: Any) -> bool:
        silence: _Silence = window.memory
        silence.returned = False
        if time > silence.heard:
            silence.heard, silence.event = time, event
        if time > silence.last:
            silence.returned = silence.missing
            self._wait(silence, time)
        return False

    def _wait(self, silence: _Silence, time: int) -> None:
        asleep = silence.missed >= ASLEEP
        silence.last, silence.missed = time, 0
        if time >= silence.rang:
            silence.missing = False
        if self._schedule is None:
            silence.due = time + self._within
        elif time >= silence.expected or asleep:
            silence.expected = max(silence.expected, self._schedule.after(time))
            silence.due = silence.expected + self._schedule.grace

    def begin(self, window: Window, time: int) -> None:
        self._wait(window.memory, time)

    def due(self, window: Window) -> int | None:
        silence: _Silence = window.memory
        return silence.due

    def ring(self, window: Window, time: int) -> bool:
        silence: _Silence = window.memory
        silence.missing, silence.due, silence.rang = True, None, time
        if self._schedule is not None:
            silence.expected = self._schedule.after(silence.expected)
            silence.missed += 1
            if silence.missed < ASLEEP:
                silence.due = silence.expected + self._schedule.grace
        return True

    def over(self, window: Window) -> bool:
        silence: _Silence = window.memory
        return silence.returned

    def verdict(self, window: Window, time: int, event: bytes) -> Verdict:
        silence: _Silence = window.memory
        quiet, allowed = (time - silence.last) / 1e6, self._within / 1e6
        evidence = [silence.event] if silence.event != _NOBODY else []
        since = f"since {from_us(silence.last):%Y-%m-%d %H:%M:%S} UTC"
        words = f"no {self._what} {since}" if evidence else f"no {self._what} yet, {since}"
        return Verdict(quiet, False, allowed or quiet, silence.last, time, evidence, words)

    def lacking(self, window: Window, time: int, now: int) -> str:
        silence: _Silence = window.memory
        if silence.due is None:
            return ""
        left = number((silence.due - now) / 1e6)
        return f"it came, and is missed if none comes until {iso(silence.due)}, {left} s later"

    def dump(self, window: Window) -> Any:
        silence: _Silence = window.memory
        return [getattr(silence, name) for name in _KEPT]

    def load(self, window: Window, notes: Any) -> None:
        silence = window.memory = _Silence()
        if notes is not None:
            for name, value in zip(_KEPT, notes, strict=False):  # fewer, from before there were as many
                setattr(silence, name, value)


class AbsenceKind(Kind):
    name = "absence"
    condition = Absence

    def judge(self, rule: Rule) -> Judge:
        assert isinstance(rule.when, Absence)
        return _Judge(rule, rule.when)

    def replay(self, rule: Rule) -> Replay:
        from signaldesk.rules._past.absence import AbsenceReplay

        condition = cast(Absence, rule.when)
        schedule = condition.expected
        if schedule is None:
            return AbsenceReplay(condition.within, int, 0)
        return AbsenceReplay(None, schedule.after, schedule.grace)

    def sentence(self, condition: Condition) -> str:
        assert isinstance(condition, Absence)
        if condition.expected is None:
            return f"none for {duration.seconds(condition.within or 0)}"
        grace = duration.seconds(condition.expected.grace)
        return f"none by {condition.expected.cron} ({condition.expected.timezone}) + {grace}"


KIND = AbsenceKind()
