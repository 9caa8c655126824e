"""Until the pages are loaded all else is served, and whoever asks for a page gets it a little later."""

import asyncio

import httpx
import pytest

from tests.support.web import running_web


async def test_a_page_that_is_asked_for_early_waits_for_the_pages_and_nothing_else_does(
    database_url: str, redis_url: str
) -> None:
    async with (
        running_web(database_url, redis_url, pages=True, opened=False) as web,
        web.client() as early,
        web.client() as stranger,
    ):
        paths = ("/overview", "/static/js/bokeh.min.js", "/nowhere")
        asked = [asyncio.create_task(early.get(path)) for path in paths]
        posted = asyncio.create_task(early.post("/nowhere", content=b"x" * 10_000))
        for path, status in (("/readyz", 200), ("/login", 200), ("/api/v1/alerts", 401), ("/docs", 200)):
            assert (await stranger.get(path)).status_code == status
        assert not any(answer.done() for answer in (*asked, posted))
        await web.server.open_pages()
        assert [(await answer).status_code for answer in asked] == [302, 200, 404]
        assert (await posted).status_code == 404


async def test_a_server_that_stops_before_its_pages_are_open_hangs_up(
    database_url: str, redis_url: str
) -> None:
    async with running_web(database_url, redis_url, pages=True, opened=False) as web, web.client() as early:
        asked = asyncio.create_task(early.get("/overview"))
        assert (await early.get("/readyz")).status_code == 200
        await web.server.close()
        with pytest.raises(httpx.RemoteProtocolError):
            await asked


async def test_pages_that_cannot_be_loaded_are_an_error_of_the_server(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signaldesk.web.pages.find_pages", lambda: 1 / 0)
    async with running_web(database_url, redis_url, pages=True, opened=False) as web:
        with pytest.raises(ZeroDivisionError):
            await web.server.open_pages()
