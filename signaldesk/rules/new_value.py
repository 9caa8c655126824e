"""`new_value`: a field has a value that was not seen for so long, or never."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from hashlib import blake2b
from typing import Annotated, Any, Literal, cast

from pydantic import Field, model_validator

from signaldesk.clock import iso
from signaldesk.errors import FieldError
from signaldesk.model import duration, group
from signaldesk.model.duration import Duration
from signaldesk.model.event import Event
from signaldesk.model.message import clip
from signaldesk.model.rule import Condition, Rule
from signaldesk.model.window import Window
from signaldesk.rules._kind import SKIP, Judge, Kind, Replay, Verdict
from signaldesk.rules._parameters import Within

_DIGEST = 16
"""Bytes that stand for a value."""
MOST = 20_000
"""Values that are remembered of a group; past that, the one that was not judged for longest is forgotten."""
_SPARE = 1_000
"""Members that a window may have beyond those it needs before it is looked through."""
_REMEMBERED = 1_000
"""Values whose digests a rule remembers: many events have the same."""
_SHOWN = 80


class NewValue(Condition):
    """Holds when no other event of the group had the same value of `field` in (t - within, t]."""

    kind: Literal["new_value"] = "new_value"
    field: Annotated[
        str,
        Field(
            min_length=1,
            max_length=200,
            examples=["country"],
            description="Payload field whose values are watched; `user.plan` goes into objects",
        ),
    ]
    within: Within
    learn: Annotated[
        Duration, Field(description="So long after a group's first event nothing is new, at most `within`")
    ] = 0

    @model_validator(mode="after")
    def _learn_within(self) -> NewValue:
        if self.learn > self.within:
            raise ValueError("`learn` is at most as long as `within`")
        return self


class _Seen:
    """Values and when they were seen: of each stretch of time as long as the window, the first and last."""

    __slots__ = ("first", "now", "times")

    def __init__(self) -> None:
        self.times: dict[bytes, list[int]] = {}
        """Digest of a value -> sorted times; the value that was not judged for longest comes first."""
        self.first: int | None = None
        """The group's earliest event, where it learns."""
        self.now = ""
        """The value at hand, for people."""


class _Judge(Judge):
    sampled = noted = True

    def __init__(self, condition: NewValue) -> None:
        self.span = condition.within
        self._field = condition.field
        self._learn = condition.learn
        self._value = group.grouper((condition.field,))
        self._known: dict[Any, tuple[str, bytes]] = {}

    def sample(self, payload: dict[str, Any], event: Event) -> Any:
        """Its value as text, and a digest of that."""
        value = self._value(event, payload)
        return SKIP if value is None else self._known.get(value) or self._look_up(value)

    def _look_up(self, value: Any) -> tuple[str, bytes]:
        text = group.text((self._field,), value)
        found = text, blake2b(text.encode(), digest_size=_DIGEST).digest()
        if not text.startswith("#"):  # that stands for a long one
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[value] = found
        return found

    def holds(self, window: Window, time: int, event: bytes, sample: Any) -> bool:
        seen: _Seen = window.memory
        seen.now, value = sample
        if self._learn and (seen.first is None or time < seen.first):
            seen.first = time
        times = seen.times.pop(value, None)
        if times is None:
            new, times = True, []
            if len(seen.times) >= MOST:
                del seen.times[next(iter(seen.times))]
                window.rewrite = True
        elif time > times[-1]:
            new = times[-1] <= time - self.span
        else:
            new = bisect_right(times, time) == bisect_right(times, time - self.span)
        if not times or time > times[-1]:
            times.append(time)
            window.add(time, _member(value, time))
        elif times[bisect_left(times, time)] != time:
            insort(times, time)
            window.add(time, _member(value, time))
        seen.times[value] = times
        return new and (seen.first is None or time >= seen.first + self._learn)

    def verdict(self, window: Window, time: int, event: bytes) -> Verdict:
        seen: _Seen = window.memory
        words = f"{clip(seen.now, _SHOWN)} was not seen for {duration.seconds(self.span)}"
        return Verdict(1, False, 1, time - self.span, time, [event], words)

    def lacking(self, window: Window, time: int, now: int) -> str:
        seen: _Seen = window.memory
        if seen.first is not None and time < seen.first + self._learn:
            return f"it was still learning what there is, until {iso(seen.first + self._learn)}"
        times = seen.times.get(blake2b(seen.now.encode(), digest_size=_DIGEST).digest(), [])
        before = times[: bisect_left(times, time)]
        known = f", at {iso(before[-1])}" if before else ""
        return f"{clip(seen.now, _SHOWN)} was seen before{known}"

    def passed_over(self, payload: dict[str, Any], event: Event) -> str:
        return f"it has no {self._field}"

    def thin(self, window: Window, horizon: int) -> None:
        seen: _Seen = window.memory
        members = []
        for value, times in list(seen.times.items()):
            kept = [at for at in times if at > horizon]
            slices: dict[int, list[int]] = {}
            for at in kept:
                slices.setdefault(at // self.span, []).append(at)
            times[:] = sorted({at for some in slices.values() for at in (some[0], some[-1])})
            if not times:
                del seen.times[value]
            members += [(at, value) for at in times]
        if len(members) < len(window.times):
            members.sort()
            window.fill([(_member(value, at), at) for at, value in members])
            window.rewrite = True
        window.limit = 2 * len(window.times) + _SPARE

    def dump(self, window: Window) -> Any:
        return window.memory.first

    def load(self, window: Window, notes: Any) -> None:
        seen = window.memory = _Seen()
        seen.first = notes
        window.limit = _SPARE
        for at, member in zip(window.times, window.ids, strict=True):
            value = member[:_DIGEST]
            times = seen.times.pop(value, [])
            times.append(at)
            seen.times[value] = times


def _member(value: bytes, time: int) -> bytes:
    """A sorted set holds a member once, with one score: a value seen at several times is as many members."""
    return value + time.to_bytes(8, "big")


class NewValueKind(Kind):
    name = "new_value"
    condition = NewValue
    plain_field = True

    def judge(self, rule: Rule) -> Judge:
        assert isinstance(rule.when, NewValue)
        return _Judge(rule.when)

    def replay(self, rule: Rule) -> Replay:
        from signaldesk.rules._past.new_value import NewValueReplay

        condition = cast(NewValue, rule.when)
        return NewValueReplay(condition.field, condition.within, condition.learn, MOST)

    def sentence(self, condition: Condition) -> str:
        assert isinstance(condition, NewValue)
        return f"{condition.field} not seen for {duration.seconds(condition.within)}"

    def check(self, rule: Rule) -> list[FieldError]:
        assert isinstance(rule.when, NewValue)
        if rule.when.field in rule.by:
            message = "is one of the fields of `by`: within such a group it never changes"
            return [FieldError("when.field", message)]
        return []


KIND = NewValueKind()
