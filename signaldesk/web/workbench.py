"""The pages, loaded while everything else is served: Panel takes more than a second, the API need not wait.

A request for a page, for one of Bokeh's scripts or for an address that nobody knows is answered by the pages'
own application. Until that is there, the request waits for it.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.routing import Router

from signaldesk.pages_folder import load_apps
from signaldesk.web.handlers import Context

if TYPE_CHECKING:
    from bokeh.server.tornado import BokehTornado


class Workbench(Router):
    """Routes whatever is left to the pages. Needs a running event loop."""

    def __init__(self, context: Context, **settings: Any) -> None:
        """`settings`: of the application, as Tornado takes them."""
        load_apps()  # the thread and a request could both make the package
        self._context = context
        self._settings = settings
        self._there: asyncio.Future[BokehTornado] = asyncio.get_running_loop().create_future()

    @property
    def application(self) -> BokehTornado:
        """Raises InvalidStateError before the pages are open."""
        return self._there.result()

    async def open(self) -> None:
        """Load the pages and serve them, also whoever waits for them. Raises what importing them raises."""
        await _loaded()
        from signaldesk.web import page_server

        application = page_server.build(self._context, **self._settings)
        application.start()
        self._there.set_result(application)

    async def close(self) -> None:
        """Stop serving; whoever still waits is not answered."""
        if self._there.done() and not self._there.cancelled():
            application = self._there.result()
            if hasattr(application, "stop_async"):  # from Bokeh 3.10 on
                await application.stop_async()
            else:
                application.stop()
        self._there.cancel()

    def find_handler(self, request: HTTPServerRequest, **_: Any) -> HTTPMessageDelegate:
        if self._there.done() and not self._there.cancelled():
            found: HTTPMessageDelegate = self._there.result().find_handler(request)
            return found
        return _Early(request, self._there)


class _Early(HTTPMessageDelegate):
    """A request that came before the pages. Its body is not read until they are there."""

    def __init__(self, request: HTTPServerRequest, there: asyncio.Future[BokehTornado]) -> None:
        self._request = request
        self._connection: Any = request.connection
        self._there = there
        self._handler: HTTPMessageDelegate | None = None

    async def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        try:
            application = await asyncio.shield(self._there)
        except asyncio.CancelledError:
            if not self._there.cancelled():
                raise
            self._connection.detach().close()  # the server stops before it has any pages
            return
        self._handler = application.find_handler(self._request)
        reading = self._handler.headers_received(start_line, headers)
        if reading is not None:
            await reading

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        assert self._handler is not None
        return self._handler.data_received(chunk)

    def finish(self) -> None:
        assert self._handler is not None
        self._handler.finish()

    def on_connection_close(self) -> None:
        if self._handler is not None:
            self._handler.on_connection_close()


async def _loaded() -> None:
    """Import Panel and the pages without holding up the loop, in a thread that the end need not wait for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if done.done():  # nobody waits any more
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def load() -> None:
        failed: BaseException | None = None
        try:
            importlib.import_module("signaldesk.web.page_server")
            importlib.import_module("signaldesk.web.pages").find_pages()
        except BaseException as error:
            failed = error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, failed)

    threading.Thread(target=load, name="pages", daemon=True).start()
    await done
