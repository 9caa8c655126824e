"""Pages over HTTP: who gets them, what is in them, and that nothing of them stays behind."""

from __future__ import annotations

import base64
import gc
import json
import re
from typing import Any

import httpx
import pytest
from bokeh.core.validation.check import check_integrity
from bokeh.document import Document
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from signaldesk.web.pages import find_pages
from tests.integration.pages.conftest import logged_in
from tests.support import eventually, rows
from tests.support.web import PASSWORD, Org, Web, hang_up, running_web

VISITS = 5


def token(page: str) -> str:
    found = re.search(r'"token":"([^"]+)"', page)
    assert found is not None
    return found[1]


async def connect(
    web: Web, client: httpx.AsyncClient, token: str, origin: str | None
) -> WebSocketClientConnection:
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}
    if origin is not None:
        headers["Origin"] = origin
    request = HTTPRequest(f"ws://localhost:{web.server.port}/overview/ws", headers=headers)
    return await websocket_connect(request, subprotocols=["bokeh", token])


async def close_sessions(web: Web) -> None:
    """What the server does every few seconds to pages without a browser."""
    application: Any = web.server.pages

    async def closed() -> bool:
        for context in application.applications.values():
            await context._cleanup_sessions(-1)
        return not any(session.connection_count == 0 for session in _sessions(web))

    await eventually(closed)  # one that is being drawn at that moment comes back to life


async def test_every_page_sends_strangers_to_the_log_in(web: Web) -> None:
    async with web.client() as stranger:
        for page in find_pages():
            answer = await stranger.get(f"{page.path}?range=7d")
            assert answer.status_code == 302
            assert answer.headers["Location"].startswith(f"/login?next=%2F{page.path[1:]}")


async def test_a_page_shows_its_figures_before_any_script_runs(member: httpx.AsyncClient) -> None:
    answer = await member.get("/overview")
    assert answer.status_code == 200
    for words in ("Events per second", "All quiet", "Acme", "Waiting for the first event"):
        assert words in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


async def test_bokeh_finds_no_mistake_in_any_page(web: Web, member: httpx.AsyncClient) -> None:
    """The server does not look for them: it would at each visit."""
    await close_sessions(web)
    for page in find_pages():
        assert (await member.get(page.path)).status_code == 200
        (session,) = _sessions(web)
        found = check_integrity(session.document.models)
        assert (found.error, found.warning) == ([], []), page.path
        await close_sessions(web)


async def test_every_script_of_a_page_is_allowed_by_its_policy_and_none_by_eval(
    member: httpx.AsyncClient,
) -> None:
    answer = await member.get("/overview")
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe-eval" not in policy
    for script in re.findall(r"<script[^>]*>", answer.text):
        nonce = re.search(r'nonce="([^"]+)"', script)
        assert 'src="/' in script or (nonce and f"'nonce-{nonce[1]}'" in policy), script


async def test_the_session_cookie_is_nowhere_in_the_page(member: httpx.AsyncClient) -> None:
    page = (await member.get("/overview")).text
    payload = token(page).split(".")[0]
    decoded = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    (cookie,) = (value for name, value in member.cookies.items() if name.endswith("sd_session"))
    assert cookie not in page and cookie.encode() not in decoded
    assert "Cookie" not in json.loads(decoded).get("headers", {})


async def test_a_page_cannot_be_embedded_elsewhere(member: httpx.AsyncClient) -> None:
    for path in ("/overview/autoload.js?bokeh-autoload-element=x", "/overview/metadata"):
        assert (await member.get(path)).status_code == 404


async def test_a_pages_line_opens_for_our_own_origin_only(web: Web, member: httpx.AsyncClient) -> None:
    page = token((await member.get("/overview")).text)
    for origin in ("https://evil.test", None, "null"):
        with pytest.raises(HTTPClientError) as error:
            await connect(web, member, page, origin)
        assert error.value.code == 403
    await hang_up(await connect(web, member, page, web.url))


async def test_nobody_else_may_use_a_pages_token(web: Web, member: httpx.AsyncClient) -> None:
    page = token((await member.get("/overview")).text)
    other = await web.found("Other")
    async with web.client() as client:
        await client.post("/api/v1/auth/login", json={"email": other.email, "password": PASSWORD})
        for who, code in ((client, 403), (web.client(), 403)):
            with pytest.raises(HTTPClientError) as error:
                await connect(web, who, page, web.url)
            assert error.value.code == code


async def test_the_database_being_away_is_said_in_a_page(
    web: Web, member: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from signaldesk.errors import Unavailable
    from signaldesk.store.overview import OverviewQueries

    async def away(*_: object, **__: object) -> None:
        raise Unavailable("the database is away; try again shortly", retry_after=1)

    with monkeypatch.context() as patch:
        patch.setattr(OverviewQueries, "attention", away)
        answer = await member.get("/overview")
    assert answer.status_code == 503 and "The database is away" in answer.text
    assert (await member.get("/overview")).status_code == 200


@pytest.mark.slow
async def test_visits_leave_nothing_behind(database_url: str, redis_url: str) -> None:
    """Of a server of their own: what other tests leave may go while these are counted."""
    from apps.overview import Overview

    def alive() -> dict[str, int]:
        gc.collect()
        kinds: dict[str, int] = {"pages": 0, "documents": 0}
        for thing in gc.get_objects():
            kinds["pages"] += isinstance(thing, Overview)
            kinds["documents"] += isinstance(thing, Document)
        return kinds

    def nothing_new() -> bool:
        now = alive()
        assert all(now[kind] <= before[kind] for kind in now), (now, before)
        return True

    async with (
        running_web(database_url, redis_url, pages=True) as web,
        logged_in(web, await web.found("Acme")) as member,
    ):
        await member.get("/overview")
        await close_sessions(web)
        before = alive()
        for _ in range(VISITS):
            assert (await member.get("/overview")).status_code == 200
        await close_sessions(web)
        assert web.services.hub.watching == 0
        await eventually(nothing_new, timeout=20, every=0.5)


async def test_a_page_that_is_left_gives_back_the_room_of_its_preview(
    web: Web, member: httpx.AsyncClient, org: Org
) -> None:
    room = web.services.previews
    before = room.left
    await rows.event(web.desk.database, org.id)
    answer = await member.get("/rule-builder?kind=count&event=checkout_failed")
    assert answer.status_code == 200
    await eventually(lambda: room.left == before - 1)
    await close_sessions(web)
    await eventually(lambda: room.left == before)


async def test_a_page_that_is_left_stops_listening(web: Web, member: httpx.AsyncClient, org: Org) -> None:
    page = token((await member.get("/overview")).text)
    line = await connect(web, member, page, web.url)
    await eventually(lambda: org.id in web.feed.heard)
    await hang_up(line)
    await eventually(lambda: not any(_connections(web)))
    await close_sessions(web)
    await eventually(lambda: org.id not in web.feed.heard)


def _connections(web: Web) -> list[int]:
    return [session.connection_count for session in _sessions(web)]


def _sessions(web: Web) -> list[Any]:
    application: Any = web.server.pages
    return [session for context in application.applications.values() for session in context.sessions]
