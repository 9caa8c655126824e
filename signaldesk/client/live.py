"""What happens in an organisation, as it happens, over a WebSocket that is opened again when it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
from tornado.httpclient import HTTPError
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, websocket_connect

from signaldesk.client.http import Api, Unreachable

TICKET = "/api/v1/auth/ws-ticket"
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
PING_EVERY = 20


async def messages(api: Api) -> AsyncIterator[dict[str, Any]]:
    """Messages of the key's organisation, for ever; what happens while the line is broken is missed.

    Yields {"kind": "connected"} whenever the line stands. Raises Refused for a key that is not let in.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            line = await _connect(api)
            yield {"kind": "connected"}
            pause = FIRST_PAUSE
            while (said := await line.read_message()) is not None:
                yield orjson.loads(said)
        except (Unreachable, HTTPError, WebSocketClosedError, OSError):
            pass
        await asyncio.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 2)


async def _connect(api: Api) -> WebSocketClientConnection:
    answer = await asyncio.to_thread(api.post, TICKET)
    address = f"ws{api.url.removeprefix('http')}/ws?ticket={answer.body['ticket']}"
    return await websocket_connect(address, ping_interval=PING_EVERY)
