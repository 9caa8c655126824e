"""`composite`: several rules at once, in the same group."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from signaldesk.errors import FieldError
from signaldesk.model import duration
from signaldesk.model.duration import Duration
from signaldesk.model.rule import Condition, Listed, Rule
from signaldesk.model.window import Window
from signaldesk.rules._kind import Judge, Kind, Replay, Verdict

_KEPT = 1_000
"""Moments that are kept of a part, at most two of each stretch of `within`: what arrives late is judged
exactly as far as these reach back."""

_Name = Annotated[str, Field(min_length=1, max_length=200)]
_Names = Annotated[tuple[_Name, ...], Listed, Field(max_length=10)]


class Composite(Condition):
    """Holds when `all` of these rules are on, at least one of `any`, and `none` of those.

    A rule is on in a group from the moment its condition holds until `within` after that.
    """

    kind: Literal["composite"] = "composite"
    all: Annotated[_Names, Field(description="Rules that must all be on", examples=[["Failures"]])] = ()
    any: Annotated[_Names, Field(description="Rules of which one must be on")] = ()
    none: Annotated[_Names, Field(description="Rules that must not be on")] = ()
    within: Annotated[Duration, Field(description="How long a rule is on after it held", examples=["5m"])]

    @model_validator(mode="after")
    def _some(self) -> Composite:
        if not self.all and not self.any:
            raise ValueError("name rules under `all` or `any`")
        names = [*self.all, *self.any, *self.none]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{twice[0]!r} is named twice")
        if self.within < 1000:
            raise ValueError("`within` is at least 1ms")
        return self


class _Judge(Judge):
    noted = True

    def __init__(self, condition: Composite) -> None:
        self._all, self._any, self._none = condition.all, condition.any, condition.none
        self.span = self.lasting = condition.within
        self._names = [*condition.all, *condition.any, *condition.none]
        self._need = len(condition.all) + (1 if condition.any else 0)

    def holds(self, window: Window, time: int, event: bytes, sample: Any) -> bool:
        moments: dict[str, Window] = window.memory
        part = moments.get(sample)
        if part is None:
            part = moments[sample] = Window()
            part.limit = 0
        part.add(time, event)
        if len(part.times) > part.limit:
            part.thin(1, self.span, part.times[-_KEPT] if len(part.times) > _KEPT else -1)
        on = {name for name in self._names if self._on(moments, name, time)}
        return (
            on.issuperset(self._all)
            and (not self._any or not on.isdisjoint(self._any))
            and (on.isdisjoint(self._none))
        )

    def _on(self, moments: dict[str, Window], name: str, time: int) -> bool:
        part = moments.get(name)
        return part is not None and part.count(time, self.span) > 0

    def verdict(self, window: Window, time: int, event: bytes) -> Verdict:
        moments: dict[str, Window] = window.memory
        on = [name for name in self._names if self._on(moments, name, time)]
        # Of a part that held later than this, an earlier moment may have been thinned out: the event at hand
        # vouches for itself.
        newest = sorted((part.times[-1], part.ids[-1]) for part in (moments[name] for name in on))
        others = dict.fromkeys(member for at, member in newest if at <= time and member != event)
        words = f"{' and '.join(on)} within {duration.seconds(self.span)}"
        return Verdict(len(on), False, self._need, time - self.span, time, [*others, event], words)

    def lacking(self, window: Window, time: int, now: int) -> str:
        moments: dict[str, Window] = window.memory
        on = [name for name in self._names if self._on(moments, name, time)]
        lacks = [f"{name} had not held" for name in self._all if name not in on]
        if self._any and not any(name in on for name in self._any):
            lacks.append(f"none of {', '.join(self._any)} had held")
        lacks += [f"{name} had" for name in self._none if name in on]
        return f"within {duration.seconds(self.span)}, {' and '.join(lacks)}"

    def dump(self, window: Window) -> Any:
        moments: dict[str, Window] = window.memory
        return {name: (part.times, part.ids) for name, part in moments.items()}

    def load(self, window: Window, notes: Any) -> None:
        window.memory = {}
        for name, (times, ids) in (notes or {}).items():
            part = window.memory[name] = Window()
            part.fill(list(zip(ids, times, strict=True)))


class CompositeKind(Kind):
    name = "composite"
    condition = Composite
    takes_event = False

    def judge(self, rule: Rule) -> Judge:
        assert isinstance(rule.when, Composite)
        return _Judge(rule.when)

    def replay(self, rule: Rule) -> Replay:
        from signaldesk.rules._past.composite import CompositeReplay

        said = rule.when
        assert isinstance(said, Composite)
        return CompositeReplay(said.all, said.any, said.none, said.within, _KEPT)

    def parts(self, condition: Condition) -> tuple[str, ...]:
        assert isinstance(condition, Composite)
        return (*condition.all, *condition.any, *condition.none)

    def events(self, rule: Rule) -> tuple[str, ...]:
        return ()

    def sentence(self, condition: Condition) -> str:
        assert isinstance(condition, Composite)
        found = [*condition.all]
        if condition.any:
            found.append(f"({' or '.join(condition.any)})" if len(condition.any) > 1 else condition.any[0])
        return " and ".join(found + [f"not {name}" for name in condition.none])

    def check(self, rule: Rule) -> list[FieldError]:
        faults = []
        if rule.where is not None:
            faults.append(FieldError("where", "`composite` looks at rules, not at events; leave this out"))
        if rule.name in self.parts(rule.when):
            faults.append(FieldError("when", "a rule cannot be a part of itself"))
        return faults


KIND = CompositeKind()
