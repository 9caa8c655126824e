"""The rule builder in a real browser: from an empty form to a saved rule, and back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from signaldesk.catalog.yaml_text import write
from signaldesk.model.actor import Actor
from tests.browser.conftest import Screenshots, live
from tests.browser.looks import assert_accessible
from tests.support import rows
from tests.support.sharing import shared_loop
from tests.support.web import Org, Web

pytestmark = pytest.mark.browser

BY_HAND = {
    "name": "Checkout failures",
    "event": "checkout_failed",
    "where": "amount > 20",
    "by": "country",
    "when": {"kind": "ratio", "above": "5%", "within": "5m"},
    "cooldown": "5m",
    "severity": "critical",
    "notify": ["email:oncall@example.com"],
    "labels": {"team": "payments"},
}


@shared_loop
async def events(web: Web, org: Org) -> None:
    """An event to make a rule about."""
    await rows.event(web.services.database, org.id, payload={"country": "DE", "amount": 30})
    await rows.count_events(web.services.database, org.id, rows.now().replace(second=0, microsecond=0), 1)


@shared_loop
async def builder(events: None, member: Page) -> Page:
    """An empty form, in an organisation with events."""
    await member.goto("/rule-builder")
    await live(member)
    return member


async def test_a_rule_made_in_the_form_is_the_rule_written_by_hand(
    web: Web, org: Org, events: None, member: Page, complaints: list[str]
) -> None:
    await member.goto("/rules")
    await live(member)
    await member.get_by_role("link", name="New rule").click()
    await live(member)
    await member.get_by_label("Name").fill("Checkout failures")
    await member.get_by_label("When this event").fill("checkout_failed")
    await member.get_by_role("button", name="country").click()
    await member.get_by_label("a share of all").check()
    await expect(member.get_by_label("Among")).to_be_visible()
    await member.get_by_label("and", exact=True).fill("amuont >")
    await member.get_by_role("button", name="Save", exact=True).click()
    await expect(member.get_by_text("at character").first).to_be_visible()
    await member.get_by_label("and", exact=True).fill("amount > 20")
    await member.locator("[name='when._limit']").select_option("above")
    await member.locator("[name='when._value']").fill("5%")
    await member.get_by_role("textbox", name="Within").fill("5m")
    await member.get_by_label("Addresses").fill("email:oncall@example.com")
    await member.get_by_label("critical").check()
    await member.get_by_label("Label", exact=True).fill("team")
    await member.get_by_label("Value of the label").fill("payments")
    await expect(member.get_by_text("checkout_failed: above 5 %", exact=False).first).to_be_visible()
    await member.get_by_role("button", name="Save", exact=True).click()
    await expect(member.get_by_role("heading", name="Checkout failures")).to_be_visible()
    (saved,) = await web.services.rules.all(org.id)
    assert write([saved.body]) == write([BY_HAND])
    assert complaints == []


async def test_the_text_and_the_form_are_one_draft(web: Web, org: Org, builder: Page) -> None:
    await builder.get_by_role("link", name="YAML").click()
    text = builder.get_by_role("textbox", name="YAML")
    await text.fill(write([BY_HAND]))
    await expect(builder.get_by_text("checkout_failed: above 5 %", exact=False).first).to_be_visible()
    await builder.get_by_role("link", name="Form").click()
    assert await builder.get_by_label("Name").input_value() == "Checkout failures"
    await builder.get_by_label("Name").fill("Renamed")
    await builder.get_by_role("button", name="Save as shadow").click()
    await expect(builder.get_by_role("heading", name="Renamed")).to_be_visible()
    (saved,) = await web.services.rules.all(org.id)
    assert write([saved.body]) == write([{**BY_HAND, "name": "Renamed", "mode": "shadow"}])


async def test_a_draft_of_a_live_rule_runs_in_its_shadow_and_is_compared_with_it(
    web: Web, org: Org, events: None, member: Page
) -> None:
    made = await web.services.rules.create(org.id, {**BY_HAND, "notify": []})
    await member.goto(f"/rule-builder?rule={made.id}")
    await live(member)
    await member.get_by_label("Then stay quiet for").fill("9m")
    await member.get_by_role("button", name="Save as shadow").click()
    await expect(member.get_by_role("heading", name=f"{made.name} (shadow)")).to_be_visible()
    saved = {one.name: one.body for one in await web.services.rules.all(org.id)}
    assert saved[made.name] == made.body
    assert (saved[f"{made.name} (shadow)"]["mode"], len(saved)) == ("shadow", 2)


async def test_what_the_server_refuses_is_told_at_its_field(web: Web, org: Org, builder: Page) -> None:
    await web.services.rules.create(org.id, {**BY_HAND, "notify": []})
    await builder.get_by_role("link", name="YAML").click()
    await builder.get_by_role("textbox", name="YAML").fill(write([{**BY_HAND, "notify": ["nobody-there"]}]))
    await builder.get_by_role("link", name="Form").click()
    await builder.get_by_role("button", name="Save", exact=True).click()
    await expect(
        builder.get_by_text("there is no channel named 'nobody-there'", exact=False).first
    ).to_be_visible()
    await builder.get_by_label("nobody-there").uncheck()
    await builder.get_by_role("button", name="Save", exact=True).click()
    await expect(builder.get_by_text("is taken").first).to_be_visible()


async def test_two_people_do_not_overwrite_each_other(web: Web, org: Org, events: None, member: Page) -> None:
    saved = await web.services.rules.create(org.id, BY_HAND)
    await member.goto(f"/rule-builder?rule={saved.id}")
    await live(member)
    await web.services.rules.patch(org.id, saved.id, {"cooldown": "1h"})
    await member.get_by_role("textbox", name="Within").fill("10m")
    await member.get_by_role("button", name="Save version 2").click()
    await expect(member.get_by_text("this rule is at version 2 now", exact=False).first).to_be_visible()


async def test_a_slider_changes_the_form_and_what_it_would_have_done(
    web: Web, org: Org, events: None, member: Page, complaints: list[str]
) -> None:
    rule = await furnish(web, org)
    await member.goto(f"/rule-builder?rule={rule}")
    await live(member)
    await expect(member.get_by_text("4 firings")).to_be_visible(timeout=15_000)
    slider = member.get_by_role("slider", name="At least")
    await slider.focus()
    await member.keyboard.press("ArrowRight")
    await expect(member.get_by_text("3 firings")).to_be_visible(timeout=15_000)
    assert await member.locator("[name='when._value']").input_value() == "4"
    await member.locator("[name='when._value']").fill("2")
    await expect(member.get_by_text("5 firings")).to_be_visible(timeout=15_000)
    await expect(member.get_by_role("cell", name="(as it is now)")).to_be_visible(timeout=15_000)
    await member.get_by_role("link", name="7 d").click()
    await expect(member.get_by_text("judged 7 events")).to_be_visible(timeout=15_000)
    assert complaints == []


async def furnish(web: Web, org: Org) -> str:
    """A rule with two versions, and six failures that are 20 seconds apart, an hour ago."""
    for place in reversed(range(6)):
        moment = rows.now() - timedelta(hours=1, seconds=20 * place)
        payload = {"country": "DE", "amount": 30 + place}
        await rows.event(web.services.database, org.id, timestamp=moment, received_at=moment, payload=payload)
    when = {"kind": "count", "at_least": 5, "within": "61s"}
    body = {**BY_HAND, "name": "Three", "when": when, "cooldown": "0s", "notify": []}
    saved = await web.services.rules.create(org.id, body, by=Actor(org.founded.user_id, "Mira Kern"))
    await web.services.rules.patch(org.id, saved.id, {"when": {"at_least": 3}})
    return str(saved.id)


async def test_axe_finds_nothing_serious_in_rules(
    web: Web, org: Org, member: Page, screenshots: Screenshots
) -> None:
    rule = await furnish(web, org)
    paths = ("/rules", f"/rule-builder?rule={rule}", "/rule-builder?kind=sequence", "/rule-builder?tab=yaml")
    for place, path in enumerate(paths):
        await member.goto(path)
        await live(member)
        if rule in path:
            await expect(member.get_by_text("(as it is now)")).to_be_attached(timeout=15_000)
            await expect(member.get_by_role("slider", name="Cooldown")).to_be_visible()
        await assert_accessible(member, f"rules-{place}", screenshots)
