"""Why a rule fired, or did not: every answer there is, for what the real engine did."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from signaldesk.clock import MICROS, from_us, to_us
from signaldesk.engine.explain import Explainer
from signaldesk.errors import Invalid, NotFound
from signaldesk.ids import new_id
from signaldesk.model.actor import Actor
from signaldesk.model.explanation import Explanation
from signaldesk.model.rule import SavedRule
from signaldesk.model.silence import Matcher
from signaldesk.store.alert_story import AlertStory
from signaldesk.store.alerts import AlertStore, Snooze
from signaldesk.store.eventlog import EventRecord
from signaldesk.store.inbox import InboxQueries
from signaldesk.store.past import Past
from signaldesk.store.silences import SilenceDraft, SilenceStore
from tests.support.lab import LATENESS_US, Lab, Life

PLAIN = Life()

RULE = {
    "name": "failures",
    "event": "failed",
    "where": "amount > 20 AND plan = 'pro'",
    "by": "country",
    "when": {"kind": "count", "at_least": 3, "within": "60s"},
    "cooldown": "5m",
}


class Desk:
    """A rule, events for it, and questions about it."""

    def __init__(self, lab: Lab, org_id: UUID, rule_id: UUID) -> None:
        self.lab, self.org_id, self.rule_id = lab, org_id, rule_id
        self.explainer = Explainer(
            database=lab.database, past=Past(database=lab.database), lateness=LATENESS_US
        )

    async def send(self, *events: dict[str, Any]) -> None:
        self.lab.clock.advance(1)
        await self.lab.send(self.org_id, events)

    async def judged(self) -> None:
        owner = await self.lab.owner()
        assert await owner.work_off()
        await owner.end()

    async def why(self, *, at: int | None = None, group: dict[str, Any] | None = None) -> Explanation:
        moment = self.lab.clock.now_us() if at is None else at
        shown = {"country": "DE"} if group is None else group
        return await self.explainer.explain(self.org_id, self.rule_id, moment, shown)


def failed(country: str = "DE", amount: int = 30, plan: str = "pro", **more: Any) -> dict[str, Any]:
    return {"type": "failed", "payload": {"country": country, "amount": amount, "plan": plan}, **more}


@pytest.fixture
async def desk(database_url: str, redis_url: str) -> AsyncIterator[Desk]:
    lab = Lab(database_url, redis_url)
    org_id = await lab.org()
    saved = await lab.save_rule(org_id, RULE)
    yield Desk(lab, org_id, saved.id)
    await lab.forget([org_id])
    await lab.close()


async def test_two_of_three_are_not_enough(desk: Desk) -> None:
    await desk.send(failed(), failed(), failed("FR"))
    await desk.judged()
    why = await desk.why()
    assert (why.answer, why.value) == ("not_enough", 2)
    assert "the value was 2; the rule needs: 3 or more in 60 s" in why.text


async def test_a_firing_is_named_with_its_alert(desk: Desk) -> None:
    await desk.send(failed(), failed(), failed())
    await desk.judged()
    why = await desk.why()
    assert (why.answer, why.value) == ("fired", 3)
    assert "with the value 3 or more" in why.text
    assert why.firing_id is not None and why.alert_id is not None


async def test_a_cooldown_is_told_with_its_end(desk: Desk) -> None:
    await desk.send(failed(), failed(), failed())
    fired = desk.lab.clock.now_us()
    await desk.send(failed())
    await desk.judged()
    why = await desk.why()
    assert (why.answer, why.reason, why.until) == ("held_back", "cooldown", fired + 300 * MICROS)
    assert (await desk.why(at=fired)).answer == "fired"


async def test_a_cooldown_is_told_before_it_is_written_down_what_it_held_back(desk: Desk) -> None:
    await desk.send(failed(), failed(), failed())
    fired = desk.lab.clock.now_us()
    await desk.send(failed())
    await desk.judged()
    later = await desk.why()
    assert desk.lab.rows("DELETE FROM suppressions RETURNING reason")
    assert await desk.why() == later
    assert later.until == fired + 300 * MICROS


HOUR = timedelta(hours=1)
MIRA = Actor(None, "Mira Kern")


async def fire(desk: Desk, *countries: str, life: Life = PLAIN) -> None:
    """An event for each of these countries, each of which is a firing of the loud rule."""
    for country in countries:
        await desk.send({"type": "loud", "payload": {"country": country}})
    owner = await desk.lab.owner(life)
    assert await owner.work_off()
    await owner.end()


@pytest.fixture
async def loud(desk: Desk) -> Callable[..., Awaitable[Desk]]:
    """The same desk with a rule that fires at each event, and tells a channel."""

    saved: SavedRule | None = None

    async def make(**more: Any) -> Desk:
        nonlocal saved
        saved = await desk.lab.save_rule(desk.org_id, {**LOUD, **more}, saved)
        desk.rule_id = saved.id
        return desk

    return make


LOUD = {"name": "Loud", "event": "loud", "by": "country", "when": {"kind": "each"}, "notify": "hook"}


async def the_alert(desk: Desk) -> tuple[AlertStore, UUID]:
    (alert,) = desk.lab.rows("SELECT id FROM alerts WHERE state <> 'resolved'")
    return AlertStore(database=desk.lab.database), alert["id"]


async def nothing_older(_org_id: UUID, _ids: Collection[UUID]) -> list[EventRecord]:
    return []


Loud = Callable[..., Awaitable[Desk]]


async def test_who_was_told_of_a_firing_is_named(loud: Loud) -> None:
    desk = await loud()
    await fire(desk, "DE")
    why = await desk.why()
    assert (why.answer, why.told, why.reason) == ("fired", ("hook",), None)
    assert why.text.endswith("with the value 1, and told hook")


async def test_a_firing_through_a_channel_that_is_switched_off_says_so(loud: Loud) -> None:
    desk = await loud()
    async with desk.lab.database.tenant(desk.org_id) as connection:
        await connection.execute(text("UPDATE channels SET enabled = false"))
    await fire(desk, "DE")
    async with desk.lab.database.tenant(desk.org_id) as connection:
        await connection.execute(text("UPDATE channels SET enabled = true"))
    why = await desk.why()
    assert (why.answer, why.told, why.reason) == ("fired", (), "switched_off")
    assert why.text.endswith("but nobody was told: switched off was hook")
    _, alert = await the_alert(desk)
    opened, *more = await AlertStory(database=desk.lab.database).timeline(desk.org_id, alert)
    assert opened.detail["switched_off"] == ["hook"] and not more
    inbox = InboxQueries(database=desk.lab.database, org_id=desk.org_id, older=nothing_older)
    shown = await inbox.detail(alert)
    assert shown is not None and [(step.kind, step.subject) for step in shown.steps] == [("opened", "hook")]


@pytest.mark.parametrize(
    ("kind", "said"), [("silence", "a silence"), ("maintenance", "a maintenance window")]
)
async def test_a_firing_in_a_silence_names_it_with_its_end(loud: Loud, kind: str, said: str) -> None:
    desk = await loud()
    now = from_us(desk.lab.clock.now_us())
    draft = SilenceDraft(kind, (Matcher("country", "=", "DE"),), now, now + HOUR, "a new provider")
    await SilenceStore(database=desk.lab.database).create(desk.org_id, draft, by=MIRA, at=now)
    await fire(desk, "DE")
    why = await desk.why()
    assert (why.answer, why.told, why.reason, why.until) == ("fired", (), kind, to_us(now + HOUR))
    assert f"nobody was told: {said} of Mira Kern (a new provider) held until" in why.text


async def test_a_firing_of_a_snoozed_alert_says_so(loud: Loud) -> None:
    desk = await loud()
    await fire(desk, "DE")
    store, alert = await the_alert(desk)
    now = from_us(desk.lab.clock.now_us())
    await store.snooze(desk.org_id, alert, Snooze(now + HOUR), by=MIRA, at=now)
    await fire(desk, "DE")
    why = await desk.why()
    assert (why.answer, why.reason, why.told) == ("fired", "snoozed", ())


async def test_a_firing_of_an_acknowledged_alert_says_so(loud: Loud) -> None:
    desk = await loud()
    await fire(desk, "DE")
    store, alert = await the_alert(desk)
    await store.acknowledge(desk.org_id, alert, by=MIRA, at=from_us(desk.lab.clock.now_us()))
    await fire(desk, "DE")
    assert "somebody had acknowledged the alert" in (await desk.why()).text


async def test_a_firing_within_repeat_says_so(loud: Loud) -> None:
    desk = await loud(repeat="1h")
    await fire(desk, "DE", "DE")
    why = await desk.why()
    assert (why.answer, why.reason) == ("fired", "repeat")
    assert why.text.endswith("nobody was told again, for the rule's `repeat` is 1h")
    assert (await desk.why(at=desk.lab.clock.now_us() - MICROS)).told == ("hook",)


async def test_a_firing_in_a_storm_says_so(loud: Loud) -> None:
    desk = await loud()
    await fire(desk, "A", "B", "DE", life=Life(storm_after=2))
    why = await desk.why()
    assert (why.answer, why.reason) == ("fired", "storm")
    assert "in one message together with other alerts" in why.text


async def test_a_firing_of_a_flapping_alert_says_so(loud: Loud) -> None:
    desk = await loud(resolve={"quiet_for": "10s"})
    for _ in range(4):
        await fire(desk, "DE")
        desk.lab.clock.advance(30)
        await fire(desk, "FR")  # Time passes for the alert of DE, and it is over.
    await fire(desk, "DE")
    why = await desk.why()
    assert (why.answer, why.reason, why.told) == ("fired", "flapping", ())


async def test_a_shadow_and_a_paused_rule_say_so(loud: Loud) -> None:
    desk = await loud(mode="shadow")
    await fire(desk, "DE")
    why = await desk.why()
    assert (why.answer, why.reason) == ("fired", "shadow") and "only recorded" in why.text
    await loud(mode="paused")
    await fire(desk, "DE")
    why = await desk.why()
    assert (why.answer, why.reason) == ("held_back", "paused")
    assert why.text.endswith("held back: the rule was paused")


async def test_a_version_that_is_not_the_newest_one_is_named(loud: Loud) -> None:
    desk = await loud()
    await fire(desk, "DE")
    fired = desk.lab.clock.now_us()
    desk.lab.clock.advance(1)
    await loud(where="country IS NOT NULL")
    await fire(desk, "DE")
    old, new = await desk.why(at=fired), await desk.why()
    assert (old.version, old.newest) == (1, 2) and (new.version, new.newest) == (2, 2)


async def test_the_clause_that_is_false_is_named(desk: Desk) -> None:
    await desk.send(failed(amount=5))
    await desk.judged()
    why = await desk.why()
    assert why.answer == "filter_false"
    assert dict(why.clauses) == {"amount > 20": False, "plan = 'pro'": True}
    assert why.text.endswith("the filter is not true: amount > 20 is false")


async def test_an_event_that_came_too_late_is_named(desk: Desk) -> None:
    now = desk.lab.clock.now_us() + MICROS
    late = (now - LATENESS_US - MICROS) / MICROS
    await desk.send({"type": "other", "payload": {}}, failed(timestamp=late))
    await desk.judged()
    why = await desk.why()
    assert (why.answer, why.event_at) == ("late", round(late * MICROS))


async def test_no_event_of_the_group_is_told_so(desk: Desk) -> None:
    await desk.send(failed("FR"), failed("FR"), failed("FR"))
    await desk.judged()
    assert (await desk.why()).answer == "no_event"
    assert (await desk.why(group={"country": "FR"})).answer == "fired"


async def test_before_the_rule_there_was_no_rule(desk: Desk) -> None:
    begun = desk.lab.clock.now_us()
    await desk.judged()
    why = await desk.why(at=begun - 1)
    assert (why.answer, why.version) == ("not_yet", 0)


async def test_events_that_tell_of_a_time_before_the_rule_was_saved_are_explained(desk: Desk) -> None:
    then = desk.lab.clock.now_us() - 3600 * MICROS
    await desk.send(*(failed(timestamp=then / MICROS + n) for n in range(3)))
    await desk.judged()
    assert (await desk.why(at=then + 2 * MICROS)).answer == "fired"
    assert (await desk.why(at=then + MICROS)).answer == "not_enough"
    assert (await desk.why(at=then - MICROS)).answer == "not_yet"


def came(type_: str, ago: float = 0, **payload: Any) -> tuple[str, float, dict[str, Any]]:
    """An event, so many seconds before it is asked why."""
    return type_, ago, payload


FEW = {"kind": "aggregate", "function": "avg", "field": "ms", "above": 9, "min_events": 5}
CHANGE = {"kind": "change", "rise": 2, "min_events": 2}
NEW = {"kind": "new_value", "field": "ms"}
CHAIN = {"kind": "sequence", "steps": [{"event": "y"}, {"event": "z"}]}
MISSING = {"kind": "sequence", "steps": [{"event": "y"}], "missing": {"event": "z"}}
BIG = {"kind": "sequence", "steps": [{"event": "y"}, {"event": "z", "where": "ms > 3"}]}
Y, LOUD_ONE = came("y"), came("loud", country="DE")
FAILED = came("failed", country="DE", amount=30, plan="pro")

LACKING: list[tuple[dict[str, Any], list[Any], str]] = [
    ({"kind": "count", "below": 3}, [came("y", 9)] * 3 + [Y], "the value was 3 or more; the rule needs"),
    (FEW, [came("y", ms=1), came("y", ms=2)], "there were 2 of the 5 values that it takes"),
    (FEW, [came("y", ms="soon")], "does not count: ms is no number there"),
    ({"kind": "ratio", "above": 0.5, "min_events": 5}, [Y, Y], "there were 2 of the 5 events that it takes"),
    (
        {"kind": "ratio", "above": 0.5, "min_events": 2},
        [came("y", bad=True), Y, Y, Y],
        "it was 1 of 4 events (25 %)",
    ),
    (CHANGE, [came("y", 61), came("y", 61), Y, Y, Y], "events went from 2 to 3 (50 %, limit 200 %) in 60 s"),
    ({**CHANGE, "min_events": 4}, [came("y", 61), Y, Y], "there were 2, and 1 before, of the 4 events that"),
    (CHANGE, [Y, Y], "there was nothing to compare with"),
    ({"kind": "absence"}, [came("y", 48)], ", 12 s later; the rule needs: none for 60 s"),
    (NEW, [came("y", 9, ms=1), came("y", ms=1)], '{"ms":1} was seen before, at'),
    (NEW, [Y], "does not count: it has no ms"),
    ({**NEW, "learn": "30s"}, [came("y", ms=1)], "it was still learning what there is, until"),
    (
        {"kind": "anomaly", "bin": "1s", "min_history": "1h"},
        [came("y", 20), came("y", 9), Y],
        "s of the 60 min that it does at first",
    ),
    (CHAIN, [came("y", 48)], "z did not: 12 s left"),
    (CHAIN, [came("y", 61), came("z")], "z did not: and its 60 s are over"),
    (CHAIN, [came("z")], "no y had come in the 60 s before"),
    (MISSING, [came("y", 48)], "z did not: 12 s left"),
    (MISSING, [came("y", 48), came("z", 40)], "y came, and z followed in time"),
    (BIG, [came("z", ms=3)], "does not count: it is none of the steps: ms > 3 is false"),
    ({"kind": "composite", "all": ["failures", "Loud"]}, [LOUD_ONE], "within 60 s, failures had not held"),
    ({"kind": "composite", "any": ["failures"]}, [FAILED], "within 60 s, none of failures had held"),
    (
        {"kind": "composite", "all": ["Loud"], "none": ["quick"]},
        [came("quick", country="DE"), LOUD_ONE],
        "within 60 s, quick had",
    ),
]


@pytest.mark.parametrize(("when", "events", "said"), LACKING)
async def test_every_kind_says_what_lacked(
    loud: Loud, when: dict[str, Any], events: list[tuple[str, float, dict[str, Any]]], said: str
) -> None:
    desk = await loud()
    await desk.lab.save_rule(desk.org_id, {**LOUD, "name": "quick", "event": "quick"})
    body: dict[str, Any] = {"name": "why", "when": when}
    if when["kind"] != "anomaly":
        body["when"] = {"within": "60s", **when}
    if when["kind"] == "ratio":
        body["where"] = "bad"
    if when["kind"] == "composite":
        body["by"] = ["country"]
    elif when["kind"] != "sequence":
        body["event"] = "y"
    desk.rule_id = (await desk.lab.save_rule(desk.org_id, body)).id
    desk.lab.clock.advance(50)
    now = desk.lab.clock.now_us()
    for type_, ago, payload in events:
        one = {"type": type_, "payload": payload, "timestamp": now / MICROS - ago}
        await desk.lab.send(desk.org_id, [one])
    await desk.judged()
    why = await desk.why(at=now, group={"country": "DE"} if when["kind"] == "composite" else {})
    assert why.answer == ("passed_over" if "does not count" in said else "not_enough")
    assert said in why.text


async def test_a_silence_that_was_told_of_is_not_told_of_again(desk: Desk) -> None:
    body = {"name": "quiet", "event": "y", "when": {"kind": "absence", "within": "10s"}}
    desk.rule_id = (await desk.lab.save_rule(desk.org_id, body)).id
    await desk.send({"type": "y", "payload": {}})
    await desk.lab.pass_time(3600)
    await desk.judged()
    why = await desk.why(group={})
    assert why.answer == "no_event" and "it fired for that at" in why.text


@pytest.mark.parametrize("group", [{}, {"land": "DE"}, {"country": "DE", "more": 1}])
async def test_a_group_has_exactly_the_rule_s_fields(desk: Desk, group: dict[str, Any]) -> None:
    await desk.judged()
    with pytest.raises(Invalid) as caught:
        await desk.why(group=group)
    assert "name exactly the fields country" in caught.value.errors[0].message


async def test_another_organisation_s_rule_is_not_there(desk: Desk) -> None:
    with pytest.raises(NotFound):
        await desk.explainer.explain(new_id(), desk.rule_id, desk.lab.clock.now_us(), {"country": "DE"})
