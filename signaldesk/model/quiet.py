"""What the Silences page shows: pure nouns. Times are microseconds since 1970 UTC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from signaldesk.model.active import Active
from signaldesk.model.inbox import Place
from signaldesk.model.silence import Matcher, stretch

STATES = ("active", "pending", "expired")


@dataclass(frozen=True, slots=True)
class Quiet:
    """A silence or a maintenance window, and how many open alerts and rules it is about at this moment."""

    id: UUID
    kind: str
    state: str
    matchers: tuple[Matcher, ...]
    starts_us: int
    ends_us: int
    forever: bool
    """It ends when somebody ends it."""
    hours: Active | None
    comment: str
    author: str
    alerts: int
    rules: int

    def stretches(self, since: int, until: int) -> Iterator[tuple[int, int]]:
        """When it holds within that time, oldest first."""
        at = since
        while at < until and (found := stretch(self.starts_us, self.ends_us, self.hours, at)) is not None:
            start, end = found
            if start >= until:
                return
            yield start, end
            at = end

    def holds(self, now: int) -> tuple[int, int] | None:
        """The stretch of time in which it holds, now or next; None: never again."""
        return stretch(self.starts_us, self.ends_us, self.hours, now)


class Quiets(NamedTuple):
    """Those in one state, latest end first; `next`: where the following page begins."""

    lines: tuple[Quiet, ...] = ()
    next: Place | None = None
