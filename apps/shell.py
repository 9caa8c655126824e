"""The frame around every page: the document a browser gets, before and around what Panel keeps alive."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import bokeh
import panel as pn
from bokeh.core.properties import String
from bokeh.document import Document
from bokeh.model import DataModel
from markupsafe import Markup

from apps import wording
from apps.markup import first_paint
from apps.page import Page, PageView, Visitor
from apps.templating import templates
from signaldesk.model.overview import Quota

SCRIPTS = (
    "static/js/bokeh.min.js",
    "static/js/bokeh-widgets.min.js",
    "static/js/bokeh-tables.min.js",
    "static/extensions/panel/panel.min.js",
)
"""What a page needs of Bokeh and Panel. Left out of their usual list: WebGL, MathJax and module shims, which
are half of its bytes and serve nothing here."""

_SCRIPT = re.compile(r"<script(?= |>)")


class Address(DataModel):
    """The page's query string, as the browser has it: how soft links reach the server."""

    search = String("")


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a page."""

    path: str
    title: str
    pages: Sequence[Page]
    visitor: Visitor
    quota: Quota | None
    theme: str
    """`dark`, `light`, or empty when the person has not chosen."""
    csrf: str
    nonce: str
    asset: Callable[[str], str]
    """File below `static/` → its address, with a version in it."""

    below: str = ""
    """The page in the sidebar that this one belongs to, if it is not there itself."""

    @property
    def listed(self) -> list[Page]:
        return [page for page in self.pages if not page.below]

    @property
    def initials(self) -> str:
        return wording.initials(self.visitor.name, self.visitor.email)


def dress(document: Document, view: PageView, frame: Frame) -> Address:
    """Put an open page into a document that is being served; returns its address, to be listened to."""
    address = Address(name="address")
    with document.models.freeze():  # it looks through all of them once, at the end
        for name, piece in (("actions", view.actions), ("body", view.body)):
            piece.server_doc(document, location=False)
            document.roots[-1].name = name
        document.roots[-1].tags = [*document.roots[-1].tags, address]
    document.title = frame.title
    document.template = templates().get_template("shell.html")
    document.template_variables.update(
        scripts=[f"/{path}?v={_version()}" for path in SCRIPTS],
        frame=frame,
        asset=frame.asset,
        first_paint={"actions": first_paint(view.actions), "body": first_paint(view.body)},
        signed=lambda markup: _signed(frame.nonce, markup),
    )
    document.config.reconnect_session = False
    document.config.notify_connection_status = False
    return address


def _signed(nonce: str, markup: str) -> Markup:
    """Bokeh's own markup, each script signed with the nonce of this answer's content policy."""
    return Markup(_SCRIPT.sub(f'<script nonce="{nonce}"', markup))


def _version() -> str:
    """Changes when Bokeh or Panel do, so that browsers may keep their scripts for as long as they like."""
    return f"{bokeh.__version__}-{pn.__version__}"
