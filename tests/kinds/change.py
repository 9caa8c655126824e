"""`change`: (t - within, t] against (t - within - o, t - o]."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from signaldesk.model import duration
from tests.kinds import EVIDENCE, Found, Seen
from tests.kinds.aggregate import Measured, at, is_number

if TYPE_CHECKING:
    from tests.oracle import Event

LIMITS = ("rise", "fall", "rise_by", "fall_by")


class Change(Measured):
    def sample(self, event: Event) -> Any:
        if not self.rule.where(event):
            return None
        if "field" not in self.when:
            return True
        value = at(event.payload, self.when["field"])
        return Fraction(value) if is_number(value) else None

    @property
    def limit(self) -> tuple[str, float]:
        return next((name, self.when[name]) for name in LIMITS if name in self.when)

    @property
    def ago(self) -> int:
        return {"day": duration.parse("1d"), "week": duration.parse("7d")}.get(
            self.when.get("against", "previous"), self.span()
        )

    def value(self, past: list[Seen], time: int) -> float | None:
        now, before = self.inside(past, time), self.inside(past, time, self.ago)
        if max(len(now), len(before)) < self.when.get("min_events", 10):
            return None
        return self.compared(now, before)

    def compared(self, now: list[Seen], before: list[Seen]) -> float | None:
        here, there = self.worth(now), self.worth(before)
        if here is None or there is None:
            return None
        word, _ = self.limit
        change = here - there if word.startswith("rise") else there - here
        if word.endswith("_by"):
            return change
        return change / abs(there) if there else None

    def worth(self, seen: list[Seen]) -> float | None:
        function = self.when.get("function", "count")
        if function == "count":
            return float(len(seen))
        if not seen:
            return None
        total = sum(one.sample for one in seen)
        return float(total if function == "sum" else total / len(seen))

    def judge(self, past: list[Seen]) -> Found | None:
        time = past[-1].time
        value = self.value(past, time)
        return self.verdict(past, time) if value is not None and value >= self.limit[1] else None

    def verdict(self, past: list[Seen], time: int) -> Found:
        """What came late may have left nothing to compare with, when it held before: no change then."""
        value = self.value(past, time) or 0.0
        evidence = tuple(one.id for one in self.inside(past, time)[-EVIDENCE:])
        return Found(value, False, self.limit[1], (time - self.span(), time), evidence)

    def recovered(self, value: float, threshold: float) -> bool:
        return value <= threshold


def _when(limit: Any, of: Any, length: Any, least: int) -> dict[str, Any]:
    return {"kind": "change", **limit, **of, **length, "min_events": least}


READING = Change
WHENS = st.builds(
    _when,
    st.sampled_from(
        [
            {"rise": 0.5},
            {"rise": 1},
            {"fall": 0.5},
            {"fall": 0.2},
            {"rise_by": 1},
            {"rise_by": 2},
            {"fall_by": 1},
        ]
    ),
    st.sampled_from([{}, {}, {"function": "sum", "field": "amount"}, {"function": "avg", "field": "amount"}]),
    st.sampled_from([{"within": text} for text in ("1s", "2s", "10s", "1ms")])
    | st.sampled_from([{"within": "5m", "against": "day"}, {"within": "30m", "against": "week"}]),
    st.sampled_from([1, 1, 2, 3]),
)
