"""Serves the pages: Bokeh's application, its documents and sockets, behind our log-in and content policy.

Imports Panel, which takes seconds: only the process that serves pages does so.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit
from uuid import UUID

from bokeh.application.application import SessionContext
from bokeh.application.handlers import Handler as BokehHandler
from bokeh.document import Document
from bokeh.server.auth_provider import AuthProvider
from bokeh.server.contexts import BokehSessionContext
from bokeh.server.tornado import BokehTornado
from bokeh.settings import settings as bokeh_settings
from panel.io.application import Application
from panel.io.server import DocHandler, WSHandler
from tornado.ioloop import IOLoop
from tornado.web import RequestHandler

from signaldesk.errors import Forbidden, SignalDeskError, Unauthenticated
from signaldesk.log import get_logger
from signaldesk.web.assets import asset
from signaldesk.web.cookies import THEME, ZONE
from signaldesk.web.handlers import Context
from signaldesk.web.hub import Watcher
from signaldesk.web.identity import Identity
from signaldesk.web.live_page import LivePage
from signaldesk.web.pages import find_pages
from signaldesk.web.policy import content_policy
from signaldesk.web.site import Html, Missing, login_address

log = get_logger(__name__)

CLEAN_UP_MS = 5_000
LINGER_MS = 5_000
"""A page without a browser is closed after so long: one that reconnects is opened anew anyway."""
TOKEN_S = 120
"""A document's socket must be opened within this."""
UNWANTED = "(metadata|autoload[.]js)"
"""What Bokeh offers beside each page for embedding it elsewhere; here nobody may."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A page that was asked for and has its first figures."""

    org_id: UUID
    view: Any
    frame: Any


class PageHost:
    """Opens pages for people."""

    def __init__(self, context: Context, pages: Sequence[Any]) -> None:
        self.context = context
        self._pages = pages

    async def open(self, page: Any, request: Any) -> Opened:
        """Ask the page's first figures on behalf of whoever sent the request."""
        from apps.page import Visit, Visitor, zone_named
        from apps.shell import Frame

        identity: Identity = request.signaldesk_identity
        member, services = identity.member, self.context.services
        if member is None:
            raise Unauthenticated
        visitor = Visitor(
            id=member.user_id, name=member.name, email=member.email, role=member.role,
            org_name=member.org_name, plan=member.plan,
        )  # fmt: skip
        theme = request.cookies.get(THEME, "")
        data = services.overview(member.org_id)
        view = await page.open(
            Visit(
                visitor=visitor,
                query=_query(request),
                zone=zone_named(request.cookies.get(ZONE)),
                dark=theme == "dark",
                base_url=services.settings.base_url,
                clock=services.clock,
                overview=data,
                inbox=services.inbox(member.org_id),
                silences=services.silence_page(member.org_id),
                rules=services.rule_page(member.org_id),
                past=services.benches(member.org_id),
                may_act=identity.principal.may("alerts:write"),
                may_edit=identity.principal.may("rules:write"),
            )
        )
        frame = Frame(
            path=page.path,
            below=page.below,
            title=page.title,
            pages=self._pages,
            visitor=visitor,
            quota=await data.quota(services.clock.now_us()),
            theme=theme if theme in ("dark", "light") else "",
            csrf=self.context.cookies.csrf(identity.session),
            nonce=getattr(request, "signaldesk_nonce", ""),
            asset=asset,
        )
        return Opened(member.org_id, view, frame)


class PageHandler(BokehHandler):
    """Bokeh's view of a page: one document per visit."""

    def __init__(self, page: Any, host: PageHost) -> None:
        super().__init__()
        self._page = page
        self._host = host
        self._opening: dict[str, Opened | Exception] = {}
        self._living: dict[str, tuple[Watcher, LivePage]] = {}

    async def on_session_created(self, session_context: SessionContext) -> None:
        """Everything that waits happens here; building the document afterwards does not."""
        request = cast("BokehSessionContext", session_context).request
        try:
            opened: Opened | Exception = await self._host.open(self._page, request)
        except Exception as error:
            # Bokeh would log it and go on with an empty page; `modify_document` raises it instead.
            opened = error
        self._opening[session_context.id] = opened

    def modify_document(self, doc: Document) -> None:
        from apps.shell import dress

        context = doc.session_context
        if context is None:
            raise RuntimeError("pages are served to sessions only")
        opened = self._opening.pop(context.id)
        if isinstance(opened, Exception):
            raise opened
        services = self._host.context.services
        live = LivePage(document=doc, view=opened.view, clock=services.clock)
        dress(doc, opened.view, opened.frame).on_change("search", live.moved)
        self._living[context.id] = (services.hub.watch(opened.org_id, live.deliver), live)

    async def on_session_destroyed(self, session_context: SessionContext) -> None:
        watcher, live = self._living.pop(session_context.id)
        self._host.context.services.hub.forget(watcher)
        live.close()

    def on_server_unloaded(self, server_context: Any) -> None:
        """The server closes: let go of the pages that are still open."""
        for watcher, live in self._living.values():
            self._host.context.services.hub.forget(watcher)
            live.close()

    def process_request(self, request: Any) -> dict[str, Any]:
        """Goes into the document's token, signed: whose page it is."""
        return {"whose": _whose(request.signaldesk_identity)}


class LogInFirst(AuthProvider):
    """Bokeh asks it who sent a request; without an answer it redirects to the log-in page."""

    def __init__(self, context: Context) -> None:
        self._context = context
        super().__init__()

    @property
    def get_user_async(self) -> Any:
        async def user(handler: RequestHandler) -> str | None:
            identity = await self._context.doorkeeper.by_session(handler.request)
            handler.request.signaldesk_identity = identity  # type: ignore[attr-defined]
            return _whose(identity) if identity else None

        return user

    @property
    def get_login_url(self) -> Any:
        return lambda handler: login_address(handler.request.uri)


class PageDocument(DocHandler, Html):
    """The page itself."""

    def initialize(self, context: Context, route_name: str = "", **_bokeh: Any) -> None:
        Html.initialize(self, context)
        self.route_name = route_name

    def set_default_headers(self) -> None:
        super().set_default_headers()
        nonce = secrets.token_urlsafe(16)
        self.request.signaldesk_nonce = nonce  # type: ignore[attr-defined]
        self.set_header("Content-Security-Policy", content_policy(nonce))

    def get_login_url(self) -> str:
        return login_address(self.request.uri or "/")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        Html.write_error(self, status_code, **kwargs)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if not isinstance(value, SignalDeskError):
            super().log_exception(typ, value, tb)


class PageSocket(WSHandler):
    """The line between a page and its document."""

    def initialize(self, **given: Any) -> None:
        self.context: Context = given["context"]
        self.route_name: str = given["route_name"]

    async def prepare(self) -> None:
        """Lets in our own pages, with the session they were made for. Tornado checks neither."""
        try:
            self.context.doorkeeper.check_origin(self.request, needed=True)
            await super().prepare()
            if not self._finished and not self._same_person():
                raise Forbidden("this page was made for somebody else; load it again")
        except SignalDeskError as error:
            self.set_status(error.status)
            self.finish()

    def open(self, *args: Any, **kwargs: Any) -> Any:
        self.context.lines.add(self)
        return super().open(*args, **kwargs)

    def on_close(self) -> None:
        self.context.lines.discard(self)
        super().on_close()

    def check_origin(self, origin: str) -> bool:
        """Checked in `prepare`, exactly, for clients that send none as well."""
        return True

    def _same_person(self) -> bool:
        from bokeh.util.token import get_token_payload

        offered = self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        try:
            payload = get_token_payload(offered[1].strip())
        except Exception:
            return False  # no token, or none of ours: whatever is wrong with it
        return bool(payload.get("whose") == self.current_user)


def build(context: Context, **settings: Any) -> BokehTornado:
    """The Tornado application of the pages and of Bokeh's scripts.

    It must be built inside the running event loop.
    """
    # Bokeh looks each document through for mistakes of its author, and does no more than log them.
    bokeh_settings.perform_document_validation = False
    pages = find_pages()
    host = PageHost(context, pages)
    application = BokehTornado(
        {page.path: _served(page, host) for page in pages},
        auth_provider=LogInFirst(context),
        secret_key=context.services.secret,
        sign_sessions=True,
        session_token_expiration=TOKEN_S,
        # The token travels in the page's HTML: nothing of the request may be in it but these.
        include_cookies=[THEME, ZONE],
        include_headers=["Accept-Language"],
        check_unused_sessions_milliseconds=CLEAN_UP_MS,
        unused_session_lifetime_milliseconds=LINGER_MS,
        keep_alive_milliseconds=20_000,
        extra_websocket_origins=[urlsplit(context.services.settings.base_url).netloc],
        use_index=False,
        default_handler_class=Missing,
        default_handler_args={"context": context},
        **settings,
    )
    contexts, patterns = application.applications, []
    for page in pages:
        given = {
            "context": context,
            "route_name": page.path,
            "application_context": contexts[page.path],
            "bokeh_websocket_path": f"{page.path}/ws",
        }
        patterns += [
            (f"{page.path}/ws", PageSocket, given),
            (f"{page.path}/{UNWANTED}", Missing, {"context": context}),
            (page.path, PageDocument, given),
        ]
    application.add_handlers(".*", patterns)
    application.initialize(IOLoop.current())
    return application


def _served(page: Any, host: PageHost) -> Application:
    return Application(PageHandler(page, host))


def _query(request: Any) -> dict[str, str]:
    return {name: values[-1].decode("utf-8", "replace") for name, values in request.arguments.items()}


def _whose(identity: Identity) -> str:
    return f"{identity.principal.user_id}@{identity.principal.org_id}"
