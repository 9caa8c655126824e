"""`GET /ws?ticket=…`: live messages as JSON, for programs and pages of our own origin."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import orjson
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from signaldesk.errors import SignalDeskError, Unauthenticated
from signaldesk.web.handlers import Context, Handler
from signaldesk.web.hub import QUEUE, Message, Watcher


class Socket(Handler, WebSocketHandler):
    """One client that follows its organisation."""

    route_name = "/ws"

    def initialize(self, context: Context) -> None:
        super().initialize(context)
        self._watcher: Watcher | None = None
        self._waiting: deque[Message] = deque(maxlen=QUEUE)
        self._sending: asyncio.Task[None] | None = None
        self._org_id: Any = None

    def check_origin(self, origin: str) -> bool:
        """Already checked in `prepare`, which Tornado's own check would not be for clients without one."""
        return True

    async def prepare(self) -> None:
        try:
            if self.request.headers.get("Origin") is not None:
                self.context.doorkeeper.check_origin(self.request, needed=True)
            ticket = self.get_query_argument("ticket", "")
            self._org_id = await self.context.services.tickets.take(ticket) if ticket else None
            if self._org_id is None:
                raise Unauthenticated(
                    "this ticket is used up or over; POST /api/v1/auth/ws-ticket gives another"
                )
        except SignalDeskError as error:
            self.refuse(error)

    def open(self, *_args: str, **_kwargs: str) -> None:
        self.context.lines.add(self)
        self._watcher = self.context.services.hub.watch(self._org_id, self._deliver)

    def on_message(self, message: str | bytes) -> None:
        """Whatever is said is taken as a sign of life."""

    def on_close(self) -> None:
        self.context.lines.discard(self)
        if self._watcher is not None:
            self.context.services.hub.forget(self._watcher)

    def _deliver(self, messages: Sequence[Message]) -> None:
        """The hub's call. A client that reads slowly loses the oldest messages."""
        self._waiting.extend(messages)
        if self._waiting and (self._sending is None or self._sending.done()):
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        with suppress(WebSocketClosedError):
            while self._waiting:
                await self.write_message(orjson.dumps(self._waiting.popleft()).decode())
