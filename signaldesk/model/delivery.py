"""Notifications on their way out: what is claimed, what came of it, and who may have how many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from uuid import UUID

Status = Literal["pending", "retrying", "sent", "failed"]
Result = Literal["sent", "retry", "failed"]


class Claimed(NamedTuple):
    """A notification leased to this process. `number` counts this attempt, beginning with 1.

    `message` is the JSON text of a `model.message.Message`, `config` that of the channel's configuration.
    """

    id: UUID
    org_id: UUID
    alert_id: UUID | None
    channel_id: UUID
    number: int
    message: str
    kind: str
    channel: str
    config: str
    enabled: bool
    disabled_reason: str | None
    token: UUID
    leased_us: int


class Attempt(NamedTuple):
    """What came of sending once. `status_code` and `response` are the destination's words."""

    result: Result
    started_us: int
    duration_ms: float
    status_code: int | None = None
    error: str | None = None
    response: str | None = None
    retry_after: float | None = None
    gone: bool = False
    counts: bool = True
    """Whether it says something about the destination's health."""


class Settled(NamedTuple):
    """An attempt and what it means for its notification; `next_us` is set while it is retried."""

    claimed: Claimed
    attempt: Attempt
    status: Status
    next_us: int | None


@dataclass(frozen=True)
class Rooms:
    """How many notifications may be claimed now; who is not named has the room of everybody."""

    total: int
    per_org: int
    per_channel: int
    orgs: Mapping[UUID, int] = field(default_factory=dict)
    channels: Mapping[UUID, int] = field(default_factory=dict)

    def all_used(self, claims: Sequence[Claimed]) -> bool:
        """Whether a claim met a limit anywhere, so that more may be due than there was room for."""
        if len(claims) >= self.total or 0 in self.orgs.values() or 0 in self.channels.values():
            return True
        orgs = Counter(claimed.org_id for claimed in claims)
        channels = Counter(claimed.channel_id for claimed in claims)
        return any(count >= self.orgs.get(org, self.per_org) for org, count in orgs.items()) or any(
            count >= self.channels.get(channel, self.per_channel) for channel, count in channels.items()
        )


class SwitchedOff(NamedTuple):
    """A channel that was disabled because its destination is gone or has failed for days."""

    org_id: UUID
    channel_id: UUID
    channel: str
    reason: str
