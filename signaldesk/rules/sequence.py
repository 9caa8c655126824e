"""`sequence`: one event after another, or one that is not followed by another, within a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from signaldesk import filters
from signaldesk.clock import iso
from signaldesk.model import duration, glob, message
from signaldesk.model.event import TYPE_MAX, Event
from signaldesk.model.rule import Condition, Listed, Rule
from signaldesk.model.window import Window
from signaldesk.rules._kind import SKIP, Judge, Kind, Replay, Verdict, Wanted
from signaldesk.rules._parameters import FilterText, Within

_MOST = 500
"""Chains that are kept of each step; those that can matter only to what arrives late go first."""
_TYPES = 1_000
"""Event types are the senders' choice: no more of them are remembered."""
_WAITING = 10_000
"""Chains of a group that wait for what must follow; more are not watched."""


Predicate = Callable[[dict[str, Any], str, str | None, int], bool | None]


class Step(BaseModel):
    """One event of a chain."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=TYPE_MAX)], ...],
        Listed,
        Field(min_length=1, max_length=50, description="Event types; `*` in one stands for anything"),
    ]
    where: Annotated[FilterText | None, Field(description="Filter of this step")] = None


class Sequence(Condition):
    """Holds when the `steps` came in order within (t - within, t], or `missing` has not followed them."""

    kind: Literal["sequence"] = "sequence"
    steps: Annotated[
        tuple[Step, ...],
        Field(
            min_length=1,
            max_length=10,
            description="Events, one after the other; each has an `event` and may have a `where`",
            examples=[[{"event": "y"}, {"event": "z"}]],
        ),
    ]
    missing: Annotated[
        Step | None, Field(description="What must follow them in time: the rule fires when it does not")
    ] = None
    within: Within

    @model_validator(mode="after")
    def _something_follows(self) -> Sequence:
        if len(self.steps) < 2 and self.missing is None:
            raise ValueError("name at least two steps, or one and what is `missing` after it")
        return self


class Chain(NamedTuple):
    """Steps that happened in order; times are µs, `ids` those of the events."""

    end: int
    start: int
    ids: tuple[bytes, ...]


class _Chains:
    """What a group has of its chains."""

    __slots__ = ("fired", "found", "returned", "steps", "waiting")

    def __init__(self, steps: int) -> None:
        self.steps: list[list[Chain]] = [[] for _ in range(steps)]
        """For each step the chains that end with it, by end; none begins earlier and ends later than one."""
        self.waiting: list[Chain] = []
        """Whole chains that must be followed, by start."""
        self.found = Chain(0, 0, ())
        """The one that was judged last."""
        self.fired = False
        self.returned = False


class _Asked(NamedTuple):
    """Which steps events of a type can be, the last one first."""

    numbers: tuple[int, ...]
    """They, when none of them has a filter …"""
    filtered: list[tuple[int, Predicate | None]]
    """… or else they with their filters."""


class _Judge(Judge):
    sampled = noted = True

    def __init__(self, condition: Sequence) -> None:
        self.span = condition.within
        self._condition = condition
        self._missing = condition.missing is not None
        self.timed = self.ends = self._missing
        every = (*condition.steps, *((condition.missing,) if condition.missing else ()))
        self._steps = [(number, *_asked(step)) for number, step in enumerate(every)][::-1]
        self._of_type: dict[str, _Asked] = {}

    def sample(self, payload: dict[str, Any], event: Event) -> Any:
        """The numbers of the steps that it can be, the last one first."""
        numbers, filtered = self._of_type.get(event.type) or self._look_up(event.type)
        if not filtered:
            return numbers or SKIP
        found = []
        for number, holds in filtered:
            if holds is None or holds(payload, event.type, event.source, event.timestamp) is True:
                found.append(number)
        return found or SKIP

    def _look_up(self, type_: str) -> _Asked:
        """Which steps events of this type can be."""
        if len(self._of_type) >= _TYPES:
            self._of_type.clear()
        every = [(number, holds) for number, watches, holds in self._steps if watches(type_)]
        if any(holds is not None for _, holds in every):
            found = _Asked((), every)
        else:
            found = _Asked(tuple(number for number, _ in every), [])
        self._of_type[type_] = found
        return found

    def holds(self, window: Window, time: int, event: bytes, sample: Any) -> bool:
        chains: _Chains = window.memory
        chains.returned, last = False, len(chains.steps) - 1
        whole = None
        for number in sample:
            if number > last:
                self._followed(chains, time)
            elif (chain := self._extended(chains, number, time, event)) is not None:
                _keep(chains.steps[number], chain)
                whole = chain if number == last else whole
        if whole is None:
            return False
        if self._missing:
            _wait(chains.waiting, whole)
            return False
        chains.found = whole
        return True

    def _extended(self, chains: _Chains, number: int, time: int, event: bytes) -> Chain | None:
        """The chain that the event makes as that step: of those it can follow, the one that began last."""
        if number == 0:
            return Chain(time, time, (event,))
        before = chains.steps[number - 1]
        for at in range(bisect_right(before, time, key=lambda chain: chain.end) - 1, -1, -1):
            if event not in before[at].ids:
                inside = before[at].start > time - self.span
                return Chain(time, before[at].start, (*before[at].ids, event)) if inside else None
        return None

    def _followed(self, chains: _Chains, time: int) -> None:
        followed = [one for one in chains.waiting if one.end <= time < one.start + self.span]
        chains.waiting = [one for one in chains.waiting if one not in followed]
        chains.returned, chains.fired = chains.fired, False

    def due(self, window: Window) -> int | None:
        waiting = window.memory.waiting
        return waiting[0].start + self.span if waiting else None

    def ring(self, window: Window, time: int) -> bool:
        chains: _Chains = window.memory
        chains.found, chains.fired = chains.waiting.pop(0), True
        return True

    def over(self, window: Window) -> bool:
        return bool(window.memory.returned)

    def verdict(self, window: Window, time: int, event: bytes) -> Verdict:
        chain: Chain = window.memory.found
        took, limit = (time - chain.start) / 1e6, self.span / 1e6
        words = _words(self._condition, f"{took:g} s" if not self._missing else "")
        return Verdict(took, False, limit, time - self.span, time, list(chain.ids), words)

    def lacking(self, window: Window, time: int, now: int) -> str:
        chains: _Chains = window.memory
        steps, every = self._condition.steps, list(map(_named, self._condition.steps))
        if chains.waiting:
            return _so_far(every, _named(self._condition.missing), chains.waiting[0], self.span, now)
        for number in range(len(steps) - 1 - (not self._missing), -1, -1):
            chain = next((one for one in reversed(chains.steps[number]) if one.end <= now), None)
            if chain is None:
                continue
            if number == len(steps) - 1:
                return f"{', then '.join(every)} came, and {_named(self._condition.missing)} followed in time"
            return _so_far(every[: number + 1], every[number + 1], chain, self.span, now)
        return f"no {every[0]} had come in the {duration.seconds(self.span)} before"

    def passed_over(self, payload: dict[str, Any], event: Event) -> str:
        """Which parts of the filters of the steps that it could be are not true."""
        every = (*self._condition.steps, *((self._condition.missing,) if self._condition.missing else ()))
        about = payload, event.type, event.source, event.timestamp
        found = [
            f"{text} is {'NULL' if holds is None else 'false'}"
            for step in every
            if step.where is not None and glob.matcher(step.event)(event.type)
            for text, holds in filters.parse(step.where).clauses(*about)
            if not holds
        ]
        return f"it is none of the steps: {', '.join(dict.fromkeys(found))}"

    def dump(self, window: Window) -> Any:
        chains: _Chains = window.memory
        return (chains.steps, chains.waiting, chains.fired)

    def load(self, window: Window, notes: Any) -> None:
        chains = window.memory = _Chains(len(self._condition.steps))
        if notes is not None:
            steps, waiting, chains.fired = notes
            chains.steps = [[Chain(end, start, tuple(ids)) for end, start, ids in step] for step in steps]
            chains.waiting = [Chain(end, start, tuple(ids)) for end, start, ids in waiting]
        else:
            chains.fired = self._missing  # of a group without a past it is not known; it does no harm


def _keep(chains: list[Chain], new: Chain) -> None:
    """Add a chain unless another ends no later and begins no earlier; drop those it makes needless."""
    if not chains or (new.end > chains[-1].end and new.start > chains[-1].start):
        chains.append(new)  # as most are
        if len(chains) > _MOST:
            del chains[0]
        return
    at = bisect_right(chains, new.end, key=lambda chain: chain.end)
    if at and chains[at - 1].start >= new.start:
        return
    upto = at
    while upto < len(chains) and chains[upto].start <= new.start:
        upto += 1
    while at and chains[at - 1].end == new.end:
        at -= 1
    chains[at:upto] = [new]
    if len(chains) > _MOST:
        del chains[0]


def _wait(waiting: list[Chain], new: Chain) -> None:
    at = bisect_right(waiting, new.start, key=lambda chain: chain.start)
    if len(waiting) < _WAITING and (not at or waiting[at - 1].start < new.start):
        waiting.insert(at, new)


def _asked(step: Step) -> tuple[Callable[[str], bool], Predicate | None]:
    """Whether events of a type can be this step, and the filter that they have to pass."""
    return glob.matcher(step.event), filters.parse(step.where).predicate if step.where is not None else None


def _wanted(step: Step) -> Wanted:
    return Wanted(step.where or "", "truth", events=step.event)


def _named(step: Step | None) -> str:
    return " or ".join(step.event) if step is not None else ""


def _so_far(came: list[str], next_: str, chain: Chain, span: int, now: int) -> str:
    """How far a chain has come, and how long what follows may still take."""
    left = chain.start + span - now
    over = f"and its {duration.seconds(span)} are over"
    rest = f"{message.number(left / 1e6)} s left" if left > 0 else over
    return f"{', then '.join(came)} came at {iso(chain.end)}, {next_} did not: {rest}"


def _words(condition: Sequence, took: str) -> str:
    chain = ", then ".join(map(_named, condition.steps))
    if condition.missing is None:
        return f"{chain} within {took or duration.seconds(condition.within)}"
    return f"{chain} not followed by {_named(condition.missing)} within {duration.seconds(condition.within)}"


class SequenceKind(Kind):
    name = "sequence"
    condition = Sequence
    takes_event = False

    def judge(self, rule: Rule) -> Judge:
        assert isinstance(rule.when, Sequence)
        return _Judge(rule.when)

    def events(self, rule: Rule) -> tuple[str, ...]:
        assert isinstance(rule.when, Sequence)
        every = (*rule.when.steps, *((rule.when.missing,) if rule.when.missing else ()))
        return tuple(dict.fromkeys(type_ for step in every for type_ in step.event))

    def replay(self, rule: Rule) -> Replay:
        from signaldesk.rules._past.sequence import MissingReplay, SequenceReplay

        condition = cast(Sequence, rule.when)
        steps = list(map(_wanted, condition.steps))
        if condition.missing is not None:
            return MissingReplay(steps, _wanted(condition.missing), condition.within, _WAITING)
        return SequenceReplay(steps, condition.within)

    def sentence(self, condition: Condition) -> str:
        assert isinstance(condition, Sequence)
        return _words(condition, "")


KIND = SequenceKind()
