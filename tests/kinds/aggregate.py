"""`aggregate`: a function of the values in (t - within, t], worked out anew from all of them in fractions."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.kinds import EVIDENCE, Found, Reading, Seen

if TYPE_CHECKING:
    from tests.oracle import Event

LIMITS = {
    "above": lambda value, limit: value > limit,
    "at_least": lambda value, limit: value >= limit,
    "below": lambda value, limit: value < limit,
    "at_most": lambda value, limit: value <= limit,
}
"""How a value is compared; every measured kind has one of these."""


def limit(when: dict[str, Any]) -> tuple[str, float]:
    return next((word, when[word]) for word in LIMITS if word in when)


def at(payload: Any, path: str) -> Any:
    for step in path.split("."):
        payload = payload.get(step) if isinstance(payload, dict) else None
    return payload


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class Measured(Reading):
    """What the kinds have in common that measure something in a window and compare it with a number."""

    default_least = 1

    @property
    def lasting(self) -> int:
        return self.span()

    def inside(self, past: list[Seen], time: int, ago: int = 0) -> list[Seen]:
        after, upto = time - ago - self.span(), time - ago
        return sorted((one for one in past if after < one.time <= upto), key=lambda one: one[:2])

    def judge(self, past: list[Seen]) -> Found | None:
        time = past[-1].time
        value = self.value(past, time)
        word, threshold = limit(self.when)
        if value is None or not LIMITS[word](value, threshold):
            return None
        return self.verdict(past, time)

    def verdict(self, past: list[Seen], time: int) -> Found:
        value = self.value(past, time)
        assert value is not None
        evidence = tuple(one.id for one in self.evidence(past, time)[-EVIDENCE:]) or (past[-1].id,)
        return Found(value, False, limit(self.when)[1], (time - self.span(), time), evidence)

    def evidence(self, past: list[Seen], time: int) -> list[Seen]:
        return self.inside(past, time)

    def recovered(self, value: float, threshold: float) -> bool:
        upwards = limit(self.when)[0] in ("above", "at_least")
        return value <= threshold if upwards else value >= threshold


class Aggregate(Measured):
    def sample(self, event: Event) -> Any:
        value = at(event.payload, self.when["field"])
        if not self.rule.where(event) or value is None or isinstance(value, dict | list):
            return None
        if self.when["function"] == "distinct":
            return (isinstance(value, bool), value)
        return Fraction(value) if is_number(value) else None

    def value(self, past: list[Seen], time: int) -> float | None:
        values = [one.sample for one in self.inside(past, time)]
        if len(values) < self.when.get("min_events", 1):
            return None
        match self.when["function"]:
            case "sum":
                return float(sum(values))
            case "avg":
                return float(sum(values) / len(values))
            case "min":
                return float(min(values))
            case "max":
                return float(max(values))
            case "distinct":
                return len(set(values))
            case "stddev":
                return deviation(values)
            case percentile:
                enough = len(values) * Fraction(percentile[1:]) / 100
                ranked = sorted(values)
                return float(next(ranked[n] for n in range(len(values)) if n + 1 >= enough))


def deviation(values: list[Fraction]) -> float | None:
    if len(values) < 2:
        return None
    mean = sum(values) / len(values)
    return math.sqrt(float(sum((value - mean) ** 2 for value in values) / (len(values) - 1)))


def limits(*thresholds: float) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda word, to: {word: to}, st.sampled_from(sorted(LIMITS)), st.sampled_from(thresholds)
    )


LENGTHS = st.sampled_from(["2s", "3s", "10s", "1s", "1ms"])
LEAST = st.sampled_from([{}, {"min_events": 1}, {"min_events": 2}, {"min_events": 3}])

READING = Aggregate
WHENS = st.builds(
    lambda function, field, compared, within, least: {
        "kind": "aggregate", "function": function, "field": field, "within": within, **compared, **least,
    },
    st.sampled_from(["sum", "avg", "min", "max", "stddev", "distinct", "p50", "p90", "p99.9", "p1"]),
    st.sampled_from(["amount", "amount", "amount", "amount", "country", "user.plan"]),
    limits(0, 1, 1.5, 2, 4),
    LENGTHS,
    LEAST,
)  # fmt: skip
