"""A judge that says what columns found; why it is so is asked later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from signaldesk.engine.state import State
from signaldesk.model.event import Event
from signaldesk.model.group import Key
from signaldesk.model.window import Window
from signaldesk.rules._kind import Judge, Verdict


class Recorded(Judge):
    """In the place of a rule's judge: its answers are those of columns, except for some groups.

    A reason is not given yet: `open` says for which row and time it is owed, by the identity of the list that
    stands for its evidence.
    """

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.span, self.learned, self.lasting = judge.span, judge.learned, judge.lasting
        self.sampled, self.timed, self.noted = judge.sampled, judge.timed, judge.noted
        self.ends, self.begins = judge.ends, judge.begins
        self.live: set[Key] = set()
        """Groups whose events go to the judge …"""
        self.every = False
        """… and whether those of all groups do."""
        self.rows: dict[Key, int] = {}
        """The row that each other group was shown last."""
        self.back: bool | None = None
        """Whether the value of the row at hand is back on the good side of `resolve.threshold`; None: it is
        up to the judge."""
        self.open: dict[int, tuple[int, int]] = {}
        self.rung: Callable[[State], None] | None = None
        """What there is to do when a deadline was met and the condition holds."""
        self.idle: set[Key] = set()
        """Groups of which it is known that no deadline comes before their next event."""

    def _live(self, window: Window) -> bool:
        assert isinstance(window, State)
        return self.every or window.key in self.live

    def sample(self, payload: dict[str, Any], event: Event) -> Any:
        return self.judge.sample(payload, event)

    def holds(self, window: Window, time: int, event: bytes, sample: Any) -> bool:
        return self.judge.holds(window, time, event, sample) if self._live(window) else bool(sample)

    def verdict(self, window: Window, time: int, event: bytes) -> Verdict:
        if self._live(window):
            return self.judge.verdict(window, time, event)
        assert isinstance(window, State)
        evidence: list[bytes] = []
        self.open[id(evidence)] = self.rows[window.key], time
        return Verdict(0.0, False, 0.0, time, time, evidence)

    def value(self, window: Window, time: int) -> float | None:
        return self.judge.value(window, time) if self._live(window) else 0.0

    def recovered(self, value: float, threshold: float) -> bool:
        return self.judge.recovered(value, threshold) if self.back is None else self.back

    def thin(self, window: Window, horizon: int) -> None:
        if self._live(window):
            self.judge.thin(window, horizon)

    def due(self, window: Window) -> int | None:
        assert isinstance(window, State)
        return self.judge.due(window) if self._live(window) and window.key not in self.idle else None

    def ring(self, window: Window, time: int) -> bool:
        rings = self.judge.ring(window, time)
        if rings and self.rung is not None:
            assert isinstance(window, State)
            self.rung(window)
        return rings

    def over(self, window: Window) -> bool:
        return self.judge.over(window) if self._live(window) else False

    def begin(self, window: Window, time: int) -> None:
        self.judge.begin(window, time)

    def load(self, window: Window, notes: Any) -> None:
        if self._live(window):
            self.judge.load(window, notes)
