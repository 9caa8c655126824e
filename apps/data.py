"""What the pages ask for. The store answers in the workbench, a handful of fixed answers in a test."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from signaldesk.model.inbox import AlertDetail, Inbox
from signaldesk.model.overview import Attention, Bar, Delivery, EventLine, NoisyRule, Quota, Span


class OverviewData(Protocol):
    """One organisation's figures, as of `now_us`. Each may raise `errors.Unavailable`."""

    async def traffic(self, span: Span, now_us: int) -> tuple[Bar, ...]:
        """The bars of the span, oldest first, without gaps: a bar without events has zeros."""
        ...

    async def recent_traffic(self, span: Span, now_us: int) -> tuple[Bar, ...]:
        """The last two bars of the span: those that may still grow."""
        ...

    async def pulse(self, now_us: int, minutes: int) -> tuple[int, ...]:
        """Events received in each of the last whole minutes, oldest first, and in the one that runs."""
        ...

    async def attention(self, limit: int) -> Attention: ...

    async def noisy_rules(self, now_us: int, days: int, slices: int, limit: int) -> tuple[NoisyRule, ...]:
        """The rules that fired most, most first; shadow rules left out."""
        ...

    async def delivery(self, now_us: int) -> Delivery: ...

    async def latest(self, limit: int, now_us: int) -> tuple[EventLine, ...]:
        """The events received last, newest first."""
        ...

    async def quota(self, now_us: int) -> Quota: ...


class InboxData(Protocol):
    """One organisation's alerts."""

    async def inbox(self, state: str, limit: int) -> Inbox:
        """The alerts in that state, latest firing first; resolved ones are not counted."""
        ...

    async def detail(self, alert_id: UUID) -> AlertDetail | None:
        """None for one that is not there."""
        ...
