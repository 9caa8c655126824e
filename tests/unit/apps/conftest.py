"""A visit to the workbench whose figures are fixed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

import pytest

from apps.page import Visit, Visitor, zone_named
from signaldesk.backtest.bench import Bench
from signaldesk.backtest.events import Events
from signaldesk.clock import MICROS, ManualClock, from_us
from signaldesk.errors import Invalid
from signaldesk.model.active import Active
from signaldesk.model.inbox import AlertDetail, AlertFilter, Choices, Inbox, Named, Place, Step
from signaldesk.model.overview import AlertLine, Attention, Bar, Delivery, EventLine, NoisyRule, Quota, Span
from signaldesk.model.quiet import Quiet, Quiets
from signaldesk.model.rule import Rule
from signaldesk.model.rule_page import RuleDetail, RuleLine, RuleLines, RuleWanted, VersionLine
from signaldesk.model.silence import Matcher

NOW = 1_795_464_252_004_000
EVIL = "<script>alert('x')</script>"
ID = UUID(int=7)


class FixedOverview:
    """Answers that never change, unless the test changes them; counts how often each was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.attention_now = Attention(
            by_severity={"critical": 2, "warning": 1},
            unacknowledged=2,
            oldest_us=NOW - 38 * 60 * MICROS,
            lines=(alert(),),
        )

    async def traffic(self, span: Span, now_us: int) -> tuple[Bar, ...]:
        self.asked.append(f"traffic {span.name}")
        start = span.start_us(now_us)
        return tuple(Bar(start + i * span.bar_us, 600, 60) for i in range(span.bars))

    async def recent_traffic(self, span: Span, now_us: int) -> tuple[Bar, ...]:
        self.asked.append("recent")
        return (await self.traffic(span, now_us))[-2:]

    async def pulse(self, now_us: int, minutes: int) -> tuple[int, ...]:
        return (600,) * (minutes + 1)

    async def attention(self, limit: int) -> Attention:
        self.asked.append("attention")
        return self.attention_now

    async def noisy_rules(self, now_us: int, days: int, slices: int, limit: int) -> tuple[NoisyRule, ...]:
        return (NoisyRule(ID, EVIL, 41, tuple(range(slices))),)

    async def delivery(self, now_us: int) -> Delivery:
        self.asked.append("delivery")
        return Delivery(sent=2914, retrying=1, p99_ms=31.2, p99_before_ms=35.1)

    async def latest(self, limit: int, now_us: int) -> tuple[EventLine, ...]:
        return (EventLine("1", EVIL, NOW, NOW, None, {EVIL: EVIL}),)

    async def quota(self, now_us: int) -> Quota:
        return Quota(6_213_000, 10_000_000)


def alert(title: str = EVIL, group: object = EVIL) -> AlertLine:
    return AlertLine(
        id=ID,
        title=title,
        severity="critical",
        state="acknowledged",
        group={"country": group},
        value=14,
        at_least=False,
        margin=None,
        threshold=3,
        window_us=60 * MICROS,
        last_fired_us=NOW - 2 * 60 * MICROS,
        opened_us=NOW - 38 * 60 * MICROS,
        handled_by=EVIL,
    )


class FixedInbox:
    """Two open alerts, and the story of each."""

    def __init__(self) -> None:
        self.asked: list[tuple[AlertFilter, Place | None]] = []
        self.next: Place | None = None
        self.lines: tuple[AlertLine, ...] = (
            alert(),
            replace(alert("Slow search"), id=UUID(int=8), state="open"),
        )

    async def inbox(self, wanted: AlertFilter, limit: int, before: Place | None = None) -> Inbox:
        self.asked.append((wanted, before))
        lines = self.lines if tuple(wanted.states) == ("open",) else ()
        return Inbox({"open": len(self.lines)}, lines, self.next)

    async def choices(self) -> Choices:
        return Choices((Named(ID, EVIL),), (f"team={EVIL}",), (Named(ID, EVIL),))

    async def detail(self, alert_id: UUID) -> AlertDetail | None:
        line = next((line for line in self.lines if line.id == alert_id), None)
        if line is None:
            return None
        steps = (
            Step(NOW, "told", subject=EVIL, outcome="sent", status=204, number=2, ms=21.4),
            Step(NOW - 1, "told", subject="mail", outcome="retry", detail=EVIL, number=1, until_us=NOW),
            Step(NOW - 2, "held", subject="cooldown", number=11, until_us=NOW),
            Step(NOW - 3, "acknowledged", subject=EVIL),
            Step(NOW - 4, "opened", detail="019aa1c4-0000-0000-0000-0000000000e3"),
        )
        return AlertDetail(
            line=line,
            rule_id=ID,
            rule_name=EVIL,
            rule_version=4,
            runbook="https://example.test/run",
            labels={"team": EVIL},
            event_id=ID,
            firings=12,
            assigned_to=None,
            assignee="",
            evidence=(EventLine("1", EVIL, NOW, NOW, None, {"a": EVIL}),),
            evidence_total=14,
            steps=steps,
        )


def quiet(**changes: object) -> Quiet:
    """A silence that began an hour ago and ends in an hour."""
    hour = 3600 * MICROS
    plain = Quiet(
        id=ID, kind="silence", state="active", matchers=(Matcher("country", "=", EVIL),),
        starts_us=NOW - hour, ends_us=NOW + hour, forever=False, hours=None, comment=EVIL,
        author=EVIL, alerts=3, rules=1,
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


NIGHTS = Active.model_validate(
    {"days": "mon-fri", "from": "23:30", "to": "01:00", "timezone": "Europe/Berlin"}
)


class FixedSilences:
    """Those that the test puts in."""

    def __init__(self) -> None:
        self.lines: tuple[Quiet, ...] = (quiet(),)

    async def listed(self, state: str, now_us: int, limit: int, before: Place | None = None) -> Quiets:
        return Quiets(tuple(line for line in self.lines if line.state == state))

    async def one(self, silence_id: UUID, now_us: int) -> Quiet | None:
        return next((line for line in self.lines if line.id == silence_id), None)

    async def about(self, alert_id: UUID) -> tuple[Matcher, ...]:
        return (Matcher("rule", "=", EVIL), Matcher("country", "=", "DE"))

    async def names(self) -> tuple[str, ...]:
        return ("rule", "severity", EVIL)


def rule_line(**changes: object) -> RuleLine:
    """A rule that fired twelve times today."""
    body = {
        "name": EVIL, "event": "checkout_failed", "by": "country", "labels": {"team": EVIL},
        "when": {"kind": "count", "at_least": 3, "within": "60s"}, "severity": "critical", "notify": [EVIL],
        "description": EVIL,
    }  # fmt: skip
    plain = RuleLine(
        id=ID, name=EVIL, version=2, body=body, updated_us=NOW - 60 * MICROS, last_fired_us=NOW - 5 * MICROS,
        fired=12, late=7, open_alerts=1,
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


class FixedRules:
    """Those that the test puts in; each has two versions, of which the first fired at five."""

    def __init__(self) -> None:
        self.lines: tuple[RuleLine, ...] = (rule_line(), rule_line(id=UUID(int=8), name="Slow search"))
        self.next = ""
        self.asked: list[tuple[RuleWanted, str]] = []

    async def listed(self, wanted: RuleWanted, now_us: int, limit: int, after: str = "") -> RuleLines:
        self.asked.append((wanted, after))
        lines = [line for line in self.lines if not wanted.modes or line.mode in wanted.modes]
        return RuleLines(tuple(lines), self.next, len(self.lines))

    async def detail(self, rule_id: UUID, now_us: int) -> RuleDetail | None:
        line = next((line for line in self.lines if line.id == rule_id), None)
        if line is None:
            return None
        before = {**line.body, "when": {**line.body["when"], "at_least": 5}}
        versions = (VersionLine(2, NOW, EVIL, line.body), VersionLine(1, NOW - 1, "an API key", before))
        return RuleDetail(line, versions)

    async def labels(self) -> tuple[str, ...]:
        return (f"team={EVIL}",)

    async def types(self, now_us: int) -> tuple[str, ...]:
        return ("checkout_failed", EVIL)

    async def fields(self, types: Sequence[str], now_us: int) -> tuple[str, ...]:
        return ("country", EVIL) if types else ()

    async def names(self) -> tuple[str, ...]:
        return (EVIL, "Slow, search")

    async def channels(self) -> tuple[str, ...]:
        return ("ops", EVIL)


def failures(many: int = 60) -> Events:
    """A failure a minute, from an hour ago on, in turn in DE and FR; `amount` counts them."""
    return Events.of(
        [
            {
                "type": "checkout_failed", "timestamp": from_us(NOW - (many - n) * 60 * MICROS),
                "country": ("DE", "FR")[n % 2], "amount": n,
            }
            for n in range(many)
        ]
    )  # fmt: skip


class Asked(NamedTuple):
    """Whose events were asked for."""

    rule: Rule
    against: Rule | None


class FixedPast:
    """An hour of failures; `fault` is raised instead."""

    def __init__(self) -> None:
        self.fault: Invalid | None = None
        self.asked: list[Asked] = []
        self.loaded = asyncio.Event()
        self.loaded.set()

    async def bench(self, rule: Rule, since_us: int, until_us: int, *, against: Rule | None = None) -> Bench:
        self.asked.append(Asked(rule, against))
        await self.loaded.wait()
        if self.fault is not None:
            raise self.fault
        return Bench(failures(), since=since_us, until=until_us)


@pytest.fixture
def past() -> FixedPast:
    return FixedPast()


@pytest.fixture
def rules() -> FixedRules:
    return FixedRules()


@pytest.fixture
def silences() -> FixedSilences:
    return FixedSilences()


@pytest.fixture
def inbox() -> FixedInbox:
    return FixedInbox()


@pytest.fixture
def data() -> FixedOverview:
    return FixedOverview()


@pytest.fixture
def visit(
    data: FixedOverview, inbox: FixedInbox, silences: FixedSilences, rules: FixedRules, past: FixedPast
) -> Visit:
    visitor = Visitor(
        id=ID, name="Mira Kern", email="mira@acme.test", role="owner", org_name=EVIL, plan="pro"
    )
    return Visit(
        visitor=visitor,
        query={},
        zone=zone_named("Europe/Berlin"),
        dark=False,
        base_url="http://localhost:5006",
        clock=ManualClock(NOW),
        overview=data,
        inbox=inbox,
        silences=silences,
        rules=rules,
        past=past,
        may_act=True,
        may_edit=True,
    )
