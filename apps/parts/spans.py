"""The choice of a time range: links, so that each range has an address of its own."""

from __future__ import annotations

import panel as pn

from apps.markup import Html
from signaldesk.model.overview import SPANS, Span


class SpanChoice(pn.viewable.Viewer):
    def __init__(self, **params: object) -> None:
        super().__init__(**params)
        self._links = Html("bare")

    def draw(self, chosen: Span) -> None:
        self._links.fill("overview/spans.html", spans=SPANS, chosen=chosen)

    def __panel__(self) -> pn.viewable.Viewable:
        return self._links
