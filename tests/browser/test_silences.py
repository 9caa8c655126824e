"""Silences in a real browser: made, changed and ended."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from signaldesk.model.silence import FOREVER
from tests.browser.conftest import live
from tests.support import rows
from tests.support.web import Org, Web

pytestmark = pytest.mark.browser


async def test_a_silence_is_made_of_an_alert_and_ended(
    web: Web, org: Org, member: Page, complaints: list[str]
) -> None:
    await rows.alert(web.services.database, org.id, title="Slow search")
    await member.goto("/alerts")
    await live(member)
    await member.get_by_role("link", name="silence…").click()
    await live(member)
    assert await member.get_by_label("Name").first.input_value() == "rule"
    assert await member.get_by_label("Value").first.input_value() == "Slow search"
    await member.get_by_label("Value").nth(1).fill("D.")
    await member.get_by_label("Operator").nth(1).select_option("=~")
    await expect(member.get_by_text("Now: 1 alert, 0 rules.")).to_be_visible()
    await member.get_by_label("Operator").nth(1).select_option("!~")
    await expect(member.get_by_text("Now: 0 alerts, 0 rules.")).to_be_visible()
    await member.get_by_label("Why").fill("a new index")
    await member.get_by_role("button", name="Hold messages back").click()
    await expect(member.get_by_role("alert")).to_contain_text("`ends_at` is missing")
    await member.get_by_role("button", name="4 hours").click()
    await member.get_by_role("button", name="Hold messages back").click()
    await expect(member.get_by_text("holds now")).to_be_visible()
    (made,) = await web.services.silences.page(org.id, states=["active"], now=rows.now(), limit=5)
    assert made.matchers == [["rule", "=", "Slow search"], ["country", "!~", "D."]]
    assert timedelta(hours=3.9) < made.ends_at - rows.now() < timedelta(hours=4.1)
    await member.get_by_role("button", name="End a new index").click()
    await expect(member.get_by_text("Nothing is silenced")).to_be_visible()
    # The refusal above is the browser's only complaint.
    assert [one for one in complaints if "422" not in one] == []


async def test_a_window_that_comes_again_is_made_and_changed(web: Web, org: Org, overview: Page) -> None:
    await overview.goto("/silences?new=1")  # a first page has told the browser's zone
    await live(overview)
    await overview.get_by_label("Maintenance window").check()
    await overview.get_by_label("Name").fill("team")
    await overview.get_by_label("Value").fill("storage")
    await overview.get_by_label("Every week or day").check()
    for day in ("Sat", "Sun"):
        await overview.get_by_label(day).uncheck()
    await overview.get_by_role("button", name="Hold messages back").click()
    await expect(overview.get_by_text("Mon – Fri 02:00 – 04:00 Europe/Berlin")).to_be_visible()
    await overview.get_by_role("link", name="Change").click()
    await expect(overview.get_by_role("heading", name="Change")).to_be_visible()
    await overview.get_by_role("textbox", name="To", exact=True).fill("05:30")
    await overview.get_by_role("button", name="Save").click()
    await expect(overview.get_by_text("Mon – Fri 02:00 – 05:30 Europe/Berlin")).to_be_visible()
    (made,) = await web.services.silences.page(
        org.id, states=["active"], now=rows.now() + timedelta(seconds=1), limit=5
    )
    assert (made.kind, made.ends_at, made.matchers) == ("maintenance", FOREVER, [["team", "=", "storage"]])
    assert made.hours == {
        "days": ["mon", "tue", "wed", "thu", "fri"], "from": "02:00", "to": "05:30",
        "timezone": "Europe/Berlin",
    }  # fmt: skip
