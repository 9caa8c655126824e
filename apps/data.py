"""What the pages ask for. The store answers in the workbench, a handful of fixed answers in a test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from signaldesk.backtest.bench import Bench
from signaldesk.model.inbox import AlertDetail, AlertFilter, Choices, Inbox, Place
from signaldesk.model.overview import Attention, Bar, Delivery, EventLine, NoisyRule, Quota, Span
from signaldesk.model.quiet import Quiet, Quiets
from signaldesk.model.rule import Rule
from signaldesk.model.rule_page import RuleDetail, RuleLines, RuleWanted
from signaldesk.model.silence import Matcher


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

    async def inbox(self, wanted: AlertFilter, limit: int, before: Place | None = None) -> Inbox:
        """Alerts, latest firing first; `before`: of the page after it. Resolved ones are not counted."""
        ...

    async def choices(self) -> Choices: ...

    async def detail(self, alert_id: UUID) -> AlertDetail | None:
        """None for one that is not there."""
        ...


class SilencesData(Protocol):
    """One organisation's silences and maintenance windows."""

    async def listed(self, state: str, now_us: int, limit: int, before: Place | None = None) -> Quiets:
        """Those in that state, with what they are about now; `before`: those of the following page."""
        ...

    async def one(self, silence_id: UUID, now_us: int) -> Quiet | None:
        """None for one that is not there."""
        ...

    async def about(self, alert_id: UUID) -> tuple[Matcher, ...]:
        """Matchers that fit this alert alone; none for one that is not there."""
        ...

    async def names(self) -> tuple[str, ...]:
        """What there is to match by."""
        ...


class PastData(Protocol):
    """One organisation's events of the past."""

    async def bench(self, rule: Rule, since_us: int, until_us: int, *, against: Rule | None = None) -> Bench:
        """What these rules look at in [since, until), or in the latest part of it. Raises Invalid when even
        that is too much; TooMany."""
        ...


class RulesData(Protocol):
    """One organisation's rules."""

    async def listed(self, wanted: RuleWanted, now_us: int, limit: int, after: str = "") -> RuleLines:
        """Rules by name; `after`: those whose names come later."""
        ...

    async def detail(self, rule_id: UUID, now_us: int) -> RuleDetail | None:
        """None for one that is not there."""
        ...

    async def labels(self) -> tuple[str, ...]:
        """Every `name=value` that a rule carries."""
        ...

    async def types(self, now_us: int) -> tuple[str, ...]:
        """Event types of the last 30 days, most used first."""
        ...

    async def fields(self, types: Sequence[str], now_us: int) -> tuple[str, ...]:
        """Payload fields (dotted paths) of the latest events of these types or globs, most common first."""
        ...

    async def names(self) -> tuple[str, ...]:
        """Names of rules, of which a composite one can be made."""
        ...

    async def channels(self) -> tuple[str, ...]:
        """Names of channels that a rule may tell."""
        ...
