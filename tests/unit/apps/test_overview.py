"""The page without a server: what it shows, what it asks for, what it makes of messages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from apps.markup import Html, first_paint
from apps.overview import PAGE, Overview
from apps.page import Visit
from apps.themed import colours
from signaldesk.clock import MICROS, iso
from signaldesk.errors import Unavailable
from signaldesk.model.overview import Attention
from tests.unit.apps.conftest import EVIL, NOW, FixedOverview


@pytest.fixture
async def page(visit: Visit) -> Overview:
    page = Overview(visit)
    await page.load(NOW)
    return page


def shown(page: Overview) -> str:
    return str(first_paint(page.body))


def events(n: int, *latest: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "events", "at": iso(NOW), "n": n, "matched": 1, "types": {}, "latest": list(latest)}


def event(id: str, type: str = "search") -> dict[str, Any]:
    moment = iso(NOW)
    return {"id": id, "type": type, "timestamp": moment, "received_at": moment, "payload": {"ms": 12}}


async def test_it_opens_with_every_figure(page: Overview) -> None:
    html = shown(page).replace("\u00a0", " ")
    for words in ("Events per second", ">10<", "2 critical", "oldest 38 min", "2 unacknowledged", "31 ms",
                  "−3.9 ms", "99.97" if False else "100 %", "2,914 sent", "14 in 60 s (≥ 3)", "2 min ago",
                  "2026-11-23 21:02:12 CET", "41 firings"):  # fmt: skip
        assert words in html, words


async def test_text_from_tenants_is_escaped_everywhere(page: Overview) -> None:
    html = shown(page)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 6


async def test_messages_move_the_rate_the_chart_and_the_list(page: Overview) -> None:
    before = page.traffic._source.data["n"][-1]
    page.receive([events(100, event("a"), event("b", "checkout_failed"))], NOW + 2 * MICROS)
    html = shown(page)
    assert page.traffic._source.data["n"][-1] == before + 100
    assert ">50<" in html.replace("\n", "")  # 100 events in the two seconds since the page was opened
    assert html.index("checkout_failed") < html.index("search")
    assert html.count('class="fresh"') == 2
    page.receive([], NOW + 3 * MICROS)
    assert 'class="fresh"' not in shown(page)


async def test_the_same_event_is_listed_once_and_the_list_stays_short(page: Overview) -> None:
    page.receive([events(1, event("a")), events(1, event("a"))], NOW)
    assert shown(page).count(">search<") == 1
    page.receive([events(50, *(event(str(i)) for i in range(50)))], NOW)
    assert shown(page).count(">search<") == 12


async def test_nothing_is_sent_when_nothing_changed(page: Overview) -> None:
    page.receive([], NOW)
    sent: list[object] = []
    for piece in _pieces(page):
        piece.param.watch(sent.append, "object")
    page.receive([], NOW)
    assert sent == []


async def test_an_alert_message_makes_it_ask_again_but_not_twice_a_second(
    page: Overview, data: FixedOverview
) -> None:
    data.asked.clear()
    data.attention_now = Attention({}, 0, None, ())
    page.receive([{"kind": "alert"}], NOW + 2 * MICROS)
    assert await page.refresh(NOW + 2 * MICROS)
    page.draw(NOW + 2 * MICROS)
    assert "All quiet" in shown(page)
    page.receive([{"kind": "alert"}], NOW + 2 * MICROS)
    assert not await page.refresh(NOW + 2 * MICROS + 1)
    assert data.asked.count("attention") == 1


async def test_what_the_desk_itself_cannot_do_stands_first(page: Overview, data: FixedOverview) -> None:
    data.attention_now = replace(data.attention_now, warnings=(f"The rule {EVIL} failed",))
    page.receive([{"kind": "alert"}], NOW + 2 * MICROS)
    assert await page.refresh(NOW + 2 * MICROS)
    page.draw(NOW + 2 * MICROS)
    assert "The rule &lt;script&gt;" in shown(page)


async def test_what_could_not_be_asked_is_asked_again(
    page: Overview, data: FixedOverview, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(limit: int) -> Attention:
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(data, "attention", away)
        page.receive([{"kind": "alert"}], NOW + 2 * MICROS)
        with pytest.raises(Unavailable):
            await page.refresh(NOW + 2 * MICROS)
    assert await page.refresh(NOW + 4 * MICROS)
    assert "attention" in data.asked


async def test_the_range_is_in_the_address(visit: Visit, data: FixedOverview) -> None:
    page = await PAGE.open(replace(visit, query={"range": "7d"}))
    assert data.asked[0] == "traffic 7d"
    html = str(first_paint(page.actions))
    assert 'href="?range=7d" data-soft aria-current="true"' in html
    await page.navigate({"range": "1h"}, NOW)
    assert 'href="?range=1h" data-soft aria-current="true"' in str(first_paint(page.actions))
    await page.navigate({"range": "nonsense"}, NOW)
    assert 'href="?range=6h" data-soft aria-current="true"' in str(first_paint(page.actions))


async def test_an_organisation_without_anything_is_told_the_next_step(visit: Visit) -> None:
    class Nothing(FixedOverview):
        async def latest(self, limit: int, now_us: int) -> tuple[()]:
            return ()

        async def noisy_rules(self, now_us: int, days: int, slices: int, limit: int) -> tuple[()]:
            return ()

    nothing = Nothing()
    nothing.attention_now = Attention({}, 0, None, ())
    page = Overview(replace(visit, overview=nothing))
    await page.load(NOW)
    html = shown(page)
    for words in ("All quiet", "No rule fired in 7 days", "curl http://localhost:5006/api/v1/events"):
        assert words in html


async def test_the_chart_wears_the_visitors_theme(visit: Visit) -> None:
    light, dark = Overview(visit), Overview(replace(visit, dark=True))
    for page, palette in ((light, colours(False)), (dark, colours(True))):
        bars = _chart(page).renderers[1].glyph
        assert bars.fill_color == palette["series-1-soft"]
    assert colours(True).keys() == colours(False).keys()
    assert EVIL not in colours(True)


async def test_alerts_in_view_are_named_on_the_chart_as_plain_text(page: Overview) -> None:
    marks = page.traffic._marks.data
    assert list(marks["label"]) == [f"{EVIL}: {EVIL}"]
    assert marks["from"][0] < marks["to"][0]


async def test_it_is_drawn_in_a_notebook_too(page: Overview) -> None:
    from bokeh.document import Document

    document = Document()
    page.body.server_doc(document, location=False)
    assert document.roots


def _pieces(page: Overview) -> list[Html]:
    body: Any = page.body
    return list(body.select(Html))


def _chart(page: Overview) -> Any:
    card: Any = page.traffic.__panel__()
    return card[1].object
