"""The WebSocket: one ticket, one use, our own origin; messages of one's own organisation only."""

from __future__ import annotations

import json

import httpx
import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.support import eventually
from tests.support.web import Org, Web, hang_up


async def ticket(client: httpx.AsyncClient) -> str:
    answer = await client.post("/api/v1/auth/ws-ticket")
    assert (answer.status_code, answer.json()["expires_in"]) == (201, 30)
    return str(answer.json()["ticket"])


async def connect(web: Web, ticket: str, **headers: str) -> WebSocketClientConnection:
    url = f"ws://localhost:{web.server.port}/ws?ticket={ticket}"
    return await websocket_connect(HTTPRequest(url, headers=headers))


async def test_messages_of_ones_own_organisation_arrive(
    web: Web, client: httpx.AsyncClient, org: Org, other: Org
) -> None:
    socket = await connect(web, await ticket(client), Origin=web.url)
    await eventually(lambda: web.services.hub.watching == 1)

    await eventually(lambda: org.id in web.feed.heard)
    await web.services.news.publish(other.id, {"kind": "events", "n": 666})
    await web.services.news.publish(org.id, {"kind": "events", "n": 7})
    message = await socket.read_message()
    assert message is not None and json.loads(message) == {"kind": "events", "n": 7}
    await hang_up(socket)
    await eventually(lambda: web.services.hub.watching == 0)


async def test_a_ticket_works_once(web: Web, client: httpx.AsyncClient) -> None:
    one = await ticket(client)
    socket = await connect(web, one)
    with pytest.raises(HTTPClientError) as error:
        await connect(web, one)
    assert error.value.code == 401
    await hang_up(socket)


@pytest.mark.parametrize("wrong", ["", "x", "%00"])
async def test_a_ticket_nobody_gave_out_opens_nothing(
    stranger: httpx.AsyncClient, web: Web, wrong: str
) -> None:
    with pytest.raises((HTTPClientError, UnicodeEncodeError)) as error:
        await connect(web, wrong)
    if isinstance(error.value, HTTPClientError):
        assert error.value.code == 401


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "http://localhost", "http://localhost:1"])
async def test_another_sites_page_is_refused_and_spends_no_ticket(
    web: Web, client: httpx.AsyncClient, origin: str
) -> None:
    good = await ticket(client)
    with pytest.raises(HTTPClientError) as error:
        await connect(web, good, Origin=origin)
    assert error.value.code == 403
    await hang_up(await connect(web, good, Origin=web.url))
