"""`each`: every matching event."""

from __future__ import annotations

from typing import Literal

from signaldesk.model.rule import Condition
from signaldesk.model.window import Window
from signaldesk.rules._kind import Verdict


class Each(Condition):
    """Holds for every matching event; takes no parameters."""

    kind: Literal["each"] = "each"


class _Judge:
    span = 0

    def holds(self, window: Window, time: int, event: bytes) -> bool:
        return True

    def verdict(self, window: Window, time: int, event: bytes) -> Verdict:
        return Verdict(1, False, 1, time, time, [event])

    def thin(self, window: Window, horizon: int) -> None:
        return


class EachKind:
    name = "each"
    condition = Each

    def judge(self, condition: Condition) -> _Judge:
        return _Judge()

    def sentence(self, condition: Condition) -> str:
        return "every matching event"


KIND = EachKind()
