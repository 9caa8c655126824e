"""What judging a batch of events comes to: the contents of one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from signaldesk.ids import derived_id
from signaldesk.model.event import Event
from signaldesk.model.rule import SavedRule


def in_short(error: Exception) -> str:
    """What kind of error, and what it says, as far as PostgreSQL can keep it: errors may quote anything."""
    text = f"{type(error).__name__}: {error}"[:500]
    return text.encode(errors="replace").decode().replace("\0", "")


class GroupRef(NamedTuple):
    """One group of one rule in one lane; `key` is the canonical text of its values."""

    rule_id: UUID
    lane: str
    key: str


@dataclass(slots=True, eq=False)
class Firing:
    """A moment at which a rule's condition held and was not held back. Times are microseconds."""

    id: UUID
    saved: SavedRule
    org_name: str
    channels: list[UUID]
    """Whom to tell; empty for shadow rules and quiet imports."""
    group: GroupRef
    values: dict[str, Any]
    event: Event
    """The event that made it fire; for one at a deadline, the latest matching event before."""
    time: int
    """Event time of the firing: that of its event, or the deadline."""
    timer: bool
    value: float
    at_least: bool
    threshold: float
    window_from: int
    window_to: int
    evidence: list[bytes]
    words: str
    """What happened, for people; empty for what can be said with the numbers alone."""
    received_at: int
    position: int
    margin: float | None = None
    """How far off the value may be, as a share of it; None: it is exact, or a lower bound (`at_least`)."""
    off: Sequence[str] = ()
    """Names of channels that would be told as well, were they switched on."""

    @property
    def alert_id(self) -> UUID:
        """The id of the alert this firing opens, unless one is open already: the same for the same event."""
        place = (self.event.id.hex(), *((str(self.time),) if self.timer else ()))
        return derived_id("alert", str(self.saved.org_id), str(self.group.rule_id), *self.group[1:], *place)


class Resolution(NamedTuple):
    """A moment at which a group's alert is over by itself; a group without an open alert takes no notice."""

    saved: SavedRule
    org_name: str
    channels: list[UUID]
    """Whom to tell, as with a firing."""
    group: GroupRef
    values: dict[str, Any]
    at: int
    """Event time (µs)."""
    reason: str
    """`quiet` (nothing held for so long), `threshold` (the value came back), `returned` (what was missed)."""
    after: int
    """How many firings of its batch come before it."""
    received_at: int


class Held(NamedTuple):
    """Firings of a group that were held back for one reason since the last report."""

    org_id: UUID
    group: GroupRef
    values: dict[str, Any]
    reason: str
    since: int
    until: int
    times: int
    first_event: bytes
    last_event: bytes
    silence_id: UUID | None = None


class Notice(NamedTuple):
    """A row for the outbox."""

    id: UUID
    org_id: UUID
    alert_id: UUID | None
    """None: about several."""
    channel_id: UUID
    message: str
    received_at: int


class Stored(NamedTuple):
    """Events of one stream entry, on their way into the events table."""

    org: bytes
    lane: str
    position: int
    received_at: int
    events: list[Event]
    behind: dict[int, int]
    """Index -> how far (µs) behind its lane's watermark the event came; those that were not are missing."""
    tell: bool = True
    """Whether people are told of its firings; imports may be quiet."""


class Poison(NamedTuple):
    """One event (`idx` >= 0) or a whole entry (`idx` -1) that could not be processed."""

    org_id: UUID
    position: int
    idx: int
    body: bytes
    error: str
    tries: int


class SetAside(NamedTuple):
    """A rule that failed while it judged: from there on it is not judged, until it is saved again."""

    org_id: UUID
    rule_id: UUID
    since_version: int
    """The version that introduced the condition that failed."""
    name: str
    at: int
    """When what it failed at was received (µs); 0 for what came from the past."""
    error: str

    @classmethod
    def of(cls, saved: SavedRule, error: Exception, at: int) -> SetAside:
        return cls(saved.org_id, saved.id, saved.since_version, saved.rule.name, at, in_short(error))


class RuleChange(NamedTuple):
    """From some place in the order on, a rule is judged by this version; by none (0) when it was deleted."""

    org_id: UUID
    rule_id: UUID
    version: int
    since_version: int
    """The version that introduced the condition of this one."""


@dataclass(slots=True)
class Tallies:
    """Counts that are written down with a checkpoint, all for events up to its position."""

    minutes: dict[tuple[UUID, int, str], list[int]] = field(default_factory=dict)
    """(org, minute as µs, event type) -> [events, matched]."""
    progress: dict[tuple[UUID, str], tuple[int, int, int]] = field(default_factory=dict)
    """(org, lane) -> (watermark, events, late), the last two since the checkpoint before."""
    late: dict[tuple[UUID, int], int] = field(default_factory=dict)
    """(rule, since_version) -> events that came too late for it."""
    held: list[Held] = field(default_factory=list)
    received: dict[tuple[UUID, int], int] = field(default_factory=dict)
    """(org, day as µs) -> events received, for usage."""


@dataclass(slots=True)
class Batch:
    """One transaction of one partition: from position `before` to position `after`."""

    partition: int
    before: int
    after: int
    stored: list[Stored] = field(default_factory=list)
    firings: list[Firing] = field(default_factory=list)
    resolutions: list[Resolution] = field(default_factory=list)
    rules: list[RuleChange] = field(default_factory=list)
    """Changes that hold from `after` on: a batch ends where rules change."""
    begun: int = 0
    """When they were changed (µs)."""
    poison: list[Poison] = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    """Rules that are not judged from `after` on, nor since they failed on the way there."""
    clock: int = 0
    """How far time has come (µs), when the stream said so without an event."""
    tallies: Tallies | None = None
    """Present when this transaction is also a checkpoint."""

    @property
    def tells(self) -> bool:
        """Whether there may be somebody to be told of it."""
        return any(one.channels for one in self.firings) or any(one.channels for one in self.resolutions)

    def join(self, later: Batch) -> None:
        """Take in the batch that comes right after, before either has tallies."""
        before = len(self.firings)
        self.after = later.after
        self.clock = max(self.clock, later.clock)
        self.stored += later.stored
        self.firings += later.firings
        self.resolutions += [one._replace(after=before + one.after) for one in later.resolutions]
        self.rules += later.rules
        self.begun = max(self.begun, later.begun)
        self.poison += later.poison
        self.set_aside += later.set_aside
