"""The Silences page without a server."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from apps.markup import first_paint
from apps.page import Visit
from apps.silences import Silences
from signaldesk.clock import MICROS
from tests.unit.apps.conftest import ID, NIGHTS, NOW, FixedSilences, quiet

HOUR = 3600 * MICROS


async def opened(visit: Visit, **query: str) -> Silences:
    page = Silences(replace(visit, query=query))
    await page.load(NOW)
    return page


def shown(page: Silences) -> str:
    return " ".join(str(first_paint(page.body)).split())


async def test_each_silence_says_what_it_is_about_and_until_when(visit: Visit) -> None:
    html = shown(await opened(visit))
    for words in ("holds now", "about <b>3</b> open alerts and <b>1</b> rule now", "until <time", "/expire"):
        assert words in html, words


async def test_text_from_tenants_is_escaped_everywhere(visit: Visit) -> None:
    for query in ({}, {"new": "1", "alert": str(ID)}, {"edit": str(ID)}):
        html = shown(await opened(visit, **query))
        assert "<script" not in html and "&lt;script&gt;" in html


async def test_one_that_comes_again_tells_its_hours_and_its_next_time(
    visit: Visit, silences: FixedSilences
) -> None:
    silences.lines = (quiet(kind="maintenance", hours=NIGHTS, ends_us=NOW + 10_000 * HOUR, forever=True),)
    page = await opened(visit)
    html = shown(page)
    assert "Mon – Fri 23:30 – 01:00 Europe/Berlin" in html
    assert "waits" in html and "from <time" in html
    assert html.count("<rect") == 5  # A week has five such nights.


async def test_a_form_is_there_for_a_new_one_an_alert_s_and_one_that_is_changed(visit: Visit) -> None:
    assert "<form" not in shown(await opened(visit))
    assert 'data-send="/api/v1/silences"' in shown(await opened(visit, new="1"))
    assert 'value="DE"' in shown(await opened(visit, new="1", alert=str(ID)))
    html = shown(await opened(visit, edit=str(ID)))
    assert f'data-send="/api/v1/silences/{ID}" data-method="PUT"' in html


async def test_who_may_only_look_finds_nothing_to_press(visit: Visit) -> None:
    html = shown(await opened(replace(visit, may_act=False), new="1"))
    assert "data-post" not in html and "<form" not in html


async def test_what_is_over_can_be_made_again(visit: Visit, silences: FixedSilences) -> None:
    silences.lines = (quiet(state="expired", ends_us=NOW - 1),)
    html = shown(await opened(visit, state="expired", edit=str(ID)))
    assert "Again<" in html and 'data-send="/api/v1/silences"' in html and "data-method" not in html


async def test_nonsense_in_the_address_shows_the_list(visit: Visit) -> None:
    page = await opened(visit, state="odd", edit="x", alert="y", after="z")
    assert "holds now" in shown(page)
    await page.navigate({"state": "pending", "edit": str(UUID(int=99))}, NOW)
    assert "No silence is pending" in shown(page)


async def test_the_list_is_asked_again_after_a_while(visit: Visit, silences: FixedSilences) -> None:
    page = await opened(visit)
    silences.lines = ()
    assert not await page.refresh(NOW + MICROS)
    assert await page.refresh(NOW + 16 * MICROS)
    page.draw(NOW + 16 * MICROS)
    assert "Nothing is silenced" in shown(page)
