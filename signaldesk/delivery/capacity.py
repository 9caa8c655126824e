"""Who may send how much at once, so that nobody's broken destination is anybody else's problem.

- A channel and an organisation have at most so many messages under way.
- An organisation gets at most half of what is free: however many hang, something is left for the next.
- A channel whose oldest message has had no answer for a while gets no further ones.
- A channel whose last message failed is tried with one at a time; when that goes on failing, with pauses that
  double. Its other messages wait, unattempted, instead of using up their attempts one by one. The first that
  arrives opens the channel again.
- A channel that asked to be left alone until some time is left alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

from signaldesk.clock import MICROS
from signaldesk.model.delivery import Attempt, Rooms


@dataclass(frozen=True)
class Limits:
    """Messages under way at once. The total is bounded by open files as well as by sense."""

    total: int = 400
    per_org: int = 64
    per_channel: int = 32


SLOW_US = 2 * MICROS
"""Without an answer for so long, a channel counts as hanging."""
FIRST_PAUSE_US = MICROS // 4
LONGEST_PAUSE_US = 10 * MICROS
FAILURES_BEFORE_PAUSE = 3
FORGET_US = 3600 * MICROS
"""A channel in trouble that was not heard of for so long is thought well of again."""


@dataclass
class _Channel:
    """What is known of one channel; times are microseconds."""

    under_way: dict[UUID, int] = field(default_factory=dict)
    """Message id -> when its sending began."""
    failures: int = 0
    not_before: int = 0
    heard_of: int = 0

    def room(self, now_us: int, most: int) -> int:
        if self.not_before > now_us:
            return 0
        if self.under_way and now_us - min(self.under_way.values()) > SLOW_US:
            return 0
        return max((1 if self.failures else most) - len(self.under_way), 0)


class Capacity:
    """Keeps count. Times are microseconds of the dispatcher's clock."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._orgs: Counter[UUID] = Counter()
        self._channels: dict[UUID, _Channel] = {}

    @property
    def under_way(self) -> int:
        return self._orgs.total()

    def begin(self, org_id: UUID, channel_id: UUID, message_id: UUID, now_us: int) -> None:
        self._orgs[org_id] += 1
        self._channels.setdefault(channel_id, _Channel()).under_way[message_id] = now_us

    def end(
        self, org_id: UUID, channel_id: UUID, message_id: UUID, attempt: Attempt | None, now_us: int
    ) -> None:
        """`attempt`: None when it was broken off and says nothing."""
        self._orgs[org_id] -= 1
        if not self._orgs[org_id]:
            del self._orgs[org_id]
        channel = self._channels[channel_id]
        del channel.under_way[message_id]
        channel.heard_of = now_us
        if attempt is not None and attempt.counts:
            _learn(channel, attempt, now_us)

    def rooms(self, now_us: int) -> Rooms:
        """What may be claimed now."""
        limits = self._limits
        free = max(limits.total - self.under_way, 0)
        fair = (free + 1) // 2
        self._forget(now_us)
        return Rooms(
            total=free,
            per_org=min(limits.per_org, fair),
            per_channel=min(limits.per_channel, fair),
            orgs={org: max(min(limits.per_org - count, fair), 0) for org, count in self._orgs.items()},
            channels={
                id: min(channel.room(now_us, limits.per_channel), fair)
                for id, channel in self._channels.items()
            },
        )

    def _forget(self, now_us: int) -> None:
        """Drop channels there is nothing to say about."""
        for id, channel in list(self._channels.items()):
            old = now_us - channel.heard_of > FORGET_US
            if not channel.under_way and channel.not_before <= now_us and (old or not channel.failures):
                del self._channels[id]


def _learn(channel: _Channel, attempt: Attempt, now_us: int) -> None:
    if attempt.result == "sent":
        channel.failures, channel.not_before = 0, 0
        return
    if attempt.result == "failed":
        return  # refused for good: the next message may fare better, and waiting would not help this one
    channel.failures += 1
    if attempt.retry_after is not None:
        channel.not_before = max(channel.not_before, now_us + round(attempt.retry_after * MICROS))
    doubled = channel.failures - FAILURES_BEFORE_PAUSE
    if doubled >= 0:
        pause = min(FIRST_PAUSE_US << min(doubled, 20), LONGEST_PAUSE_US)
        channel.not_before = max(channel.not_before, now_us + pause)
