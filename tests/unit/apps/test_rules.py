"""The Rules page without a server."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from apps.markup import first_paint
from apps.page import Visit
from apps.rules import Rules
from signaldesk.clock import MICROS
from signaldesk.model.rule_page import RuleWanted
from tests.unit.apps.conftest import ID, NOW, FixedRules, rule_line


async def opened(visit: Visit, **query: str) -> Rules:
    page = Rules(replace(visit, query=query))
    await page.load(NOW)
    return page


def shown(page: Rules) -> str:
    return " ".join(str(first_paint(page.body)).split())


async def test_each_rule_says_what_it_watches_and_what_came_of_it(visit: Visit) -> None:
    html = shown(await opened(visit))
    for words in (
        "checkout_failed: 3 or more in 60 s, per country", "<b>12</b> in 24 h", "5 s ago", "7 late",
        "Slow search", "Firings of the last 7 days",
    ):  # fmt: skip
        assert words in html, words


async def test_text_from_tenants_is_escaped_everywhere(visit: Visit) -> None:
    html = shown(await opened(visit))
    assert "<script" not in html and "&lt;script&gt;" in html


async def test_a_rule_shows_its_text_and_what_its_versions_changed(visit: Visit) -> None:
    html = shown(await opened(visit))
    assert "at_least: 3" in html and 'download="' in html
    assert "<del>5</del> → <ins>3</ins>" in html
    assert """data-body='{"version": 1}'""" in html
    assert html.count("/rollback") == 1  # Nobody rolls back to what there is.


async def test_what_may_be_done_follows_the_mode(visit: Visit, rules: FixedRules) -> None:
    assert '"action": "pause", "ids"' in shown(await opened(visit))
    rules.lines = (rule_line(body={**rule_line().body, "mode": "paused"}),)
    html = shown(await opened(visit))
    assert '"action": "resume", "ids"' in html and "Go live" in html and "Shadow: judge" in html
    rules.lines = (rule_line(body={**rule_line().body, "mode": "shadow"}),)
    assert "Shadow: judge" not in shown(await opened(visit))


async def test_one_that_was_set_aside_says_why(visit: Visit, rules: FixedRules) -> None:
    rules.lines = (rule_line(failed_us=NOW - 60 * MICROS, error="division by zero"),)
    html = shown(await opened(visit))
    assert "set aside" in html and "division by zero" in html


async def test_a_body_that_is_not_valid_any_more_is_listed_all_the_same(
    visit: Visit, rules: FixedRules
) -> None:
    rules.lines = (rule_line(body={"name": "Old", "when": {"kind": "count", "atleast": 3}}),)
    assert "atleast: 3" in shown(await opened(visit))


async def test_the_address_says_which_rules(visit: Visit, rules: FixedRules) -> None:
    page = await opened(
        visit, mode="paused", severity="critical", kind="count", label="team=shop", q="pay", after="M"
    )
    assert rules.asked[-1] == (
        RuleWanted(("paused",), ("critical",), ("count",), ("team", "shop"), "pay"),
        "M",
    )
    html = shown(page)
    assert "Nothing fits" in html and "team=shop" in html
    await page.navigate({"mode": "odd", "kind": "?", "rule": "x", "q": "\0"}, NOW)
    assert rules.asked[-1] == (RuleWanted(), "")
    await page.navigate({"rule": str(UUID(int=8))}, NOW)
    assert "Slow search</h2>" in shown(page)


async def test_who_may_only_look_finds_nothing_to_press(visit: Visit) -> None:
    page = await opened(replace(visit, may_edit=False))
    html = shown(page) + str(first_paint(page.actions))
    assert "data-post" not in html and "data-pick" not in html


async def test_without_rules_the_page_says_what_they_are(visit: Visit, rules: FixedRules) -> None:
    rules.lines = ()
    assert "There are no rules yet" in shown(await opened(visit))


async def test_the_list_goes_on_after_its_page(visit: Visit, rules: FixedRules) -> None:
    rules.next = "Slow search"
    assert "?after=Slow+search" in shown(await opened(visit))


async def test_what_fired_is_asked_again_when_something_did(visit: Visit, rules: FixedRules) -> None:
    page = await opened(visit)
    rules.lines = (rule_line(id=ID, fired=13),)
    assert not await page.refresh(NOW + 3 * MICROS)
    page.receive([{"kind": "alert"}], NOW + 3 * MICROS)
    assert await page.refresh(NOW + 3 * MICROS)
    page.draw(NOW + 3 * MICROS)
    assert "<b>13</b> in 24 h" in shown(page)
