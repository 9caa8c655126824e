"""`each`: every matching event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from signaldesk.model.rule import Condition, Rule
from signaldesk.model.window import Window
from signaldesk.rules._kind import Judge, Kind, Replay, Verdict

if TYPE_CHECKING:
    from signaldesk.rules._columns import Bools, Columns, Ints


class Each(Condition):
    """Holds when an event matches; takes no parameters."""

    kind: Literal["each"] = "each"


class _Judge(Judge):
    def holds(self, window: Window, time: int, event: bytes, sample: Any) -> bool:
        return True

    def verdict(self, window: Window, time: int, event: bytes) -> Verdict:
        return Verdict(1, False, 1, time, time, [event])


class _Replay(Replay):
    exact = True

    def holds(self, columns: Columns) -> Bools:
        return columns.reaches(1, 0)

    def recovered(self, columns: Columns, threshold: float) -> Bools:
        return ~columns.reaches(1, 0)  # nothing is measured

    def first(self, columns: Columns, rows: Ints) -> Ints:
        return rows


class EachKind(Kind):
    name = "each"
    condition = Each

    def judge(self, rule: Rule) -> Judge:
        return _Judge()

    def replay(self, rule: Rule) -> Replay:
        return _Replay()

    def sentence(self, condition: Condition) -> str:
        return "every matching event"


KIND = EachKind()
