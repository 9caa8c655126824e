"""The inbox without a server."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from apps.alerts import Alerts
from apps.markup import first_paint
from apps.page import Visit
from signaldesk.clock import MICROS
from signaldesk.model.inbox import AlertDetail, Place
from tests.unit.apps.conftest import ID, NOW, FixedInbox


async def opened(visit: Visit, **query: str) -> Alerts:
    page = Alerts(replace(visit, query=query))
    await page.load(NOW)
    return page


def shown(page: Alerts) -> str:
    return str(first_paint(page.body)).replace("\u00a0", " ")


async def test_it_opens_with_the_first_alert_and_its_whole_story(visit: Visit) -> None:
    html = shown(await opened(visit))
    for words in (
        "told in 21 ms, attempt 2",
        ">204<",
        "11 firings held back",
        "Acknowledged by",
        "14 in 60 s",
        "the last 1 of 14 events",
        "019aa1c4…00e3",
        "runbook",
        "version 4",
    ):
        assert words in html, words


async def test_text_from_tenants_is_escaped_everywhere(visit: Visit) -> None:
    html = shown(await opened(visit))
    assert "<script" not in html and html.count("&lt;script&gt;") >= 8


async def test_the_address_chooses_folder_and_alert(visit: Visit) -> None:
    page = await opened(visit, alert=str(UUID(int=8)))
    assert "Slow search" in shown(page).partition('class="title"')[2]
    await page.navigate({"state": "resolved"}, NOW)
    assert "No alert is resolved" in shown(page)
    for nonsense in ({"state": "odd"}, {"alert": "x"}, {"alert": str(UUID(int=99))}):
        await page.navigate(nonsense, NOW)
        assert shown(page)


async def test_an_alert_can_be_acknowledged_only_while_open_and_only_by_those_who_may(visit: Visit) -> None:
    slow = str(UUID(int=8))
    assert "/acknowledge" in shown(await opened(visit, alert=slow))
    assert "/acknowledge" not in shown(await opened(visit))  # acknowledged already
    assert "data-post" not in shown(await opened(replace(visit, may_act=False), alert=slow))


async def test_a_new_alert_joins_the_list_but_does_not_push_the_open_one_away(
    visit: Visit, inbox: FixedInbox
) -> None:
    page = await opened(visit)
    inbox.lines = (replace(inbox.lines[1], id=UUID(int=9), title="Brand new"), *inbox.lines)
    page.receive([{"kind": "alert"}], NOW + 2 * MICROS)
    assert await page.refresh(NOW + 2 * MICROS)
    page.draw(NOW + 2 * MICROS)
    html = shown(page)
    assert "Brand new" in html
    assert "Brand new" not in html.partition('class="title"')[2]


async def test_empty_folders_say_so(visit: Visit, inbox: FixedInbox, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox.lines = ()

    async def nothing(alert_id: UUID) -> AlertDetail | None:
        return None

    monkeypatch.setattr(inbox, "detail", nothing)
    assert "All quiet" in shown(await opened(visit))
    assert "No alert is chosen" in shown(await opened(visit, state="acknowledged"))


async def test_an_alert_is_snoozed_woken_and_reopened_by_its_state(visit: Visit, inbox: FixedInbox) -> None:
    for state, offered, hidden in (
        ("open", "/snooze", "/unsnooze"),
        ("snoozed", "/unsnooze", "/reopen"),
        ("resolved", "/reopen", "/acknowledge"),
    ):
        inbox.lines = (replace(inbox.lines[0], state=state),)
        html = shown(await opened(visit, alert=str(inbox.lines[0].id)))
        assert offered in html and hidden not in html


async def test_the_address_filters_the_list_and_each_filter_can_be_taken_back(
    visit: Visit, inbox: FixedInbox
) -> None:
    query = {"severity": "critical,odd", "rule": str(ID), "label": "team=web", "group": "country=DE"}
    page = await opened(visit, **query, assignee="me", q="slow")
    wanted, _ = inbox.asked[-1]
    assert (wanted.severities, wanted.rule_id, wanted.labels) == (("critical",), ID, [("team", "web")])
    assert (wanted.fields, wanted.assignee, wanted.text) == ([("country", "DE")], ID, "slow")
    html = shown(page)
    assert html.count(", remove<") == 5
    assert f"?state=open&amp;severity=critical&amp;rule={ID}&amp;label=team%3Dweb" in html
    await page.navigate({"assignee": "nobody", "state": "resolved"}, NOW)
    wanted, _ = inbox.asked[-1]
    assert wanted.unassigned and wanted.assignee is None
    assert "Nothing fits" in shown(page)


async def test_a_long_list_has_further_pages(visit: Visit, inbox: FixedInbox) -> None:
    inbox.next = Place(NOW, ID)
    page = await opened(visit, severity="critical")
    assert f"?state=open&amp;severity=critical&amp;after={NOW}-{ID}" in shown(page)
    await page.navigate({"after": f"{NOW}-{ID}"}, NOW)
    assert inbox.asked[-1][1] == Place(NOW, ID)
    assert ">Latest<" in shown(page)


async def test_who_may_act_can_choose_many_assign_and_comment(visit: Visit) -> None:
    html = shown(await opened(visit))
    for words in ("data-pick=", "data-many=", "/assign", "/comment", 'data-until="tomorrow"'):
        assert words in html, words
    looking = shown(await opened(replace(visit, may_act=False)))
    assert "data-pick=" not in looking and "data-send" not in looking
