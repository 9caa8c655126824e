"""The Rules page in a real browser: what people do with a rule that is there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from signaldesk.model.actor import Actor
from tests.browser.conftest import live
from tests.support import rows
from tests.support.sharing import shared_loop
from tests.support.web import Org, Web

pytestmark = pytest.mark.browser

RULE = {
    "name": "Checkout failures",
    "event": "checkout_failed",
    "when": {"kind": "count", "at_least": 3, "within": "60s"},
    "labels": {"team": "shop"},
}


@shared_loop
async def rules(web: Web, org: Org, member: Page) -> Page:
    """The page with two rules, of which the first was changed once and fired twice today."""
    mira = Actor(org.founded.user_id, "Mira Kern")
    first = await web.services.rules.create(org.id, {**RULE, "cooldown": "5m"}, by=mira)
    await web.services.rules.patch(org.id, first.id, {"when": {"at_least": 5}})
    await web.services.rules.create(org.id, {**RULE, "name": "Slow search", "severity": "critical"})
    for hours in (1, 2, 50):
        await rows.firing(web.services.database, org.id, first.id, ago=timedelta(hours=hours))
    await member.goto("/rules")
    await live(member)
    return member


async def mode(web: Web, org: Org, name: str) -> str:
    (found,) = [rule for rule in await web.services.rules.all(org.id) if rule.name == name]
    return str(found.body.get("mode", "live"))


async def test_a_rule_is_paused_resumed_and_put_into_the_shadow(
    web: Web, org: Org, rules: Page, complaints: list[str]
) -> None:
    await rules.evaluate("window.stillHere = true")
    await expect(rules.get_by_text("2 in 24 h").first).to_be_visible()
    await rules.get_by_role("button", name="Pause", exact=True).click()
    await expect(rules.get_by_role("button", name="Resume", exact=True)).to_be_visible()
    assert await mode(web, org, "Checkout failures") == "paused"
    await rules.keyboard.press("p")
    await expect(rules.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    await rules.get_by_text("More", exact=True).click()
    await rules.get_by_role("button", name="Shadow: judge, but tell nobody").click()
    await expect(rules.get_by_text("shadow", exact=True).first).to_be_visible()
    assert await mode(web, org, "Checkout failures") == "shadow"
    assert await rules.evaluate("window.stillHere") and complaints == []


async def test_an_old_version_comes_back(web: Web, org: Org, rules: Page) -> None:
    await expect(rules.get_by_text("5 or more in 60 s").first).to_be_visible()
    await rules.get_by_role("button", name="Roll back to version 1").click()
    await expect(rules.locator("ol.versions > li")).to_have_count(3)
    newest = next(rule for rule in await web.services.rules.all(org.id) if rule.name == "Checkout failures")
    assert (newest.version, newest.body["when"]["at_least"]) == (3, 3)


async def test_deleting_asks_once_more(web: Web, org: Org, rules: Page) -> None:
    await rules.get_by_text("More", exact=True).click()
    button = rules.get_by_role("button", name="Delete Checkout failures")
    await expect(button).to_be_hidden()
    await rules.get_by_text("Delete…").click()
    await button.click()
    await expect(rules.get_by_role("heading", name="Slow search")).to_be_visible()
    assert [rule.name for rule in await web.services.rules.all(org.id)] == ["Slow search"]


async def test_many_are_paused_at_once_and_the_address_chooses(web: Web, org: Org, rules: Page) -> None:
    for name in ("Checkout failures", "Slow search"):
        await rules.get_by_label(f"Choose {name}").check()
    await rules.locator("[data-bulk]").get_by_role("button", name="Pause").click()
    await expect(rules.get_by_text("2 rules changed")).to_be_visible()
    assert [await mode(web, org, name) for name in ("Checkout failures", "Slow search")] == ["paused"] * 2
    await rules.goto("/rules?mode=paused&severity=critical")
    await live(rules)
    await expect(rules.get_by_role("heading", name="Slow search")).to_be_visible()
    await expect(rules.get_by_label("Choose Checkout failures")).to_be_hidden()
    await rules.get_by_role("link", name="severity: critical").click()
    await expect(rules.get_by_label("Choose Checkout failures")).to_be_visible()
