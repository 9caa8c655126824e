"""How well alerts found known incidents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from signaldesk.clock import to_us
from signaldesk.errors import FieldError, Invalid, NotFound
from signaldesk.model.label import Label, read_csv
from signaldesk.model.life import Alert

Given = Sequence[Label] | Path | str
"""Labels, or a CSV file of them."""
_GIVE = "give [sd.Label(name, starts_at, ends_at), …], desk.labels(), or a CSV file of them"


class Score(NamedTuple):
    """Precision: the share of alerts in an incident; recall: of incidents with an alert.

    The F-score is their harmonic mean; `delay` the mean time (s) from an incident's start to its first alert.
    """

    precision: float
    recall: float
    f_score: float
    delay: float | None


def score(alerts: Sequence[Alert], labels: Sequence[Label]) -> Score:
    """How well alerts, each from its opening to its last firing, found the incidents.

    An alert lies in an incident when the two overlap and their groups agree; one that was open before finds
    it at its start.
    """
    delays = []
    for label in labels:
        start = to_us(label.starts_at)
        hits = [max(alert.opened_at, start) - start for alert in alerts if _meet(alert, label)]
        if hits:
            delays.append(min(hits))
    right = sum(any(_meet(alert, label) for label in labels) for alert in alerts)
    precision = right / len(alerts) if alerts else 0.0
    recall = len(delays) / len(labels) if labels else 0.0
    both = precision + recall
    f_score = 2 * precision * recall / both if both else 0.0
    return Score(precision, recall, f_score, sum(delays) / len(delays) / 1e6 if delays else None)


def _meet(alert: Alert, label: Label) -> bool:
    if not (alert.opened_at < to_us(label.ends_at) and alert.last_fired_at >= to_us(label.starts_at)):
        return False
    # A CSV file knows texts only, and a rule without groups is about all of them.
    mine = alert.values
    return all(str(mine[name]) == str(value) for name, value in label.group.items() if name in mine)


def known(given: Given | Any) -> list[Label]:
    """The labels that somebody gave. Raises as `read` does, and Invalid for what is no label."""
    if isinstance(given, str) and given == "stored":
        raise Invalid("labels: 'stored' is for desk.sweep over stored events; here give desk.labels()")
    if isinstance(given, Path | str):
        return read(Path(given))
    if isinstance(given, Label) or not isinstance(given, Sequence):
        raise Invalid(f"labels: a {type(given).__name__} is no list of them; {_GIVE}")
    faults, found = [], list(given)
    for number, one in enumerate(found):
        if (message := _wrong(one)) is not None:
            faults.append(FieldError(f"labels[{number}]", message))
    if faults:
        raise Invalid("these are no labels", errors=faults)
    return found


def _wrong(one: Any) -> str | None:
    """What is wrong with a label that somebody made."""
    if not isinstance(one, Label):
        return f"is a {type(one).__name__}; {_GIVE}"
    for name in ("starts_at", "ends_at"):
        moment = getattr(one, name)
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            return f"{name} is no time with a zone; write e.g. datetime(2026, 1, 31, 12, tzinfo=UTC)"
    return "ends_at does not come after starts_at" if one.ends_at <= one.starts_at else None


def read(path: Path) -> list[Label]:
    """The labels of a CSV file. Raises NotFound, or Invalid with every fault by line."""
    try:
        return read_csv(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise NotFound(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Invalid(f"{path} is no text in UTF-8; save it as CSV in UTF-8") from None
