"""The Overview in a real browser."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from signaldesk.clock import iso
from signaldesk.ids import new_id
from signaldesk.model.active import Active
from signaldesk.model.actor import Actor
from signaldesk.model.silence import FOREVER, Matcher
from signaldesk.store.silences import SilenceDraft
from signaldesk.web.pages import find_pages
from tests.browser.conftest import Screenshots, enter, live, log_in
from tests.browser.looks import assert_accessible
from tests.support import eventually, rows
from tests.support.web import PASSWORD, Org, Web, running_web

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=\"document.title='owned'\">"
NIGHTS = {"days": "mon-fri", "from": "23:30", "to": "01:00", "timezone": "Europe/Berlin"}


async def publish(web: Web, org: Org, type: str, n: int = 1) -> None:
    """What the processor says after a commit."""
    moment = iso(web.services.clock.now_us())
    event = {"id": str(new_id()), "type": type, "timestamp": moment, "received_at": moment}
    latest = [{**event, "source": None, "payload": {"country": "DE", "note": EVIL}}]
    message = {"kind": "events", "at": moment, "n": n, "matched": 1, "types": {type: n}, "latest": latest}
    await web.services.news.publish(org.id, message)


async def furnish(web: Web, org: Org) -> None:
    """A day in the life of a shop: counts, alerts, firings, messages."""
    database, minute = web.services.database, rows.now().replace(second=0, microsecond=0)
    counts = [(minute - timedelta(minutes=i), 900 + i % 97 * 9, 20 + i % 7) for i in range(360)]
    await rows.count_minutes(database, org.id, counts)
    for title, severity, ago in (
        ("Checkout failures by country", "critical", 2),
        ("Payment provider silent", "critical", 11),
        ("Slow search", "error", 26),
        ("Sign-ups unusual for a Monday", "warning", 38),
    ):
        rule_id = await rows.rule(database, org.id, title)
        opened = rows.now() - timedelta(minutes=ago)
        await rows.alert(
            database, org.id, rule_id=rule_id, title=title, severity=severity, opened_at=opened,
            last_fired_at=opened,
        )  # fmt: skip
        for i in range(ago):
            await rows.firing(database, org.id, rule_id, ago=timedelta(hours=i * 3))
    for i in range(8):
        await rows.event(database, org.id, timestamp=rows.now() - timedelta(seconds=i))
    await rows.notification(database, org.id)
    await silence(web, org)


async def silence(web: Web, org: Org) -> None:
    """A silence for an hour, and a maintenance window every night."""
    store, now, me = web.services.silences, rows.now(), Actor(org.founded.user_id, "Mira Kern")
    matchers = (Matcher("rule", "=", "Slow search"), Matcher("country", "=~", "DE|FR"))
    once = SilenceDraft("silence", matchers, now, now + timedelta(hours=1), "Index is being rebuilt")
    hours = Active.model_validate(NIGHTS).model_dump(mode="json")
    nightly = SilenceDraft("maintenance", matchers[:1], now, FOREVER, "Nightly backup", hours)
    for draft in (once, nightly):
        await store.create(org.id, draft, by=me, at=now)


async def test_a_live_event_appears_without_reload(
    web: Web, org: Org, overview: Page, complaints: list[str]
) -> None:
    await overview.evaluate("window.stillHere = true")
    await expect(overview.get_by_text("Waiting for the first event")).to_be_visible()
    await eventually(lambda: org.id in web.feed.heard)
    await publish(web, org, "checkout_failed", n=500)
    await expect(overview.get_by_role("cell", name="checkout_failed")).to_be_visible(timeout=1000)
    await expect(overview.locator(".kpi .value").first).not_to_have_text("0")
    assert await overview.evaluate("window.stillHere")
    assert await overview.title() == f"Overview · {org.name} · SignalDesk"
    assert complaints == []


async def test_an_alert_shows_up_and_leaves_again_by_itself(web: Web, org: Org, overview: Page) -> None:
    await eventually(lambda: org.id in web.feed.heard)
    alert_id = await rows.alert(web.services.database, org.id, title=EVIL)
    await web.services.news.publish(org.id, {"kind": "alert"})
    await expect(overview.get_by_text(EVIL).first).to_be_visible(timeout=3000)
    await web.services.alerts.resolve(org.id, alert_id, by=Actor(None, "somebody"), at=rows.now())
    await web.services.news.publish(org.id, {"kind": "alert"})
    await expect(overview.get_by_text("All quiet")).to_be_visible(timeout=5000)
    assert await overview.title() == f"Overview · {org.name} · SignalDesk"


async def test_the_range_changes_with_its_address_and_back_again(overview: Page) -> None:
    await overview.evaluate("window.stillHere = true")
    await overview.get_by_role("link", name="7 d").click()
    await expect(overview.get_by_text("last 7 d")).to_be_visible()
    assert overview.url.endswith("/overview?range=7d")
    await overview.go_back()
    await expect(overview.get_by_text("last 6 h")).to_be_visible()
    assert await overview.evaluate("window.stillHere")
    await overview.goto("/overview?range=24h")
    await live(overview)
    await expect(overview.get_by_text("last 24 h")).to_be_visible()


async def test_the_theme_is_remembered(overview: Page) -> None:
    toggle = overview.get_by_label("Change between light and dark")
    await toggle.click()
    await is_dark(overview)
    await overview.reload()
    await live(overview)
    await is_dark(overview)


async def is_dark(page: Page) -> None:
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"


async def test_times_are_told_in_the_viewers_zone(web: Web, org: Org, overview: Page) -> None:
    await furnish(web, org)
    await overview.reload()
    await live(overview)
    ages = overview.locator("td[title$=CET], td[title$=CEST]")
    assert await ages.count() >= 4


async def test_a_server_that_comes_back_finds_the_page_live_again(
    page: Page, redis_url: str, database_url: str
) -> None:
    async with running_web(database_url, redis_url, pages=True) as first:
        port = first.server.port
        await enter(page, first, await first.found("Acme"))
        await page.goto(f"{first.url}/overview")
        await live(page)
    await expect(page.locator("[data-link-state]")).to_have_text("reconnecting")
    async with running_web(database_url, redis_url, pages=True, port=port):
        await page.wait_for_event("load", timeout=15_000)
        await live(page)
        await expect(page.locator("[data-link-state]")).to_have_text("live")


async def test_logging_in_leads_where_one_wanted_to_go(org: Org, page: Page, complaints: list[str]) -> None:
    await page.goto("/overview?range=24h")
    await log_in(page, org)
    assert page.url.endswith("/overview?range=24h")
    await expect(page.get_by_text("last 24 h")).to_be_visible()
    assert complaints == []


async def test_logging_out_leaves_nothing_to_go_back_to(overview: Page) -> None:
    await overview.get_by_label("Account").click()
    await overview.get_by_role("button", name="Log out").click()
    await overview.wait_for_url("**/")
    await overview.goto("/overview")
    assert "/login?next=" in overview.url


async def test_the_keyboard_reaches_everything(overview: Page) -> None:
    await overview.keyboard.press("Control+k")
    field = overview.get_by_role("combobox")
    await expect(field).to_be_focused()
    await field.fill("dark")
    await overview.keyboard.press("Enter")
    assert await overview.evaluate("document.documentElement.dataset.theme") == "dark"
    await overview.goto("/overview")
    await overview.keyboard.press("Tab")
    await expect(overview.get_by_role("link", name="Skip to the page")).to_be_focused()


async def test_on_a_phone_the_navigation_opens_and_nothing_hangs_over(
    web: Web, org: Org, member: Page
) -> None:
    await furnish(web, org)
    await member.set_viewport_size({"width": 390, "height": 844})
    await member.goto("/overview")
    await live(member)
    assert await member.evaluate("document.documentElement.scrollWidth") <= 390
    link = member.get_by_role("link", name="Overview")
    await expect(link).to_be_hidden()
    await member.get_by_role("button", name="Navigation").click()
    await expect(link).to_be_visible()
    await member.keyboard.press("Escape")
    await expect(link).to_be_hidden()


async def test_axe_finds_nothing_serious(web: Web, org: Org, member: Page, screenshots: Screenshots) -> None:
    await furnish(web, org)
    for path in (*(page.path for page in find_pages()), "/silences?new=1"):
        await member.goto(path)
        await live(member)
        await assert_accessible(member, re.sub(r"\W+", "-", path.strip("/")), screenshots)
    await member.context.clear_cookies()
    await member.goto("/")
    await assert_accessible(member, "landing", screenshots)


async def test_axe_finds_nothing_serious_in_the_log_in(
    org: Org, page: Page, screenshots: Screenshots
) -> None:
    await page.goto("/login")
    await page.get_by_label("E-mail").fill(org.email)
    await page.get_by_label("Password").fill("wrong " + PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await assert_accessible(page, "login", screenshots)


async def test_the_log_in_works_without_javascript(web: Web, org: Org, page: Page) -> None:
    browser = page.context.browser
    assert browser is not None
    context = await browser.new_context(base_url=web.url, java_script_enabled=False)
    plain = await context.new_page()
    await plain.goto("/overview?range=7d")
    await plain.get_by_label("E-mail").fill(org.email)
    await plain.get_by_label("Password").fill(PASSWORD)
    await plain.get_by_role("button", name="Log in").click()
    assert plain.url.endswith("/overview?range=7d")
    await expect(plain.get_by_text("Events per second")).to_be_visible()
    await context.close()


@pytest.mark.undisturbed
async def test_the_page_is_interactive_soon(overview: Page) -> None:
    """Promised: within 1.5 s. A machine that is busy gets some tries to show it."""
    times: list[float] = []
    while min(times, default=2.0) >= 1.5:
        assert len(times) < 10, times
        await overview.reload(wait_until="commit")
        await live(overview)
        times.append(await overview.evaluate("performance.now()") / 1000)
