"""What the Rules page shows: pure nouns, asked of the store and drawn by `apps/`.

Times are microseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

DAYS, SLICES = 7, 28
"""The time that a rule's small chart shows, and into how many parts it is cut."""


@dataclass(frozen=True, slots=True)
class RuleWanted:
    """Which rules: those that agree with every part that is not empty."""

    modes: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    label: tuple[str, str | None] | None = None
    """Name and value; None stands for any value."""
    text: str = ""
    """Part of the name, the description or the event types."""


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule, as people wrote it (`body`), and what came of it lately."""

    id: UUID
    name: str
    version: int
    body: Mapping[str, Any]
    updated_us: int
    failed_us: int | None = None
    """Since when it is not judged any more, because it failed then."""
    error: str = ""
    last_fired_us: int | None = None
    fired: int = 0
    """Firings of the last 24 hours."""
    slices: tuple[int, ...] = (0,) * SLICES
    """Firings of the last seven days, cut into equal parts, oldest first."""
    late: int = 0
    """Events that came too late to be judged by the present condition."""
    open_alerts: int = 0

    @property
    def mode(self) -> str:
        return str(self.body.get("mode", "live"))

    @property
    def severity(self) -> str:
        return str(self.body.get("severity", "warning"))

    @property
    def labels(self) -> Mapping[str, str]:
        found = self.body.get("labels")
        return found if isinstance(found, Mapping) else {}


@dataclass(frozen=True, slots=True)
class RuleLines:
    """A page of the list; `next` is the name after which the following one begins."""

    lines: tuple[RuleLine, ...] = ()
    next: str = ""
    total: int = 0
    """Rules that there are, whatever was asked for."""


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version of a rule, and who saved it."""

    version: int
    at_us: int
    author: str
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleDetail:
    """A rule and its latest versions, newest first."""

    line: RuleLine
    versions: tuple[VersionLine, ...]
