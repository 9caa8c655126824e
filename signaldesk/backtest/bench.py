"""A place to try rules out: the same events, judged again each time that somebody changes the rule.

The tuner of a notebook and the rule builder of the web stand on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple

from signaldesk.backtest.comparison import Comparison
from signaldesk.backtest.events import Events
from signaldesk.backtest.fold import unsaved
from signaldesk.backtest.labels import Score, score
from signaldesk.backtest.looks import paths
from signaldesk.backtest.measure import Slot, measured, width
from signaldesk.backtest.result import Backtest
from signaldesk.backtest.rule import Rule as Tuned
from signaldesk.backtest.rule import backtest
from signaldesk.backtest.sweep import Sweep, grid, run
from signaldesk.clock import to_us
from signaldesk.errors import FieldError, Invalid
from signaldesk.model.label import Label
from signaldesk.model.rule import Mode, Rule


class Stopped(Exception):
    """Whoever asked does not want the answer any more."""


class Tried(NamedTuple):
    """What a rule would have done, and how its time looked."""

    found: Backtest
    slots: list[Slot]
    words: str
    """What the slots' values are."""
    slot_us: int
    """How long each of them is."""
    score: Score | None
    ms: float
    """How long it took to judge."""
    versus: Comparison | None
    """How it compares with the rule that it is held against, if there is one."""


class Bench:
    """`since` and `until` (µs) bound what is shown; `labels` are known incidents, `others` the rules that a
    composite one is made of. Calls take their time: from a coroutine, in a thread."""

    def __init__(
        self,
        events: Events,
        *,
        since: int | None = None,
        until: int | None = None,
        labels: Sequence[Label] = (),
        others: Sequence[Rule] = (),
        missing: Sequence[str] = (),
        left_out: int = 0,
        lateness: int | None = None,
        patience: float | None = None,
    ) -> None:
        """`lateness` (µs) is that of rules that say nothing of their own; `patience` is how many seconds
        judging one rule may take."""
        self.events = events
        self.missing = missing
        """Damaged files of history that would have had more events."""
        self.left_out = left_out
        """Events of the time that was asked for which came before `since`, and are too many."""
        self._lateness = lateness
        self._patience = patience
        self.since = since if since is not None else events.first or 0
        self.until = max(until if until is not None else (events.last or 0) + 1, self.since + 1)
        self.labels = [one for one in labels if self._meets(one)]
        self._others = [unsaved(one) for one in others]
        self._drawn: dict[Any, tuple[list[Slot], str]] = {}
        self._old: tuple[Rule, Backtest] | None = None

    def judge(
        self, rule: Rule, *, against: Rule | None = None, go_on: Callable[[], bool] = lambda: True
    ) -> Tried:
        """What a rule would have done, were it live; `against` is one that it is compared with.

        Raises Invalid when it cannot be judged by itself, or within the patience that there is; Stopped when
        it shall not go on.
        """
        began = perf_counter()
        found = self._backtest(rule, go_on)
        took = (perf_counter() - began) * 1000
        slots, words = self._slots(rule)
        scored = score(found.alerts, self.labels) if self.labels else None
        versus = Comparison(found, self._before(against, go_on)) if against is not None else None
        return Tried(found, slots, words, width(self.since, self.until), scored, took, versus)

    def sweep(
        self, rule: Rule, parameters: Mapping[str, Sequence[Any]], *, go_on: Callable[[], bool]
    ) -> Sweep:
        """A backtest at every point; those that make no rule are left out. Raises Stopped when told to."""
        points, rules = [], []
        for point in grid(dict(parameters)):
            try:
                rules.append(Tuned(rule.document()).with_(**point).model)
                points.append(point)
            except Invalid:
                continue
        found = run(
            points, rules,
            lambda one, going: self._backtest(one, lambda: going() and go_on()), labels=self.labels,
        )  # fmt: skip
        return Sweep(rule.name, list(parameters), found)

    def _backtest(self, rule: Rule, go_on: Callable[[], bool]) -> Backtest:
        end = perf_counter() + self._patience if self._patience is not None else None

        def step(_: int) -> None:
            if not go_on():
                raise Stopped
            if end is not None and perf_counter() > end:
                message = f"judging takes longer than {self._patience:g} s; look at a shorter time"
                raise Invalid(message, errors=[FieldError("events", message)])

        step(0)
        self._check(rule)
        live = rule.model_copy(update={"mode": Mode.LIVE})
        return backtest(
            unsaved(live), self.events,
            others=self._others, since=self.since, until=self.until, lateness=self._lateness, step=step,
        )  # fmt: skip

    def _check(self, rule: Rule) -> None:
        """Raises Invalid for a rule that looks at fields which nobody asked for when events were loaded."""
        wanted = paths([rule])
        if self.events.dotted and (wanted is None or not wanted <= set(self.events.fields)):
            message = "looks at fields that were not loaded with these events; load them anew"
            raise Invalid(f"the rule {message}", errors=[FieldError("events", message)])

    def _before(self, rule: Rule, go_on: Callable[[], bool]) -> Backtest:
        """What the rule that others are held against would have done: judged once."""
        if self._old is None or self._old[0] != rule:
            self._old = (rule, self._backtest(rule, go_on))
        return self._old[1]

    def _slots(self, rule: Rule) -> tuple[list[Slot], str]:
        """Kept as long as what is measured stays: a threshold that moves changes nothing of it."""
        key = (rule.event, rule.where, rule.by, rule.when.model_dump_json(exclude=_LIMITS))
        if key not in self._drawn:
            self._drawn.clear()
            self._drawn[key] = measured(self.events, rule, self.since, self.until, self._lateness)
        return self._drawn[key]

    def _meets(self, label: Label) -> bool:
        return to_us(label.starts_at) < self.until and to_us(label.ends_at) > self.since


_LIMITS = {"above", "at_least", "below", "at_most", "rise", "fall", "rise_by", "fall_by", "score"}
