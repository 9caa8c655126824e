"""What was measured, as a table on the terminal and as Markdown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, NamedTuple

from rich.table import Table

OURS = "ours"


def percentile(values: Sequence[float], p: float) -> float:
    """The nearest-rank percentile, p in (0, 100]; NaN for no values."""
    ranked = sorted(values)
    return ranked[math.ceil(len(ranked) * p / 100) - 1] if ranked else math.nan


@dataclass(frozen=True)
class Promise:
    """A bound on our figure itself (`ours`) or on our figure divided by the naive loop's (`ratio`)."""

    of: Literal["ours", "ratio"]
    at_least: float | None = None
    at_most: float | None = None

    def __str__(self) -> str:
        sign, bound = ("≥", self.at_least) if self.at_least is not None else ("≤", self.at_most)
        return f"{sign} {bound:g}" + (" ×" if self.of == "ratio" else "")

    def kept_by(self, figure: float) -> bool:
        return not math.isnan(figure) and (
            (self.at_least is None or figure >= self.at_least)
            and (self.at_most is None or figure <= self.at_most)
        )


@dataclass
class Line:
    """One figure: its samples and remarks by side, one of each round."""

    what: str
    unit: str
    promise: Promise | None = None
    samples: dict[str, list[float]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)

    def add(self, label: str, value: float, note: str = "") -> None:
        """Add what one round gave for the side of that label."""
        self.samples.setdefault(label, []).append(value)
        if note:
            self.notes.setdefault(label, []).append(note)

    @property
    def lower_is_better(self) -> bool:
        return self.unit in {"µs", "ms", "s"}

    def typical(self, label: str) -> float:
        """The median over the rounds; NaN if that side was not measured."""
        return median(self.samples[label]) if label in self.samples else math.nan

    def naive(self) -> tuple[str, float]:
        """The better of the naive loop's settings, and its median; ("", NaN) without one."""
        found = [(label, self.typical(label)) for label in self.samples if label != OURS]
        if not found:
            return "", math.nan
        best = min if self.lower_is_better else max
        return best(found, key=lambda pair: pair[1])

    def ratio(self) -> float:
        """Our median divided by the naive loop's better one."""
        return self.typical(OURS) / self.naive()[1]

    def verdict(self) -> str:
        """`kept` or `missed`; empty without a promise or without a measurement of ours."""
        if self.promise is None or OURS not in self.samples:
            return ""
        figure = self.ratio() if self.promise.of == "ratio" else self.typical(OURS)
        if math.isnan(figure):
            return ""
        return "kept" if self.promise.kept_by(figure) else "missed"


class Reading(NamedTuple):
    """One figure of one round, for a line."""

    line: Line
    value: float
    note: str = ""


@dataclass
class Section:
    """The lines of one benchmark, with the docstring that says what they mean."""

    title: str
    meaning: str
    lines: list[Line] = field(default_factory=list)
    failure: str = ""
    """Why it was not measured to its end; empty when it was."""


def number(value: float) -> str:
    """Three significant digits, thousands separated; "–" for NaN."""
    if math.isnan(value):
        return "–"
    if value >= 1000:
        return f"{round(value, 2 - math.floor(math.log10(value))):,.0f}"
    return f"{value:.3g}"


def spread(line: Line, label: str) -> str:
    """The median and, with several rounds, the range: `2,310 (2,100–2,400)`."""
    values = line.samples.get(label, [])
    if len(values) < 2:
        return number(line.typical(label))
    return f"{number(median(values))} ({number(min(values))}–{number(max(values))})"


def _cells(line: Line) -> tuple[str, ...]:
    label, _ = line.naive()
    naive = f"{spread(line, label)}, {label.removeprefix('naive, ')}" if label else "–"
    ratio = line.ratio()
    ratio_text = "–" if math.isnan(ratio) else f"{number(ratio)} ×"
    promise = str(line.promise) if line.promise else ""
    return (line.what, line.unit, naive, spread(line, OURS), ratio_text, promise, line.verdict())


_HEAD = ("what", "unit", "naive loop (better setting)", "SignalDesk", "ratio", "promise", "verdict")


def table(section: Section) -> Table:
    """The section for a terminal."""
    shown = Table(*_HEAD, title=section.title)
    for line in section.lines:
        shown.add_row(*_cells(line))
    return shown


def markdown(section: Section) -> str:
    """The section for `docs/benchmarks.md`: meaning, table, and what was seen in each round."""
    rows = ["| " + " | ".join(_HEAD) + " |", "|" + " --- |" * len(_HEAD)]
    rows += ["| " + " | ".join(_cells(line)) + " |" for line in section.lines]
    remarks = [
        f"- {line.what}; {label}, round {i}: {note}"
        for line in section.lines
        for label, notes in line.notes.items()
        for i, note in enumerate(notes, 1)
    ]
    parts = [f"## {section.title}", section.meaning, "\n".join(rows)]
    if section.failure:
        parts.append(f"Not measured to its end: {section.failure}")
    if remarks:
        parts.append("<details><summary>Every round</summary>\n\n" + "\n".join(remarks) + "\n\n</details>")
    return "\n\n".join(parts) + "\n"
