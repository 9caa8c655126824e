"""What the Alerts page shows: pure nouns. Times are microseconds since 1970 UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from signaldesk.model.overview import AlertLine, EventLine

FOLDERS = ("open", "acknowledged", "snoozed", "resolved")
"""The states by which alerts are sorted into lists."""


class AlertFilter(NamedTuple):
    """Which alerts are listed: all of what is set. `group` is the text of a whole group.

    `labels`, and `fields` of the group: (name, value), any value for None.
    """

    states: Sequence[str]
    lane: str = ""
    rule_id: UUID | None = None
    severities: Sequence[str] = ()
    labels: Sequence[tuple[str, str | None]] = ()
    assignee: UUID | None = None
    unassigned: bool = False
    group: str | None = None
    fields: Sequence[tuple[str, str | None]] = ()
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""


class Place(NamedTuple):
    """Where a page of a list ends: its last alert's firing (µs) and id."""

    at_us: int
    id: UUID

    def __str__(self) -> str:
        return f"{self.at_us}-{self.id}"

    @classmethod
    def read(cls, text: str) -> Place | None:
        """None for what no page gave out."""
        at, _, id_ = text.partition("-")
        try:
            return cls(int(at[:18]), UUID(id_))
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Inbox:
    """One folder's alerts, latest firing first, and how many there are in each."""

    counts: Mapping[str, int]
    lines: tuple[AlertLine, ...]
    next: Place | None = None
    """Where the following page begins."""


class Named(NamedTuple):
    """A rule or a member."""

    id: UUID
    name: str


class Choices(NamedTuple):
    """What alerts can be chosen by, or given to: rules and labels of those that are not resolved; members."""

    rules: tuple[Named, ...] = ()
    labels: tuple[str, ...] = ()
    """As `name=value`."""
    members: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened in an alert's life.

    `kind`: `opened`, `fired`, `told` (with `outcome` sent, retry, failed or waiting), `held`, `acknowledged`,
    `resolved`, `snoozed`, `woke`, `assigned`, `commented`, `reopened`, `flapping`, `storm`.
    `subject` is a channel, a person or a reason, of `opened` the channels that were switched off then;
    `detail` the destination's words, a comment, or who got it.
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
    assigned_to: UUID | None
    assignee: str
    evidence: tuple[EventLine, ...]
    evidence_total: int
    steps: tuple[Step, ...]
    """Latest first."""
