"""Overview: is everything all right, and if not, what first?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import panel as pn

from apps.markup import box
from apps.page import Message, Page, Query, Visit
from apps.parts.attention import NeedsAttention, OpenAlerts
from apps.parts.delivery import Delivered, Latency
from apps.parts.latest import ROWS, LatestEvents
from apps.parts.noisy import NoisyRules
from apps.parts.pulse import MINUTES, Pulse
from apps.parts.spans import SpanChoice
from apps.parts.traffic import Traffic
from apps.staleness import Staleness
from signaldesk.errors import SignalDeskError
from signaldesk.model.overview import EventLine, span_named

LISTED = 6
"""Alerts in the table; the figure above it counts all."""
DAYS, SLICES, NOISY = 7, 28, 6

_EVERY = {"attention": 1.0, "delivery": 2.0, "noisy": 30.0, "traffic": 2.0}
"""Seconds between two questions for one figure, however much happens."""
_HINTS = {"alert": ("attention", "noisy"), "notification": ("delivery",), "events": ("traffic",)}
"""What a message of a kind makes stale."""


class Overview(pn.viewable.Viewer):
    """The page. `load` asks for everything once; from then on messages keep it fresh."""

    def __init__(self, visit: Visit, **params: Any) -> None:
        super().__init__(**params)
        self._data = visit.overview
        self._span = span_named(visit.query.get("range"))
        self._staleness = Staleness(_EVERY, at_most=60)
        self._fetched: dict[str, Any] = {}
        self.pulse, self.open_alerts = Pulse(), OpenAlerts()
        self.latency, self.delivered = Latency(), Delivered()
        self.traffic = Traffic(zone=visit.zone, dark=visit.dark)
        self.attention, self.noisy = NeedsAttention(zone=visit.zone), NoisyRules()
        self.latest = LatestEvents(zone=visit.zone, base_url=visit.base_url)
        self.spans = SpanChoice()
        self.actions = self.spans.__panel__()
        self.body = self._arrange()

    async def load(self, now_us: int) -> None:
        """Ask for everything, then draw it."""
        bars, pulse, latest, _ = await asyncio.gather(
            self._data.traffic(self._span, now_us),
            self._data.pulse(now_us, MINUTES),
            self._data.latest(ROWS, now_us),
            self.refresh(now_us),
        )
        self.spans.draw(self._span)
        self.traffic.begin(self._span, bars, now_us)
        self.pulse.begin(pulse, now_us)
        self.latest.begin(latest)
        self.draw(now_us)

    def receive(self, messages: Sequence[Message], now_us: int) -> None:
        for message in messages:
            self._staleness.hint(_HINTS.get(message["kind"], ()))
            if message["kind"] == "events":
                self.pulse.add(message["n"], now_us)
                self.traffic.add(message["n"], message.get("matched", 0), now_us)
                self.latest.add([EventLine.from_message(event) for event in message["latest"][-ROWS:]])
        self.pulse.draw(now_us)
        self.traffic.draw(now_us)
        self.latest.draw()
        self._draw_attention(now_us)

    async def refresh(self, now_us: int) -> bool:
        due = self._staleness.due(now_us)
        questions = {
            "attention": lambda: self._data.attention(LISTED),
            "delivery": lambda: self._data.delivery(now_us),
            "traffic": lambda: self._data.recent_traffic(self._span, now_us),
            "noisy": lambda: self._data.noisy_rules(now_us, DAYS, SLICES, NOISY),
        }
        try:
            answers = await asyncio.gather(*(questions[name]() for name in due))
        except SignalDeskError:
            self._staleness.hint(due)
            raise
        self._fetched.update(zip(due, answers, strict=True))
        return bool(due)

    def draw(self, now_us: int) -> None:
        self._draw_attention(now_us)
        self.traffic.correct(self._fetched["traffic"])
        self.traffic.draw(now_us)
        self.traffic.mark(self._fetched["attention"].lines)
        self.latency.draw(self._fetched["delivery"])
        self.delivered.draw(self._fetched["delivery"])
        self.noisy.draw(self._fetched["noisy"])

    async def navigate(self, query: Query, now_us: int) -> None:
        span = span_named(query.get("range"))
        if span == self._span:
            return
        bars = await self._data.traffic(span, now_us)
        self._span = span
        self.spans.draw(span)
        self.traffic.begin(span, bars, now_us)
        self.traffic.mark(self._fetched["attention"].lines)

    def _draw_attention(self, now_us: int) -> None:
        """Also drawn when only time has passed: the ages in it grow."""
        self.open_alerts.draw(self._fetched["attention"], now_us)
        self.attention.draw(self._fetched["attention"], now_us)

    def _arrange(self) -> pn.Column:
        return box(
            "page",
            box("row k4", *map(_panel, (self.pulse, self.open_alerts, self.latency, self.delivered))),
            box("row k1", _panel(self.traffic)),
            box("row k2", _panel(self.attention), _panel(self.noisy)),
            box("row k1", _panel(self.latest)),
        )

    def __panel__(self) -> pn.viewable.Viewable:
        return self.body


def _panel(part: pn.viewable.Viewer) -> pn.viewable.Viewable:
    return part.__panel__()


async def _open(visit: Visit) -> Overview:
    page = Overview(visit)
    await page.load(visit.clock.now_us())
    return page


PAGE = Page(path="/overview", title="Overview", icon="M3 12l4-7 4 12 3-8 2 3h5", order=10, open=_open)
