"""What the engine writes down of alerts: silences, storms, resolutions, and all of it once, whoever dies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from signaldesk.clock import MICROS, from_us
from signaldesk.model.actor import Actor
from signaldesk.model.silence import FOREVER, Matcher
from signaldesk.store.alerts import AlertStore, Snooze
from signaldesk.store.housekeeping import Housekeeping
from signaldesk.store.silences import SilenceDraft, SilenceStore
from tests.support.lab import Fault, Lab, Life

RULE = {"name": "Failures", "event": "e", "by": "country", "when": {"kind": "each"}, "notify": "hook"}
PLAIN = Life()
MIRA = Actor(None, "Mira Kern")


async def send(lab: Lab, org_id: UUID, *countries: str, life: Life = PLAIN) -> None:
    """Events of these countries, a second apart, worked off by an owner who ends after it."""
    for country in countries:
        lab.clock.advance(1)
        await lab.send(org_id, [{"type": "e", "payload": {"country": country}}])
    owner = await lab.owner(life)
    if not await owner.work_off():
        await owner.cut_off()
        owner = await lab.owner(Life(storm_after=life.storm_after))
        await owner.work_off()
    await owner.end()


def messages(lab: Lab) -> list[dict[str, Any]]:
    return [row["message"] for row in lab.rows("SELECT message FROM notifications ORDER BY created_at, id")]


async def test_a_silenced_alert_opens_and_nobody_is_told(lab: Lab) -> None:
    org_id = await lab.org()
    await lab.save_rule(org_id, RULE)
    now = from_us(lab.clock.now_us())
    draft = SilenceDraft("silence", (Matcher("country", "=~", "D."),), now, now + timedelta(hours=1), "")
    silence = await SilenceStore(database=lab.database).create(org_id, draft, by=MIRA, at=now)
    await send(lab, org_id, "DE", "DE", "FR")
    assert len(lab.rows("SELECT FROM alerts")) == 2
    assert [message["group"] for message in messages(lab)] == [{"country": "FR"}]
    (held,) = lab.rows("SELECT reason, count, silence_id FROM suppressions")
    assert held == {"reason": "silence", "count": 2, "silence_id": silence.id}


async def test_a_maintenance_window_that_comes_again_holds_in_its_hours_only(lab: Lab) -> None:
    org_id = await lab.org()
    await lab.save_rule(org_id, RULE)
    now = from_us(lab.clock.now_us())
    begins = (now + timedelta(minutes=10)).replace(second=0)
    hours = {"from": f"{begins:%H:%M}", "to": f"{begins + timedelta(minutes=30):%H:%M}"}
    draft = SilenceDraft("maintenance", (Matcher("rule", "=", "Failures"),), now, FOREVER, "", hours)
    await SilenceStore(database=lab.database).create(org_id, draft, by=MIRA, at=now)
    await send(lab, org_id, "A")
    for minutes, country in ((10, "B"), (30, "C"), (24 * 60 - 30, "D"), (30, "E")):
        lab.clock.advance(minutes * 60)
        await send(lab, org_id, country)
    assert [message["group"]["country"] for message in messages(lab)] == ["A", "C", "E"]
    held = lab.rows("SELECT reason, \"group\" ->> 'country' AS country FROM suppressions ORDER BY since")
    assert [tuple(row.values()) for row in held] == [("maintenance", "B"), ("maintenance", "D")]


@pytest.mark.parametrize("after", [False, True])
async def test_a_storm_is_one_message_that_grows_also_after_a_crash(lab: Lab, after: bool) -> None:
    org_id = await lab.org()
    await lab.save_rule(org_id, RULE)
    for start in (0, 8):
        crash = Fault("commit", 2, after=after, deadly=True)
        life = Life(storm_after=3, most_entries=2, faults=(crash,))
        await send(lab, org_id, *[f"C{i}" for i in range(start, start + 8)], life=life)
    told = messages(lab)
    assert sorted(message["kind"] for message in told) == ["firing"] * 3 + ["storm"]
    (storm,) = (message for message in told if message["kind"] == "storm")
    assert (storm["alerts"], len(storm["groups"])) == (13, 10)
    assert storm["links"]["alert"].startswith("http://desk.test/alerts?rule=")
    (kept,) = lab.rows("SELECT alerts FROM storms")
    assert kept["alerts"] == 13


async def test_a_storm_whose_message_is_being_sent_is_told_of_again(lab: Lab) -> None:
    org_id = await lab.org()
    await lab.save_rule(org_id, RULE)
    await send(lab, org_id, "A", "B", life=Life(storm_after=1))
    lab.rows("UPDATE notifications SET attempts = 1 WHERE message ->> 'kind' = 'storm' RETURNING id")
    await send(lab, org_id, "C", "D", life=Life(storm_after=1))
    storms = [message["alerts"] for message in messages(lab) if message["kind"] == "storm"]
    assert sorted(storms) == [1, 3]


async def test_an_alert_that_is_over_by_itself_says_so_once(lab: Lab) -> None:
    org_id = await lab.org()
    await lab.save_rule(org_id, {**RULE, "resolve": {"quiet_for": "10s"}})
    await send(lab, org_id, "DE")
    lab.clock.advance(60)
    await send(lab, org_id, "FR", life=Life(faults=(Fault("commit", 0, after=True, deadly=True),)))
    (over,) = (message for message in messages(lab) if message["kind"] == "resolved")
    assert over["title"] == "Resolved: Failures (country = DE)"
    kinds = lab.rows(
        "SELECT c.kind FROM alert_changes c JOIN alerts a ON a.id = c.alert_id"
        " WHERE a.\"group\" ->> 'country' = 'DE' ORDER BY c.id"
    )
    assert [row["kind"] for row in kinds] == ["opened", "resolved"]


async def test_a_snooze_is_over_without_a_firing(lab: Lab) -> None:
    org_id = await lab.org()
    await lab.save_rule(org_id, RULE)
    await send(lab, org_id, "DE")
    (alert,) = lab.rows("SELECT id FROM alerts")
    now = from_us(lab.clock.now_us())
    store, house = AlertStore(database=lab.database), Housekeeping(database=lab.database, clock=lab.clock)
    await store.snooze(org_id, alert["id"], Snooze(now + timedelta(minutes=5)), by=MIRA, at=now)
    await send(lab, org_id, "DE")
    assert len(messages(lab)) == 1 and await house.wake_snoozed() == 0
    lab.clock.set(lab.clock.now_us() + 300 * MICROS)
    assert (await house.wake_snoozed(), await house.wake_snoozed()) == (1, 0)
    assert (await store.get(org_id, alert["id"])).state == "open"
    await send(lab, org_id, "DE")
    assert len(messages(lab)) == 2
