"""`each`: every matching event."""

from __future__ import annotations

from typing import Any, Literal

from signaldesk.model.rule import Condition, Rule
from signaldesk.model.window import Window
from signaldesk.rules._kind import Judge, Kind, Verdict


class Each(Condition):
    """Holds when an event matches; takes no parameters."""

    kind: Literal["each"] = "each"


class _Judge(Judge):
    def holds(self, window: Window, time: int, event: bytes, sample: Any) -> bool:
        return True

    def verdict(self, window: Window, time: int, event: bytes) -> Verdict:
        return Verdict(1, False, 1, time, time, [event])


class EachKind(Kind):
    name = "each"
    condition = Each

    def judge(self, rule: Rule) -> Judge:
        return _Judge()

    def sentence(self, condition: Condition) -> str:
        return "every matching event"


KIND = EachKind()
