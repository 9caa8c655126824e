"""One open page in one browser tab: opened by a request, fed by the hub, closed with its session."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import parse_qsl

from bokeh.document import Document
from panel.io.document import hold

from signaldesk.clock import Clock
from signaldesk.errors import Unavailable
from signaldesk.log import get_logger
from signaldesk.web.hub import QUEUE, Message

log = get_logger(__name__)


class LivePage:
    """Carries messages from the hub to a page, under its document's lock, never two bundles at a time."""

    def __init__(self, *, document: Document, view: Any, clock: Clock) -> None:
        self._document = document
        self._view = view
        self._clock = clock
        self._waiting: deque[Message] = deque(maxlen=QUEUE)
        self._scheduled = False
        self._refreshing: asyncio.Task[None] | None = None
        self._closed = False

    def deliver(self, messages: Sequence[Message]) -> None:
        """The hub's call: take a bundle; it is drawn when the document is free."""
        self._waiting.extend(messages)
        if not self._scheduled and not self._closed:
            self._scheduled = True
            self._next_tick(self._receive)

    def moved(self, _name: str, _old: str, search: str) -> None:
        """The browser's address changed without a reload."""
        query = dict(parse_qsl(search.removeprefix("?")))

        async def navigate() -> None:
            await self._quietly(self._view.navigate(query, self._clock.now_us()))

        self._next_tick(navigate)

    def close(self) -> None:
        self._closed = True
        if self._refreshing is not None:
            self._refreshing.cancel()
        if hasattr(self._view, "close"):  # it holds more than the garbage collector may take its time with
            self._view.close()

    async def _receive(self) -> None:
        self._scheduled = False
        messages = tuple(self._waiting)
        self._waiting.clear()
        with hold(self._document):
            self._view.receive(messages, self._clock.now_us())
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._refresh())

    async def _refresh(self) -> None:
        """Questions are asked without the document's lock, so that the page stays answerable meanwhile."""
        changed: list[bool] = []

        async def ask() -> None:
            changed.append(await self._view.refresh(self._clock.now_us()))

        await self._quietly(ask())
        if changed == [True] and not self._closed:
            self._next_tick(self._draw)

    async def _draw(self) -> None:
        with hold(self._document):
            self._view.draw(self._clock.now_us())

    def _next_tick(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run on the event loop under the document's lock, as soon as it is free.

        Bokeh 3.10 runs in a thread what is no coroutine function.
        """
        self._document.add_next_tick_callback(work)

    async def _quietly(self, work: Awaitable[None]) -> None:
        """A page survives that the database is away: it shows what it has and asks again later."""
        try:
            await work
        except Unavailable as error:
            log.info("a page could not ask; it keeps what it shows", detail=error.detail)
