"""The Panel pieces that pages are made of."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from typing import Any

import panel as pn
from markupsafe import Markup

from apps.templating import HERE, render


@lru_cache(maxsize=1)
def parts_css() -> str:
    """The rules that live parts carry into their own shadow roots."""
    return (HERE / "static" / "parts.css").read_text(encoding="utf-8")


class Html(pn.pane.HTML):
    """A live piece of a page: HTML made by `render`, in the look of `parts.css`."""

    object: Any

    def __init__(self, classes: str = "bare", **params: Any) -> None:
        super().__init__(
            "", css_classes=classes.split(), stylesheets=[parts_css()], margin=0, sizing_mode=None, **params
        )

    def _update(self, ref: str, model: Any) -> None:
        """Send the text alone. Panel would send every property again, the style sheets too, each time."""
        model.text = escape(self.object)

    def fill(self, template: str, **values: Any) -> None:
        """Draw it anew; nothing is sent to the browser when it comes out as it was."""
        html: str = render(template, **values)
        if html != self.object:
            self.object = html


def box(classes: str, *items: pn.viewable.Viewable) -> pn.Column:
    """A container whose arrangement is a rule of `parts.css`."""
    return pn.Column(
        *items, css_classes=classes.split(), stylesheets=[parts_css()], margin=0, sizing_mode=None
    )


def first_paint(piece: pn.viewable.Viewable) -> Markup:
    """The same piece as plain HTML, for the moment until the live one stands.

    Pages are built of `box`, `Html` and charts only; a chart becomes an empty space of its size.
    """
    classes = escape(" ".join(piece.css_classes))
    if isinstance(piece, Html):
        return Markup('<div class="{}">{}</div>').format(Markup(classes), Markup(piece.object))
    if isinstance(piece, pn.Column):
        inside = Markup("").join(first_paint(child) for child in piece)
        return Markup('<div class="{}">{}</div>').format(Markup(classes), inside)
    return Markup('<div class="{}"></div>').format(Markup(classes))
