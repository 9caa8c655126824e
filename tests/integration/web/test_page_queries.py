"""What the pages ask of Postgres, on rows as the engine makes them; and that tenants see their own only."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from uuid import uuid4

from sqlalchemy import insert, update

from signaldesk.clock import MICROS, to_us
from signaldesk.model.actor import Actor
from signaldesk.model.overview import SPANS
from signaldesk.model.rule_page import RuleWanted
from signaldesk.model.silence import Matcher
from signaldesk.store import tables as t
from signaldesk.store.alerts import AlertFilter
from signaldesk.store.inbox import InboxQueries
from signaldesk.store.overview import OverviewQueries
from signaldesk.store.rule_page import RulePageQueries
from signaldesk.store.silences import SilenceDraft
from tests.support import rows
from tests.support.tenants import make_channel, put_notifications
from tests.support.web import Org, Web


def overview(web: Web, org: Org) -> OverviewQueries:
    return OverviewQueries(database=web.services.database, org_id=org.id)


def _mira(org: Org) -> Actor:
    return Actor(org.founded.user_id, "Mira Kern")


def inbox(web: Web, org: Org) -> InboxQueries:
    return web.services.inbox(org.id)


async def test_bars_have_no_gaps_and_add_up(web: Web, org: Org, other: Org) -> None:
    database, now = web.services.database, rows.now()
    minute = now.replace(second=0, microsecond=0)
    for ago, events, matched in ((0, 5, 1), (1, 7, 2), (59, 11, 0), (600, 13, 3)):
        await rows.count_events(database, org.id, minute - timedelta(minutes=ago), events, matched)
    await rows.count_events(database, org.id, minute, 3, 0, type="search")
    await rows.count_events(database, other.id, minute, 666, 666)
    ask = overview(web, org)
    for span in SPANS:
        bars = await ask.traffic(span, to_us(now))
        assert len(bars) == span.bars
        assert {b.start_us - a.start_us for a, b in pairwise(bars)} == {span.bar_us}
        expected = 5 + 3 + 7 + 11 + (13 if span.length_us > 600 * 60 * MICROS else 0)
        assert sum(bar.events for bar in bars) == expected
        assert await ask.recent_traffic(span, to_us(now)) == bars[-2:]
    pulse = await ask.pulse(to_us(now), 40)
    assert len(pulse) == 41 and pulse[-2:] == (7, 8)


async def test_attention_tells_what_the_desk_itself_cannot_do(web: Web, org: Org, other: Org) -> None:
    async with web.services.database.system() as connection:
        for org_id, detail, resolved_at in (
            (org.id, "The rule x failed", None),
            (org.id, "heeded", rows.now()),
            (other.id, "theirs", None),
        ):
            values = {"id": uuid4(), "org_id": org_id, "kind": "rule_set_aside", "subject": detail}
            values |= {"detail": detail, "resolved_at": resolved_at}
            await connection.execute(insert(t.system_alerts).values(**values))
    assert (await overview(web, org).attention(4)).warnings == ("The rule x failed",)


async def test_attention_counts_all_and_lists_the_worst_first(web: Web, org: Org, other: Org) -> None:
    database, now = web.services.database, rows.now()
    for severity, state, ago in (
        ("warning", "open", 38),
        ("critical", "acknowledged", 5),
        ("critical", "open", 9),
        ("error", "open", 1),
        ("critical", "resolved", 99),
        ("critical", "open", 2),
    ):
        moment = now - timedelta(minutes=ago)
        await rows.alert(
            database,
            org.id,
            severity=severity,
            state=state,
            opened_at=moment,
            last_fired_at=moment,
            title=f"{severity} {ago}",
        )
    await rows.alert(database, org.id, lane="import")
    await rows.alert(database, other.id)
    found = await overview(web, org).attention(4)
    assert found.by_severity == {"critical": 3, "error": 1, "warning": 1}
    assert (found.total, found.unacknowledged) == (5, 4)
    assert found.oldest_us == to_us(now - timedelta(minutes=38))
    assert [line.title for line in found.lines] == ["critical 2", "critical 9", "error 1", "warning 38"]


async def test_who_handles_an_alert_is_named(web: Web, org: Org) -> None:
    alert_id = await rows.alert(web.services.database, org.id)
    await web.services.alerts.acknowledge(
        org.id, alert_id, by=Actor(org.founded.user_id, "Mira Kern"), at=rows.now()
    )
    (line,) = (await overview(web, org).attention(5)).lines
    assert (line.state, line.handled_by) == ("acknowledged", "Mira Kern")


async def test_noisy_rules_are_counted_over_time(web: Web, org: Org) -> None:
    database = web.services.database
    loud, quiet = await rows.rule(database, org.id, "loud"), await rows.rule(database, org.id, "quiet")
    for hours in (0, 0, 0, 100):
        await rows.firing(database, org.id, loud, ago=timedelta(hours=hours))
    await rows.firing(database, org.id, quiet, ago=timedelta(hours=1))
    await rows.firing(database, org.id, quiet, ago=timedelta(days=8))
    found = await overview(web, org).noisy_rules(to_us(rows.now()), 7, 28, 5)
    assert [(rule.name, rule.firings) for rule in found] == [("loud", 4), ("quiet", 1)]
    assert found[0].slices[-1] == 3 and sum(found[0].slices) == 4 and len(found[0].slices) == 28


async def test_delivery_is_counted_and_timed_today_against_yesterday(web: Web, org: Org) -> None:
    database, now = web.services.database, rows.now()
    channel = await make_channel(database, org.id, config={"url": "https://hooks.test/x"})
    ids = await put_notifications(database, org.id, channel, 6)
    n = t.notifications
    for id, days, status, ms in (
        (ids[0], 0, "sent", 20),
        (ids[1], 0, "sent", 40),
        (ids[2], 0, "failed", None),
        (ids[3], 0, "retrying", None),
        (ids[4], 0, "pending", None),
        (ids[5], 1.5, "sent", 100),
    ):
        at = now - timedelta(days=days, seconds=5)
        sent = at + timedelta(milliseconds=ms) if ms else None
        values = {"created_at": at, "received_at": at, "status": status, "sent_at": sent}
        async with database.system() as connection:
            await connection.execute(update(n).where(n.c.id == id).values(**values))
    found = await overview(web, org).delivery(to_us(now))
    assert (found.sent, found.failed, found.retrying, found.waiting) == (2, 1, 1, 1)
    assert found.p99_ms is not None and 39 < found.p99_ms <= 40
    assert found.p99_before_ms == 100
    assert found.delivered == 2 / 3


async def test_latest_events_and_quota(web: Web, org: Org, other: Org) -> None:
    database, now = web.services.database, rows.now()
    for i in range(4):
        await rows.event(database, org.id, type=f"t{i}", timestamp=now - timedelta(seconds=i))
    await rows.event(database, org.id, lane="import")
    await rows.event(database, other.id)
    latest = await overview(web, org).latest(3, to_us(now))
    assert [line.type for line in latest] == ["t0", "t1", "t2"]
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    async with database.system() as connection:
        for day, events in ((first, 40), (first - timedelta(days=1), 999)):
            await connection.execute(insert(t.usage).values(org_id=org.id, day=day, events=events))
    assert (await overview(web, org).quota(to_us(now))).used == 40


async def test_a_story_is_told_whole_latest_first(web: Web, org: Org, other: Org) -> None:
    database, now = web.services.database, rows.now()
    rule_id = await rows.rule(database, org.id)
    opened = now - timedelta(minutes=10)
    alert_id = await rows.alert(database, org.id, rule_id=rule_id, group_key="g", opened_at=opened)
    evidence = [await rows.event(database, org.id) for _ in range(7)]
    firing = await rows.firing(database, org.id, rule_id)
    channel = await make_channel(database, org.id, config={"url": "https://hooks.test/x"})
    ids = await put_notifications(database, org.id, channel, 3)
    async with database.system() as connection:
        for number in (1, 2):
            await connection.execute(
                insert(t.delivery_attempts).values(
                    org_id=org.id,
                    notification_id=ids[2],
                    number=number,
                    started_at=now - timedelta(minutes=9 - number),
                    duration_ms=3.0,
                    outcome="retry",
                    error="no answer",
                )
            )
        await connection.execute(
            update(t.firings).where(t.firings.c.id == firing).values(alert_id=alert_id, evidence=evidence)
        )
        await connection.execute(
            update(t.notifications).where(t.notifications.c.id.in_(ids)).values(alert_id=alert_id)
        )
        await connection.execute(
            insert(t.delivery_attempts).values(
                org_id=org.id,
                notification_id=ids[0],
                number=1,
                started_at=now,
                duration_ms=21.0,
                outcome="sent",
                status_code=204,
            )
        )
        for seconds in (1, 2, 4):
            await connection.execute(
                insert(t.suppressions).values(
                    org_id=org.id,
                    rule_id=rule_id,
                    lane="",
                    group_key="g",
                    reason="silence",
                    since=now + timedelta(seconds=seconds),
                    until=now + timedelta(seconds=seconds + 1),
                    count=11,
                    first_event=uuid4(),
                    last_event=uuid4(),
                )
            )
        await connection.execute(
            insert(t.alert_changes).values(
                id=uuid4(),
                org_id=org.id,
                alert_id=alert_id,
                kind="fired",
                at=now + timedelta(seconds=1.5),
                until=now + timedelta(seconds=4),
                count=33,
                actor="",
                detail={},
            )
        )
    await web.services.alerts.acknowledge(
        org.id, alert_id, by=Actor(org.founded.user_id, "Mira Kern"), at=now
    )
    story = await inbox(web, org).detail(alert_id)
    assert story is not None
    assert {step.kind for step in story.steps} == {"opened", "fired", "told", "held", "acknowledged"}
    assert [step.at_us for step in story.steps] == sorted((s.at_us for s in story.steps), reverse=True)
    again = {step.kind: step for step in story.steps if step.kind in ("fired", "held")}
    assert [again[kind].number for kind in ("fired", "held")] == [33, 33]
    assert again["held"].until_us == to_us(now + timedelta(seconds=5))
    assert [step.kind for step in story.steps].count("held") == 1
    assert {step.outcome for step in story.steps if step.kind == "told"} == {"sent", "waiting", "retry"}
    tries = [step for step in story.steps if step.outcome == "retry"]
    assert [(step.number, step.until_us is not None) for step in tries] == [(2, True), (1, False)]
    assert (story.evidence_total, len(story.evidence)) == (7, 5)
    assert story.line.handled_by == "Mira Kern"
    assert await inbox(web, other).detail(alert_id) is None
    listed = await inbox(web, org).inbox(AlertFilter(["acknowledged"]), 10)
    assert listed.counts == {"acknowledged": 1} and [line.id for line in listed.lines] == [alert_id]


async def test_the_inbox_is_filtered_counted_and_comes_in_pages(web: Web, org: Org) -> None:
    database, queries = web.services.database, inbox(web, org)
    for number in range(5):
        at = rows.now() - timedelta(minutes=number)
        await rows.alert(database, org.id, group={"n": number % 2}, last_fired_at=at, labels={"team": "web"})
    seen, before = [], None
    while True:
        page = await queries.inbox(AlertFilter(["open"]), 2, before)
        assert page.counts == {"open": 5}
        seen += [line.group["n"] for line in page.lines]
        before = page.next
        if before is None:
            break
    assert seen == [0, 1, 0, 1, 0]
    odd = await queries.inbox(AlertFilter(["open"], fields=[("n", "1")]), 10)
    assert odd.counts == {"open": 2} and len(odd.lines) == 2
    assert (await queries.inbox(AlertFilter(["open"], fields=[("m", None)]), 10)).lines == ()
    choices = await queries.choices()
    assert choices.labels == ("team=web",) and len(choices.rules) == 5
    assert [member.name for member in choices.members] == ["Mira Kern"]


async def test_silences_are_listed_with_what_they_are_about_now(web: Web, org: Org, other: Org) -> None:
    database, now = web.services.database, rows.now()
    alert = await rows.alert(database, org.id, title="Slow", group={"country": "DE"})
    await rows.alert(database, org.id, title="Other", labels={"team": "web"})
    queries = web.services.silence_page(org.id)
    about = await queries.about(alert)
    assert about == (Matcher("rule", "=", "Slow"), Matcher("country", "=", "DE"))
    assert await queries.names() == ("rule", "severity", "country")
    draft = SilenceDraft("silence", about, now, now + timedelta(hours=1), "why")
    made = [await web.services.silences.create(org.id, draft, by=_mira(org), at=now) for _ in range(3)]
    first = await queries.listed("active", to_us(now), 2)
    rest = await queries.listed("active", to_us(now), 2, first.next)
    assert {one.id for one in (*first.lines, *rest.lines)} == {one.id for one in made} and rest.next is None
    assert {(one.alerts, one.rules) for one in first.lines} == {(1, 0)}
    assert await queries.one(made[0].id, to_us(now)) is not None
    theirs = web.services.silence_page(other.id)
    assert await theirs.one(made[0].id, to_us(now)) is None and await theirs.about(alert) == ()


async def test_a_message_links_to_its_alert(web: Web) -> None:
    async with web.client() as stranger:
        answer = await stranger.get(f"/alerts/{uuid4()}")
    assert answer.status_code == 302 and answer.headers["Location"].startswith("/alerts?alert=")


RULE = {"event": "checkout_failed", "when": {"kind": "count", "at_least": 3, "within": "60s"}}


async def test_rules_are_listed_with_what_came_of_them(web: Web, org: Org, other: Org) -> None:
    database, now = web.services.database, rows.now()
    made = await web.services.rules.create(org.id, {**RULE, "name": "A", "labels": {"team": "shop"}})
    await web.services.rules.patch(org.id, made.id, {"cooldown": "5m"}, by=_mira(org))
    quiet = await web.services.rules.create(org.id, {**RULE, "name": "B", "mode": "shadow"})
    for hours in (1, 30, 24 * 8):
        await rows.firing(database, org.id, made.id, ago=timedelta(hours=hours))
    await rows.alert(database, org.id, rule_id=made.id)
    await rows.alert(
        database, org.id, rule_id=quiet.id, state="resolved", last_fired_at=now - timedelta(days=9)
    )
    asked = RulePageQueries(database=database, org_id=org.id)
    found = await asked.listed(RuleWanted(), to_us(rows.now()), 1)
    (line,) = found.lines
    assert (line.name, line.fired, sum(line.slices), line.open_alerts, line.late) == ("A", 1, 2, 1, 0)
    assert (line.version, found.next, found.total) == (2, "A", 2)
    (line,) = (await asked.listed(RuleWanted(), to_us(now), 1, "A")).lines
    assert (line.name, line.fired, line.mode, line.open_alerts) == ("B", 0, "shadow", 0)
    assert line.last_fired_us == to_us(now - timedelta(days=9))
    assert await asked.labels() == ("team=shop",)
    assert await asked.names() == ("A", "B")
    await rows.event(database, org.id, payload={"country": "DE", "user": {"plan": "pro"}, "items": [1]})
    await rows.count_events(database, org.id, now.replace(second=0, microsecond=0), 1)
    later = to_us(rows.now())
    assert await asked.types(later) == ("checkout_failed",)
    assert await asked.fields(["checkout_*"], later) == ("country", "user.plan")
    assert await asked.fields(["other"], later) == ()
    detail = await asked.detail(made.id, to_us(now))
    assert detail is not None
    assert [(one.version, one.author) for one in detail.versions] == [(2, "Mira Kern"), (1, "somebody")]
    for modes, labels, names in ((("shadow",), None, ["B"]), ((), ("team", None), ["A"])):
        some = await asked.listed(RuleWanted(modes=modes, label=labels), to_us(now), 9)
        assert [one.name for one in some.lines] == names
    foreign = RulePageQueries(database=database, org_id=other.id)
    assert await foreign.detail(made.id, to_us(now)) is None
    assert (await foreign.listed(RuleWanted(), to_us(now), 9)).total == 0
