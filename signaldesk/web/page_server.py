"""Serves the pages: Bokeh's application, handlers and sockets, behind our log-in and content policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, cast
from uuid import UUID

from bokeh.application.application import SessionContext
from bokeh.application.handlers import Handler
from bokeh.document import Document
from bokeh.server.contexts import BokehSessionContext

from signaldesk.clock import Clock
from signaldesk.log import get_logger
from signaldesk.web.hub import Hub, Watcher
from signaldesk.web.live_page import LivePage

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """A page that was asked for and has its first figures."""

    org_id: UUID
    view: Any
    frame: Any


class PageHost(Protocol):
    """What the pages need of the rest of the server."""

    clock: Clock
    hub: Hub

    async def open(self, page: Any, request: Any) -> Opened:
        """Ask the page's first figures on behalf of whoever sent the request."""
        ...


class PageHandler(Handler):
    """Bokeh's view of a page: one document per visit."""

    def __init__(self, page: Any, host: PageHost) -> None:
        super().__init__()
        self._page = page
        self._host = host
        self._opening: dict[str, Opened | Exception] = {}
        self._living: dict[str, tuple[Watcher, LivePage]] = {}

    async def on_session_created(self, session_context: SessionContext) -> None:
        """Everything that waits happens here; building the document afterwards does not."""
        try:
            opened: Opened | Exception = await self._host.open(
                self._page, cast("BokehSessionContext", session_context).request
            )
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
        live = LivePage(document=doc, view=opened.view, clock=self._host.clock)
        dress(doc, opened.view, opened.frame).on_change("search", live.moved)
        self._living[context.id] = (self._host.hub.watch(opened.org_id, live.deliver), live)

    async def on_session_destroyed(self, session_context: SessionContext) -> None:
        watcher, live = self._living.pop(session_context.id)
        self._host.hub.forget(watcher)
        live.close()
