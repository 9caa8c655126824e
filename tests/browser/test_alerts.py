"""The inbox in a real browser: from the keyboard, and by button."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from signaldesk.store.alerts import AlertFilter
from tests.browser.conftest import Screenshots, live
from tests.support import eventually, rows
from tests.support.sharing import shared_loop
from tests.support.web import Org, Web

pytestmark = pytest.mark.browser


@shared_loop
async def two(web: Web, org: Org) -> None:
    """Two open alerts."""
    for title in ("Slow search", "Checkout failures by country"):
        await rows.alert(web.services.database, org.id, title=title)


@shared_loop
async def alerts(web: Web, org: Org, two: None, member: Page) -> Page:
    """The inbox with two open alerts, live."""
    await open_inbox(member, web, org)
    return member


async def open_inbox(page: Page, web: Web, org: Org) -> None:
    await page.goto("/alerts")
    await live(page)
    await eventually(lambda: org.id in web.feed.heard)


async def test_an_alert_is_acknowledged_and_resolved_from_the_keyboard(
    alerts: Page, complaints: list[str]
) -> None:
    await alerts.evaluate("window.stillHere = true")
    await expect(alerts.get_by_role("heading", name="Checkout failures")).to_be_visible()
    await alerts.keyboard.press("j")
    await expect(alerts.get_by_role("heading", name="Slow search")).to_be_visible()
    await alerts.keyboard.press("a")
    await expect(alerts.get_by_role("link", name="Acknowledged 1")).to_be_visible()
    await expect(alerts.get_by_text("Acknowledged by Mira Kern")).to_be_visible()
    await alerts.keyboard.press("r")
    await expect(alerts.get_by_text("Resolved by Mira Kern")).to_be_visible()
    await expect(alerts.get_by_role("link", name="Open 1")).to_be_visible()
    assert await alerts.evaluate("window.stillHere")
    assert complaints == []


async def test_buttons_do_the_same(web: Web, org: Org, alerts: Page) -> None:
    await alerts.get_by_role("button", name="Acknowledge").click()
    await expect(alerts.get_by_role("button", name="Acknowledge")).to_have_count(0)
    await alerts.get_by_role("button", name="Resolve").click()
    await expect(alerts.get_by_role("button", name="Resolve")).to_have_count(0)
    found = await web.services.alerts.page(org.id, AlertFilter(["resolved"]), limit=5)
    assert [alert.title for alert in found] == ["Checkout failures by country"]


async def test_a_link_in_a_message_opens_its_alert(web: Web, org: Org, two: None, member: Page) -> None:
    listed = await web.services.alerts.page(org.id, AlertFilter(["open"]), limit=5)
    older = next(alert for alert in listed if alert.title == "Slow search")
    await member.goto(f"/alerts/{older.id}")
    await live(member)
    await expect(member.get_by_role("heading", name="Slow search")).to_be_visible()


async def test_an_alert_is_snoozed_from_the_keyboard_and_woken_again(
    alerts: Page, org: Org, complaints: list[str], screenshots: Screenshots
) -> None:
    await alerts.keyboard.press("s")
    await expect(alerts.get_by_role("link", name="Snoozed 1")).to_be_visible()
    await expect(alerts.get_by_text("Snoozed by Mira Kern")).to_be_visible()
    for width in (1440, 390):
        await alerts.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            await alerts.evaluate("scheme => document.documentElement.dataset.theme = scheme", scheme)
            await screenshots.take(alerts, f"alerts-{width}-{scheme}")
    await alerts.get_by_role("button", name="Wake").click()
    await expect(alerts.get_by_role("link", name="Open 2")).to_be_visible()
    assert complaints == []


async def test_filters_are_in_the_address_and_many_alerts_are_handled_at_once(
    web: Web, org: Org, two: None, member: Page, complaints: list[str]
) -> None:
    database = web.services.database
    for country in ("DE", "FR", "IT"):
        await rows.alert(database, org.id, title="Late", severity="warning", group={"country": country})
    await open_inbox(member, web, org)
    await member.get_by_role("link", name="warning", exact=True).click()
    await expect(member.get_by_role("link", name="Open 3")).to_be_visible()
    assert "severity=warning" in member.url
    await member.keyboard.press("/")
    await member.keyboard.type("late")
    await member.keyboard.press("Enter")
    await expect(member.get_by_role("link", name="“late”")).to_be_visible()
    await member.get_by_label("Choose Late, country = DE").check()
    await member.get_by_label("Choose Late, country = FR").check()
    # The list is drawn anew each second; what is chosen stays so.
    await rows.alert(database, org.id, title="Late", severity="warning", group={"country": "ES"})
    await web.services.news.publish(org.id, {"kind": "alert"})
    await expect(member.get_by_role("link", name="Open 4")).to_be_visible()
    await expect(member.get_by_text("2 chosen")).to_be_visible()
    await member.locator("[data-many]").filter(has_text="Resolve").click()
    await expect(member.get_by_role("link", name="Open 2")).to_be_visible()
    await member.go_back()
    await expect(member.get_by_role("link", name="“late”")).to_have_count(0)
    assert complaints == []


async def test_a_search_that_is_drawn_anew_keeps_what_is_typed(
    web: Web, org: Org, two: None, member: Page, complaints: list[str]
) -> None:
    """Else the next letter would be a command: `a` acknowledges."""
    await rows.alert(web.services.database, org.id, title="Late", severity="warning")
    await open_inbox(member, web, org)
    await member.keyboard.press("/")
    await member.keyboard.type("l")
    await member.evaluate("signaldesk.go('?state=open&severity=warning')")
    await expect(member.locator("input[name=severity]")).to_have_value("warning")
    await member.keyboard.type("ate")
    await expect(member.get_by_role("searchbox", name="Search titles")).to_have_value("late")
    await member.keyboard.press("Enter")
    await expect(member.get_by_role("link", name="“late”")).to_be_visible()
    await expect(member.get_by_role("link", name="Open 1")).to_be_visible()
    assert complaints == []


async def test_an_alert_is_assigned_commented_and_snoozed_for_an_hour(
    web: Web, org: Org, alerts: Page, complaints: list[str]
) -> None:
    await alerts.get_by_label("Assigned to").select_option("Mira Kern")
    await alerts.get_by_role("button", name="Assign").click()
    await expect(alerts.get_by_text("Assigned to Mira Kern by Mira Kern")).to_be_visible()
    await alerts.get_by_role("textbox", name="Comment").fill("looking into it")
    await alerts.get_by_role("button", name="Comment").click()
    await expect(alerts.get_by_text("Mira Kern: looking into it")).to_be_visible()
    await alerts.locator("summary", has_text="Snooze").click()
    await alerts.get_by_role("button", name="For an hour").click()
    await expect(alerts.get_by_role("link", name="Snoozed 1")).to_be_visible()
    (found,) = await web.services.alerts.page(org.id, AlertFilter(["snoozed"]), limit=5)
    assert found.snoozed_until is not None and found.assigned_to == org.founded.user_id
    assert 3500 < (found.snoozed_until - rows.now()).total_seconds() < 3660
    assert complaints == []
