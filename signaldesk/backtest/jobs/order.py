"""What the process of a backtest is told, and what it tells; one line of JSON each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from signaldesk.model.label import Label
from signaldesk.model.rule import SavedRule
from signaldesk.rules import document

MOST_FIRINGS = 100_000
"""Of a result; the summary counts all of them."""
MOST_ROWS = 1_000
"""The same for alerts and for what was held back."""


class Judge(msgspec.Struct):
    """A rule with the identity that its alerts have their ids from."""

    org_id: UUID
    id: UUID
    version: int
    since_version: int
    fingerprint: str
    rule: dict[str, Any]

    @classmethod
    def of(cls, saved: SavedRule) -> Judge:
        return cls(
            saved.org_id,
            saved.id,
            saved.version,
            saved.since_version,
            saved.fingerprint,
            saved.rule.document(),
        )

    def saved(self) -> SavedRule:
        return SavedRule(
            org_id=self.org_id,
            id=self.id,
            version=self.version,
            since_version=self.since_version,
            fingerprint=self.fingerprint,
            rule=document.parse(self.rule),
        )


class Place(msgspec.Struct):
    """Where an organisation's events are."""

    database_url: str
    history_url: str | None
    data_dir: str
    kept_days: int

    @property
    def folder(self) -> Path:
        return Path(self.data_dir)


class Order(msgspec.Struct):
    """A backtest, with `points` one at each of them, with `against` a comparison with that rule.

    Times are µs, `lateness` as well, `memory` bytes.
    """

    place: Place
    org_id: UUID
    rule: Judge
    others: Sequence[Judge]
    since: int
    until: int
    lateness: int
    now: int
    memory: int
    against: Judge | None = None
    points: Sequence[dict[str, Any]] = ()
    labels: Sequence[Label] = ()
    replay: str = ""
    """The import whose events they are; none for live ones."""


class Told(msgspec.Struct, omit_defaults=True):
    """How far it is; at its end the `answer` and the firings, or the `problem` document."""

    done: int = 0
    total: int = 0
    answer: dict[str, Any] | None = None
    firings: list[Any] = []
    problem: dict[str, Any] | None = None
