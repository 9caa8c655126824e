"""The anomaly detector on the labelled series of the Numenta Anomaly Benchmark, by its published scoring.

Standard profile; probation, windows and normalisation as published; the one threshold for all series is the
one that suits the corpus best, as for the published scores. Every series is judged with the same parameters:
those of the product. 100 is a perfect detector, 0 one that says nothing.

Beside it, against luck and over-fitting: the score at the product's own threshold; every group of series at
the threshold that suits the *other* groups best; and all series again with noise, upside down, and begun
later. The parameters were chosen with the whole corpus in view; with any one of them at a neighbouring value
the whole corpus scored between 70.7 and 74.2.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from rich.table import Table

from signaldesk.rules._anomaly.detector import THRESHOLD, Detector
from tests.bench import nab

TITLE = "Anomalies, on labelled series"
GOAL = 70.1
"""The published score of Numenta's HTM."""
PUBLISHED = """\
The data is published at [numenta/NAB](https://github.com/numenta/NAB), MIT License. `--data` takes a clone of
it, or a folder with some of its series and their `windows.json`. Scores published there, of the whole: ARTime
74.9, Numenta HTM 70.1, CAD OSE 69.9, earthgecko Skyline 58.2, KNN-CAD 58.0, Relative Entropy 54.6, Random Cut
Forest 51.7, Windowed Gaussian 39.6."""
WHOLE = (58, 116)
"""Files and windows of the whole corpus."""
_EPOCH = datetime.fromisoformat("1970-01-01")  # the corpus has local times without a zone

Scores = dict[str, list[float]]


@dataclass
class Report:
    """What was measured: (what, score, threshold, windows hit of, false alarms) in each row."""

    folder: str
    files: int
    windows: int
    points: int
    micros: float
    """Processor time for one value (µs)."""
    rows: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    score: float = 0.0
    names: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return (self.files, self.windows) == WHOLE

    def add(self, what: str, found: nab.Outcome, series: Sequence[nab.Series]) -> None:
        windows = sum(len(one.windows) for one in series)
        self.rows.append(
            (
                what,
                f"{found.score:.1f}" if windows else "–",
                f"{found.threshold:.3f}",
                f"{found.hits} of {windows}",
                str(found.false_alarms),
            )
        )


def measure(folder: Path) -> Report:
    """Score the series of a folder (see `nab.load`). Raises BenchError when it holds none."""
    corpus = nab.load(folder)
    begun = time.process_time()
    scores = detect(corpus)
    spent = time.process_time() - begun
    points = sum(len(series.values) for series in corpus)
    report = Report(
        folder.name,
        len(corpus),
        sum(len(series.windows) for series in corpus),
        points,
        1e6 * spent / max(1, points),
    )
    report.names = [series.name for series in corpus]
    best = nab.evaluate(corpus, scores)
    report.score = best.score
    report.add("**all series**", best, corpus)
    report.add("all series, at the product's threshold", _at(corpus, scores, THRESHOLD), corpus)
    for group, threshold in _thresholds_of_the_others(corpus, scores).items():
        own = [series for series in corpus if _group(series.name) == group]
        report.add(f"{group}, at the threshold of the others", _at(own, scores, threshold), own)
    for what, change in CHANGES.items():
        changed = [change(series) for series in corpus]
        report.add(f"all series, {what}", nab.evaluate(changed, detect(changed)), changed)
    return report


def detect(corpus: Sequence[nab.Series]) -> Scores:
    """The detector's score of every value, series by series, from nothing."""
    found: Scores = {}
    for series in corpus:
        detector = Detector()
        findings = [
            detector.add(_micros(moment), value)
            for moment, value in zip(series.times, series.values, strict=True)
        ]
        found[series.name] = [0.0 if finding.resting else finding.score for finding in findings]
    return found


def _micros(moment: datetime) -> int:
    return round((moment - _EPOCH).total_seconds()) * 1_000_000


def _group(name: str) -> str:
    return name.split("/", maxsplit=1)[0]


def _at(corpus: Sequence[nab.Series], scores: Scores, threshold: float) -> nab.Outcome:
    return nab.evaluate(corpus, scores, threshold=threshold)


def _thresholds_of_the_others(corpus: Sequence[nab.Series], scores: Scores) -> dict[str, float]:
    """For each group of series the threshold that is best for all others."""
    found = {}
    for group in sorted({_group(series.name) for series in corpus}):
        others = [series for series in corpus if _group(series.name) != group]
        if others:
            found[group] = nab.evaluate(others, scores).threshold
    return found


# --- the same series, a little different -----------------------------------------------------------------


def _noisy(series: nab.Series) -> nab.Series:
    """Each value moved by up to a tenth of the typical step from one value to the next."""
    steps = [abs(b - a) for a, b in zip(series.values, series.values[1:], strict=False)]
    size = 0.1 * median(steps)
    chance = random.Random(series.name)
    return replace(series, values=[value + chance.uniform(-size, size) for value in series.values])


def _upside_down(series: nab.Series) -> nab.Series:
    return replace(series, values=[-value for value in series.values])


def _later(series: nab.Series) -> nab.Series:
    """Without the first twentieth; but no window is cut."""
    first = min((series.times.index(start) for start, _ in series.windows), default=len(series.times))
    cut = min(len(series.times) // 20, first)
    return replace(series, times=series.times[cut:], values=series.values[cut:])


CHANGES: dict[str, Callable[[nab.Series], nab.Series]] = {
    "with noise": _noisy,
    "upside down": _upside_down,
    "begun later": _later,
}


# --- what it says ----------------------------------------------------------------------------------------

_HEAD = ("what", "score", "threshold", "windows hit", "false alarms")


def table(report: Report) -> Table:
    """The report for a terminal."""
    shown = Table(*_HEAD, title=title(report))
    for row in report.rows:
        shown.add_row(*row)
    return shown


def title(report: Report) -> str:
    return TITLE if report.whole else f"{TITLE}, a part of them"


def markdown(report: Report) -> str:
    """The report as a section of `docs/benchmarks.md`."""
    rows = ["| " + " | ".join(_HEAD) + " |", "|" + " --- |" * len(_HEAD)]
    rows += ["| " + " | ".join(row) + " |" for row in report.rows]
    groups = Counter(_group(name) for name in report.names)
    data = [
        f"- Command: `python -m tests.bench anomaly --data {report.folder}`, {datetime.now(UTC):%Y-%m-%d}",
        f"- Data: {report.files} series, {report.points:,} values, {report.windows} labelled windows: "
        + ", ".join(f"{group} {count}" for group, count in sorted(groups.items())),
        f"- Cost: {report.micros:.0f} µs of processor time for a value",
    ]
    if not report.whole:
        data.append(
            f"- This is a part of the corpus of {WHOLE[0]} series and {WHOLE[1]} windows. A score on a part\n"
            "  compares with scores of others on the same part only."
        )
    parts = [f"## {title(report)}", (__doc__ or "").strip(), PUBLISHED, "\n".join(data), "\n".join(rows)]
    return "\n\n".join(parts) + "\n"
