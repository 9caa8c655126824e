"""What the Alerts page shows: pure nouns. Times are microseconds since 1970 UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from signaldesk.model.overview import AlertLine, EventLine

FOLDERS = ("open", "acknowledged", "snoozed", "resolved")
"""The states by which alerts are sorted into lists."""


@dataclass(frozen=True, slots=True)
class Inbox:
    """One folder's alerts, latest firing first, and how many there are in each."""

    counts: Mapping[str, int]
    lines: tuple[AlertLine, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened in an alert's life.

    `kind`: `opened`, `fired`, `told` (with `outcome` sent, retry, failed or waiting), `held`, `acknowledged`,
    `resolved`, `snoozed`, `woke`, `assigned`, `commented`, `reopened`, `flapping`, `storm`.
    `subject` is a channel, a person or a reason; `detail` the destination's words, or a comment.
    """

    at_us: int
    kind: str
    subject: str = ""
    outcome: str = ""
    status: int | None = None
    detail: str = ""
    number: int = 0
    """Attempt, number of firings, or number held back."""
    ms: float | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class AlertDetail:
    """An alert with everything that is known about it."""

    line: AlertLine
    rule_id: UUID
    rule_name: str
    rule_version: int
    runbook: str | None
    labels: Mapping[str, str]
    event_id: UUID
    firings: int
    evidence: tuple[EventLine, ...]
    evidence_total: int
    steps: tuple[Step, ...]
    """Latest first."""
