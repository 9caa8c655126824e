"""HTML from templates, always escaped, and the Panel pieces that show it."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

import panel as pn
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from apps import wording

HERE = Path(__file__).parent


@lru_cache(maxsize=1)
def templates() -> Environment:
    """The templates of the workbench: escaping is on, a missing name is an error."""
    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for tool in (
        wording.count,
        wording.short,
        wording.ago,
        wording.exact,
        wording.clock_time,
        wording.millis,
        wording.share,
        wording.group_text,
        wording.verdict,
    ):
        env.filters[tool.__name__] = tool
    env.globals["spark"] = spark
    env.globals["icon"] = icon
    return env


@lru_cache(maxsize=1)
def parts_css() -> str:
    """The rules that live parts carry into their own shadow roots."""
    return (HERE / "static" / "parts.css").read_text(encoding="utf-8")


def render(template: str, **values: Any) -> str:
    return templates().get_template(template).render(values)


def icon(path: str, size: int = 18, extra: str = "") -> Markup:
    """A line icon drawn in the current colour; decoration only, hidden from screen readers."""
    return Markup(
        '<svg class="icon {}" viewBox="0 0 24 24" width="{}" height="{}" fill="none" stroke="currentColor" '
        'stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">'
        '<path d="{}"/></svg>'
    ).format(extra, size, size, path)


def spark(values: tuple[float, ...], width: int, height: int, label: str) -> Markup:
    """A line of `values`, scaled to its own largest; a flat line at the bottom when all are zero."""
    top = max(values, default=0) or 1
    step = width / max(len(values) - 1, 1)
    points = " ".join(
        f"{i * step:.1f},{height - 2 - value / top * (height - 4):.1f}" for i, value in enumerate(values)
    )
    return Markup(
        '<svg class="spark" role="img" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}" '
        'preserveAspectRatio="none"><polyline points="{}"/></svg>'
    ).format(label, width, height, width, height, points)


class Html(pn.pane.HTML):
    """A live piece of a page: HTML made by `render`, in the look of `parts.css`."""

    def __init__(self, classes: str = "bare", **params: Any) -> None:
        super().__init__(
            "", css_classes=classes.split(), stylesheets=[parts_css()], margin=0, sizing_mode=None, **params
        )

    def fill(self, template: str, **values: Any) -> None:
        """Draw it anew; nothing is sent to the browser when it comes out as it was."""
        html = render(template, **values)
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
