"""The one web server: what it serves, and the listening socket or the handed-over ones it serves it on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.netutil import bind_sockets
from tornado.routing import AnyMatches, Matcher, Rule
from tornado.web import Application, RedirectHandler
from tornado.websocket import WebSocketClosedError

from signaldesk.log import get_logger
from signaldesk.web import openapi
from signaldesk.web.assets import PREFIX, Assets, folder
from signaldesk.web.cookies import Cookies
from signaldesk.web.handlers import ApiHandler, Context, Handler, announced
from signaldesk.web.handover import Receiver
from signaldesk.web.health import Healthz, Metrics, Readyz
from signaldesk.web.identity import Doorkeeper
from signaldesk.web.metrics import WebMetrics
from signaldesk.web.origins import own_origins
from signaldesk.web.reference import Reference
from signaldesk.web.route import Route
from signaldesk.web.routes import API
from signaldesk.web.services import Services
from signaldesk.web.site import Landing, LogInPage, LogOut, Missing, Oversized
from signaldesk.web.socket import Socket
from signaldesk.web.workbench import Workbench

if TYPE_CHECKING:
    from bokeh.server.tornado import BokehTornado

log = get_logger(__name__)

IDLE_S = 75.0
"""A connection without a request is closed after so long."""
HANG_UP_S = 1.0
"""WebSockets get so long to close politely when the server stops."""
FORM_BYTES = 64 * 1024
"""Largest body outside the API, which has limits of its own."""


class Description(Handler):
    """`/api/v1/openapi.json`."""

    route_name = "/api/v1/openapi.json"

    def get(self) -> None:
        base_url = self.context.services.settings.base_url
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "public, max-age=60")
        self.finish(orjson.dumps(openapi.document(API, base_url=base_url, version=version("signaldesk"))))


class _LongBody(Matcher):
    """Requests outside the API with a body that Tornado would answer with nothing but a status line."""

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        elsewhere = not f"{request.path}/".startswith("/api/")
        return {} if elsewhere and announced(request) > FORM_BYTES else None


def url_table(context: Context) -> list[Any]:
    """Every address that is not a page of the workbench."""
    given = {"context": context}
    by_pattern: dict[str, dict[str, Route]] = {}
    for route in API:
        by_pattern.setdefault(route.pattern, {})[route.method] = route
    return [
        (r"/healthz", Healthz, given),
        (r"/readyz", Readyz, given),
        (r"/metrics", Metrics, given),
        (r"/ws", Socket, given),
        *((pattern, ApiHandler, {**given, "routes": routes}) for pattern, routes in by_pattern.items()),
        (r"/api/v1/openapi\.json", Description, given),
        (r"/api(?:/.*)?", ApiHandler, given),
        (r"/", Landing, given),
        # Messages link to an alert by its id; the page has it in its query.
        (r"/alerts/([0-9a-f-]{36})", RedirectHandler, {"url": "/alerts?alert={0}", "permanent": False}),
        (r"/docs", Reference, given),
        (r"/login", LogInPage, given),
        (r"/logout", LogOut, given),
        (r"/(?:static|assets)/.*%00.*", Missing, given),  # no name of a file, and Tornado stumbles over it
        (rf"{PREFIX}(.*)", Assets, {**given, "path": str(folder())}),
    ]


def build(services: Services, *, pages: bool = True) -> Application:
    """The application; `pages=False` leaves the workbench out, and with it Panel. Needs a running loop.

    The workbench has no pages until `WebServer.open_pages` was called; a request for one waits for that.
    """
    base_url = services.settings.base_url
    cookies = Cookies(secret=services.secret, secure=base_url.startswith("https://"))
    doorkeeper = Doorkeeper(
        ring=services.ring, sessions=services.sessions, cookies=cookies, origins=own_origins(base_url)
    )
    context = Context(services=services, doorkeeper=doorkeeper, cookies=cookies)
    metrics = WebMetrics(services.registry, watching=lambda: services.hub.watching)
    settings: dict[str, Any] = {
        "log_function": metrics.observe,
        "secure": base_url.startswith("https://"),
        "lines": context.lines,
        "websocket_ping_interval": 20,
        "websocket_ping_timeout": 20,
    }
    long_body = Rule(_LongBody(), Oversized, {"context": context, "limit": FORM_BYTES})
    table = [long_body, *url_table(context)]
    if pages:
        workbench = Workbench(context, **settings)
        return Application([*table, Rule(AnyMatches(), workbench)], workbench=workbench, **settings)
    settings |= {"default_handler_class": Missing, "default_handler_args": {"context": context}}
    return Application(table, **settings)


class WebServer:
    """A running server: on a port, on handed-over connections, or both."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._lines = application.settings["lines"]
        self._workbench: Workbench | None = application.settings.get("workbench")
        self._http = HTTPServer(
            application,
            max_body_size=FORM_BYTES,
            idle_connection_timeout=IDLE_S,
            body_timeout=IDLE_S,
            max_header_size=64 * 1024,
        )
        self._receiver: Receiver | None = None
        self._sockets: list[socket.socket] = []

    @property
    def port(self) -> int:
        """The port that is listened on, also when it was chosen by the system."""
        return int(self._sockets[0].getsockname()[1])

    def listen(self, host: str, port: int) -> None:
        """Serve a port; 0 picks a free one. Raises OSError when it is taken."""
        self.serve(bind_sockets(port, host))

    def serve(self, sockets: Iterable[socket.socket]) -> None:
        """Serve sockets that listen already; they are closed with the server."""
        more = list(sockets)
        self._sockets += more
        self._http.add_sockets(more)

    async def receive(self, path: Path) -> None:
        """Serve connections that the ingest process hands over at this Unix socket."""
        self._receiver = Receiver(path, self._http)
        await self._receiver.start()

    @property
    def pages(self) -> BokehTornado:
        """The application of the pages, once they are open."""
        assert self._workbench is not None
        return self._workbench.application

    async def open_pages(self) -> None:
        """Load the pages and serve them. Takes a second of a core, the first time in a process."""
        if self._workbench is not None:
            await self._workbench.open()

    async def close(self) -> None:
        """Stop listening, end what is open."""
        if self._receiver is not None:
            await self._receiver.close()
        self._http.stop()
        await self._hang_up()
        if self._workbench is not None:
            await self._workbench.close()
        await self._http.close_all_connections()

    async def _hang_up(self) -> None:
        """Close the WebSockets, and give their other ends a moment to agree."""
        for line in list(self._lines):
            line.close(1001, "the server stops")
        for _ in range(round(HANG_UP_S / 0.01)):
            if not self._lines:
                break
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(services: Services, *, pages: bool = True) -> AsyncIterator[WebServer]:
    """A server with its hub and key ring running; it listens to nothing yet."""
    _quiet_about_closed_sockets()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(services.hub)
        await stack.enter_async_context(services.ring)
        server = WebServer(build(services, pages=pages))
        stack.push_async_callback(server.close)
        yield server


def _quiet_about_closed_sockets() -> None:
    """A tab that closes while Panel writes to it is nothing to report; asyncio would call it an error."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), WebSocketClosedError):
            return
        if before is not None:
            before(loop, context)
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
