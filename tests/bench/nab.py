"""The published scoring of the Numenta Anomaly Benchmark (NAB), version 1.1.

Written from its description: Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms", 2015
(arXiv 1510.03336), section II, with the details that only its program fixes: where probation ends, how a
position after a window is measured, what happens at equal scores.

A detector gives every point of every series a score. With one threshold for the whole corpus, points at or
above it are detections. The earliest detection in a labelled window counts, the more the earlier it is; a
window without any costs; a detection outside of windows costs as well, less if shortly after one. The sum is
put on a scale on which a detector that says nothing has 0 and a perfect one 100.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from tests.bench.children import BenchError

PROBATION = 0.15
"""Share of a series, from its start, in which nothing is scored …"""
PROBATION_OF_AT_MOST = 5_000
"""… of these many points at most."""


@dataclass(frozen=True)
class Profile:
    """What a detection, a false one and a missed window weigh."""

    hit: float = 1.0
    false_alarm: float = 0.11
    miss: float = 1.0


STANDARD = Profile()


@dataclass(frozen=True)
class Series:
    """One file: times (local, without a zone), values, and the labelled windows, both ends included."""

    name: str
    times: Sequence[datetime]
    values: Sequence[float]
    windows: Sequence[tuple[datetime, datetime]]

    @property
    def probation(self) -> int:
        """How many points at the start are not scored."""
        return math.ceil(min(math.floor(PROBATION * len(self.times)), PROBATION * PROBATION_OF_AT_MOST))


class Mark(NamedTuple):
    """What a detection at one point is worth: unweighted, in [-1, 1], and the window it lies in, if any."""

    worth: float
    window: int | None


class Outcome(NamedTuple):
    """A corpus at one threshold: raw and normalised score, windows hit, false alarms (points)."""

    threshold: float
    raw: float
    score: float
    hits: int
    false_alarms: int


def worth(position: float) -> float:
    """The scaled sigmoid: -1 is a window's first point, 0 its right edge, positive is too late."""
    return -1.0 if position > 3 else 2 / (1 + math.exp(5 * position)) - 1


def marks(series: Series) -> list[Mark]:
    """One mark for every point of the series.

    Within a window of n points the i-th (from 0) is at position (i - n) / n. After a window of n points the
    d-th point behind its last one is at d / (n - 1). Before the first window every detection is just false.
    """
    found = [Mark(-1.0, None)] * len(series.times)
    for window, (start, end) in enumerate(series.windows):
        first, last = series.times.index(start), series.times.index(end)
        count = last - first + 1
        for i in range(first, last + 1):
            found[i] = Mark(worth((i - first - count) / count), window)
        for i in range(last + 1, len(found)):
            found[i] = Mark(worth((i - last) / (count - 1)), None)
    return found


def evaluate(
    corpus: Sequence[Series],
    scores: Mapping[str, Sequence[float]],
    profile: Profile = STANDARD,
    threshold: float | None = None,
) -> Outcome:
    """The corpus at this threshold, or, as published scores are made, at the one that suits it best.

    `scores` holds one score per point under the name of each series. Of thresholds that are equally good the
    highest is taken. Raises BenchError when a series has not as many scores as points.
    """
    points: list[tuple[float, float, tuple[str, int] | None]] = []
    best_possible = 0.0
    for series in corpus:
        if len(scores[series.name]) != len(series.times):
            raise BenchError(f"{series.name}: {len(scores[series.name])} scores, {len(series.times)} points")
        best_possible += profile.hit * len(series.windows)
        scored = list(zip(scores[series.name], marks(series), strict=True))[series.probation :]
        for score, mark in scored:
            window = None if mark.window is None else (series.name, mark.window)
            points.append((score, mark.worth, window))
    points.sort(key=lambda point: -point[0])
    windows = {window for _, _, window in points if window is not None}
    nothing = -profile.miss * len(windows)

    sweep = _Sweep(profile, nothing)
    best = (nothing, math.inf, 0, 0)
    for i, (score, value, window) in enumerate(points):
        if threshold is not None and score < threshold:
            break
        sweep.add(value, window)
        last_of_its_score = i + 1 == len(points) or points[i + 1][0] != score
        if last_of_its_score and (threshold is not None or sweep.raw > best[0]):
            best = (sweep.raw, score, len(sweep.hits), sweep.false_alarms)
    raw, chosen, hits, false_alarms = best
    scale = best_possible - nothing
    return Outcome(
        chosen if threshold is None else threshold,
        raw,
        100 * (raw - nothing) / scale if scale else math.nan,
        hits,
        false_alarms,
    )


class _Sweep:
    """The raw score while the threshold falls, one more detection at a time."""

    def __init__(self, profile: Profile, nothing: float) -> None:
        self._profile = profile
        self.raw = nothing
        self.hits: dict[tuple[str, int], float] = {}
        self.false_alarms = 0

    def add(self, value: float, window: tuple[str, int] | None) -> None:
        if window is None:
            self.raw += self._profile.false_alarm * value
            self.false_alarms += 1
            return
        gain = self._profile.hit * value / worth(-1)
        before = self.hits.get(window, -self._profile.miss)
        if gain > before:
            self.raw += gain - before
        self.hits[window] = max(gain, before)


# --- the data --------------------------------------------------------------------------------------------


def load(folder: Path) -> list[Series]:
    """The labelled series of a folder: `windows.json` beside folders of CSV files, or a clone of numenta/NAB.

    Raises BenchError when it holds neither.
    """
    for labels, data in (("windows.json", "."), ("labels/combined_windows.json", "data")):
        if (folder / labels).is_file():
            windows = json.loads((folder / labels).read_text(encoding="utf-8"))
            return [_series(folder / data, name, windows[name]) for name in sorted(windows)]
    raise BenchError(f"{folder} holds neither windows.json nor labels/combined_windows.json")


def _series(folder: Path, name: str, windows: list[list[str]]) -> Series:
    with (folder / name).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    times = [datetime.fromisoformat(row["timestamp"]) for row in rows]
    spans = [(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in windows]
    return Series(name, times, [float(row["value"]) for row in rows], spans)
