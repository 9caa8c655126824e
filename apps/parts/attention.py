"""What needs attention: the number of open alerts, and the most urgent of them as a table."""

from __future__ import annotations

from datetime import tzinfo

import panel as pn

from apps.markup import Html
from signaldesk.model.overview import WORST_FIRST, Attention


class OpenAlerts(pn.viewable.Viewer):
    """The figure: how many, how bad, how old."""

    def __init__(self, **params: object) -> None:
        super().__init__(**params)
        self._card = Html("card")

    def draw(self, attention: Attention, now_us: int) -> None:
        worst = next((name for name in WORST_FIRST if attention.by_severity.get(name)), None)
        self._card.fill("overview/open_alerts.html", attention=attention, worst=worst, now=now_us)

    def __panel__(self) -> pn.viewable.Viewable:
        return self._card


class NeedsAttention(pn.viewable.Viewer):
    """The table, most urgent first."""

    def __init__(self, *, zone: tzinfo, **params: object) -> None:
        super().__init__(**params)
        self._zone = zone
        self._card = Html("card")

    def draw(self, attention: Attention, now_us: int) -> None:
        self._card.fill("overview/attention.html", attention=attention, now=now_us, zone=self._zone)

    def __panel__(self) -> pn.viewable.Viewable:
        return self._card
