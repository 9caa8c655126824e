"""Known incidents, as time ranges, and how well alerts found them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from signaldesk.clock import to_us
from signaldesk.errors import FieldError, Invalid, NotFound

_COLUMNS = ("from", "to")


class Label(NamedTuple):
    """An incident in [start, end], µs."""

    start: int
    end: int
    name: str = ""


class Score(NamedTuple):
    """Precision: the share of alerts in an incident; recall: of incidents with an alert.

    The F-score is their harmonic mean; `delay` the mean time (s) from an incident's start to its first alert.
    """

    precision: float
    recall: float
    f_score: float
    delay: float | None


def score(spans: Sequence[tuple[int, int]], labels: Sequence[Label]) -> Score:
    """How well alerts, each from its opening to its last firing (µs), found the incidents.

    An alert lies in an incident when the two overlap; one that was open before finds it at its start.
    """
    delays = []
    for label in labels:
        hits = [max(start, label.start) - label.start for start, end in spans if _meet(start, end, label)]
        if hits:
            delays.append(min(hits))
    right = sum(any(_meet(start, end, label) for label in labels) for start, end in spans)
    precision = right / len(spans) if spans else 0.0
    recall = len(delays) / len(labels) if labels else 0.0
    both = precision + recall
    f_score = 2 * precision * recall / both if both else 0.0
    return Score(precision, recall, f_score, sum(delays) / len(delays) / 1e6 if delays else None)


def _meet(start: int, end: int, label: Label) -> bool:
    return start <= label.end and end >= label.start


def read(path: Path) -> list[Label]:
    """Incidents of a CSV file with the columns `from`, `to` and, if you like, `name`.

    Times are RFC 3339 with a zone. Raises NotFound, or Invalid with every fault by line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise NotFound(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Invalid(f"{path} is no text in UTF-8; save it as CSV in UTF-8") from None
    return parse(text.splitlines(), path.name)


def parse(lines: Iterable[str], name: str) -> list[Label]:
    """The same from lines; `name` is what faults call them."""
    reader = csv.DictReader(lines)
    missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        found = ", ".join(reader.fieldnames or ()) or "nothing"
        lacking = " and no ".join(missing)
        message = f"there is no column {lacking}; say from,to,name first, not {found}"
        raise Invalid("these are no labels", errors=[FieldError(f"{name}:1", message[:300])])
    faults: list[FieldError] = []
    labels = []
    for row in reader:
        times = [_time(row.get(column), f"{name}:{reader.line_num}: {column}", faults) for column in _COLUMNS]
        start, end = times
        if start is None or end is None:
            continue
        if end < start:
            faults.append(FieldError(f"{name}:{reader.line_num}", "ends before it begins"))
        labels.append(Label(start, end, row.get("name") or ""))
    if not labels and not faults:
        faults.append(FieldError(f"{name}:1", "there is no incident below the first line"))
    if faults:
        raise Invalid(f"{len(faults)} fault{'s' if len(faults) > 1 else ''} in these labels", errors=faults)
    return labels


def _time(text: str | None, place: str, faults: list[FieldError]) -> int | None:
    try:
        return to_us(datetime.fromisoformat((text or "").strip()))
    except ValueError:
        shown = repr((text or "")[:40])
        faults.append(FieldError(place, f"{shown} is no time with a zone; write 2026-01-31T12:00:00Z"))
        return None
