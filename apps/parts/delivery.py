"""Whether people are really told: how fast, and how surely."""

from __future__ import annotations

import panel as pn

from apps.markup import Html
from signaldesk.model.overview import Delivery


class Latency(pn.viewable.Viewer):
    """Event received → message taken by its destination, 99th percentile of 24 hours."""

    def __init__(self, **params: object) -> None:
        super().__init__(**params)
        self._card = Html("card")

    def draw(self, delivery: Delivery) -> None:
        change = None
        if delivery.p99_ms is not None and delivery.p99_before_ms is not None:
            change = delivery.p99_ms - delivery.p99_before_ms
        self._card.fill("overview/latency.html", delivery=delivery, change=change)

    def __panel__(self) -> pn.viewable.Viewable:
        return self._card


class Delivered(pn.viewable.Viewer):
    """Share of the messages of 24 hours that arrived."""

    def __init__(self, **params: object) -> None:
        super().__init__(**params)
        self._card = Html("card")

    def draw(self, delivery: Delivery) -> None:
        self._card.fill("overview/delivered.html", delivery=delivery)

    def __panel__(self) -> pn.viewable.Viewable:
        return self._card
