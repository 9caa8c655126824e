"""`/docs`: every route on one page, with a command to copy."""

from __future__ import annotations

import re
from html import unescape

import httpx

from signaldesk.web.routes import API


async def test_every_route_and_object_is_on_the_page(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=UTF-8"
    shown = set(re.findall(r'aria-label="([A-Z]+) (/api[^"]+)"', answer.text))
    assert shown == {(route.method, route.path) for route in API}
    anchors = re.findall(r'\bid="([^"]+)"', answer.text)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'href="#([^"]+)"', answer.text)) <= set(anchors)


async def test_an_example_holds_what_is_needed(client: httpx.AsyncClient) -> None:
    page = unescape((await client.get("/docs")).text)
    section = page.partition('aria-label="POST /api/v1/events"')[2].partition("</section>")[0]
    body = re.search(r"-d '(.+)'", section)
    assert body is not None
    kind = {"Content-Type": "application/json"}
    answer = await client.post("/api/v1/events", content=body[1], headers=kind)
    assert answer.status_code == 202, (body[1], answer.text)


async def test_whoever_looks_for_it_finds_it(stranger: httpx.AsyncClient) -> None:
    assert 'href="/docs"' in (await stranger.get("/")).text
