"""`anomaly`: the series of closed bins, shown to the detector from its beginning at every deadline.

The detector's arithmetic is tested by itself; what is read here is which bins there are, and when.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from signaldesk.rules._anomaly.detector import THRESHOLD, Detector, Finding
from tests.kinds import EVIDENCE, Found, Reading, Seen

ASLEEP = 1_000


class Anomaly(Reading):
    def sample(self, event: Any) -> Any:
        if not self.rule.where(event):
            return None
        if self.when.get("function", "count") == "count":
            return 1.0
        value = event.payload.get(self.when["field"])
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    def matches(self, event: Any) -> bool:
        return bool(self.rule.where(event))

    def judge(self, past: list[Seen]) -> Found | None:
        return None

    @property
    def settle(self) -> int:
        return self.span("settle") if "settle" in self.when else 5_000_000

    def start(self, time: int) -> int:
        return time // self.span("bin") * self.span("bin")

    def counted(self, past: list[Seen], rung: list[int]) -> tuple[Seen, ...]:
        """Events that came before their bin was closed, and not before the first bin there was then."""
        met = past[-1].met if past else 0
        return _counted(tuple(past), tuple(rung[:met]), self.span("bin"), self.settle)

    def deadline(self, past: list[Seen], rung: list[int], begun: int | None) -> int | None:
        pending = _pending(self.counted(past, rung), rung, self.span("bin"), self.settle)
        return None if pending is None else pending + self.span("bin") + self.settle

    def ring(self, past: list[Seen], rung: list[int], begun: int | None) -> Found | None:
        start, finding, fresh = self.series(past, rung)
        if finding is None or not fresh:
            return None
        inside = sorted({(one.time, one.id) for one in past if self.start(one.time) == start})
        window = (start, start + self.span("bin"))
        evidence = tuple(id for _, id in inside[-EVIDENCE:])
        return Found(finding.score, False, self.limit, window, evidence)

    @property
    def limit(self) -> float:
        return float(self.when.get("score", THRESHOLD))

    def series(self, past: list[Seen], rung: list[int]) -> tuple[int, Finding | None, bool]:
        """The latest bin: its start, what the detector finds of it, and whether an anomaly begins there."""
        width, values = self.span("bin"), defaultdict(list)
        for one in self.counted(past, rung):
            values[self.start(one.time)].append(one.sample)
        starts = [due - self.settle - width for due in rung]
        figures = [(start, self.figure(values.get(start, []))) for start in starts[1:]]
        fed = tuple((start + width // 2, value) for start, value in figures if value is not None)
        if not figures or figures[-1][1] is None:
            return starts[-1], None, False
        side = {"up": 1, "down": -1, "both": 0}[self.when.get("direction", "both")]
        history = self.span("min_history") if "min_history" in self.when else 86_400_000_000
        known = -(-history // width)
        finding = _found(fed, known, self.limit, side)
        return starts[-1], finding, len(fed) > known and finding.score >= self.limit and not finding.resting

    def figure(self, values: list[float]) -> float | None:
        function = self.when.get("function", "count")
        if not values:
            return 0.0 if function in ("count", "sum") else None
        total = 0.0
        for value in values:
            total += value
        figures = {"count": float(len(values)), "sum": total, "avg": total / len(values)}
        return {**figures, "min": min(values), "max": max(values)}[function]


@lru_cache(maxsize=100)
def _counted(past: tuple[Seen, ...], rung: tuple[int, ...], width: int, settle: int) -> tuple[Seen, ...]:
    found: list[Seen] = []
    for one in past:
        start, met = one.time // width * width, rung[: one.met]
        pending = _pending(tuple(found), met, width, settle)
        if not (met and start < met[-1] - settle) and not (pending is not None and start < pending):
            found.append(one)
    return tuple(found)


def _pending(counted: Sequence[Seen], rung: Sequence[int], width: int, settle: int) -> int | None:
    """The start of the bin to be closed next."""
    if not counted:
        return None
    starts = [one.time // width * width for one in counted]
    if not rung:
        return starts[0]
    closed = rung[-1] - settle
    latest = {time - settle - width for time in rung[-ASLEEP:]}
    if len(latest) == ASLEEP and not latest & set(starts):
        return next((start for start in starts if start >= closed), None)
    return closed


_detectors: dict[Any, Detector] = {}
"""Detectors by all that they were fed: one that was fed one value less goes on from there."""


def _found(fed: tuple[tuple[int, float], ...], known: int, limit: float, side: int) -> Finding:
    """What is found of the last value; before `known` values nothing is an anomaly."""
    detector = _detectors.pop((fed[:-1], known, limit, side), None)
    first = len(fed) - 1
    if detector is None:
        detector, first = Detector(), 0
    for number in range(first, len(fed)):
        finding = detector.add(*fed[number], limit if number >= known else 1e6 + 1, side)
    if len(_detectors) > 100:
        _detectors.clear()
    _detectors[fed, known, limit, side] = detector
    return finding


READING = Anomaly
WHENS = st.builds(
    lambda bin, settle, figure, direction: {
        "kind": "anomaly", "bin": bin, "settle": settle, "direction": direction,
        "min_history": "0s", **figure,
    },
    st.sampled_from(["2h", "6h"]),
    st.sampled_from(["0s", "2s", "5s"]),
    st.sampled_from([{}, {"function": "sum", "field": "amount"}, {"function": "max", "field": "amount"}]),
    st.sampled_from(["both", "up", "down"]),
)  # fmt: skip
