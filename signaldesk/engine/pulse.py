"""Tells open pages what is going on, at most ten times a second for each organisation that is watched."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import orjson

from signaldesk import log
from signaldesk.clock import Clock, iso
from signaldesk.errors import Unavailable
from signaldesk.model.event import Event
from signaldesk.model.life import Alert
from signaldesk.model.outcome import Stored
from signaldesk.stream.news import News

_EVERY = 0.1
_LATEST = 50

logger = log.get_logger(__name__)


class _Beat:
    """What happened in one organisation since its last message."""

    def __init__(self) -> None:
        self.events = 0
        self.types: dict[str, int] = {}
        self.latest: list[tuple[Event, int]] = []


class Pulse:
    """Collects after each commit, publishes now and then. Losing a message loses nothing but a redraw."""

    def __init__(self, news: News, clock: Clock) -> None:
        self._news = news
        self._clock = clock
        self._beats: dict[UUID, _Beat] = {}
        self._alerts: list[tuple[UUID, dict[str, Any]]] = []

    def committed(self, stored: list[Stored], alerts: list[Alert]) -> None:
        """Take note of a committed batch."""
        for one in stored:
            if not one.lane and one.events:
                beat = self._beats.setdefault(UUID(bytes=one.org), _Beat())
                beat.events += len(one.events)
                for event in one.events:
                    beat.types[event.type] = beat.types.get(event.type, 0) + 1
                newest = [(event, one.received_at) for event in one.events[-_LATEST:]]
                beat.latest = (beat.latest + newest)[-_LATEST:]
        self._alerts += [(alert.org_id, _alert(alert)) for alert in alerts]

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            try:
                await self.flush()
            except Unavailable:
                logger.debug("nobody could be told what happened")

    async def flush(self) -> None:
        """Publish what was collected, as far as anybody listens: events, then the alerts that they made."""
        beats, self._beats = self._beats, {}
        alerts, self._alerts = self._alerts, []
        watched = await self._news.watched(beats.keys() | {org_id for org_id, _ in alerts})
        now = iso(self._clock.now_us())
        for org_id, beat in beats.items():
            if org_id not in watched:
                continue
            latest = [_event(event, received) for event, received in beat.latest]
            message = {"kind": "events", "at": now, "n": beat.events, "types": beat.types, "latest": latest}
            await self._news.publish(org_id, message)
        for org_id, alert in [one for one in alerts if one[0] in watched][:100]:
            await self._news.publish(org_id, alert)


def _event(event: Event, received_at: int) -> dict[str, Any]:
    return {
        "id": str(UUID(bytes=event.id)),
        "type": event.type,
        "timestamp": iso(event.timestamp),
        "received_at": iso(received_at),
        "source": event.source,
        "payload": orjson.loads(event.payload)
        if len(event.payload) <= 4096
        else {"…": "too large to show here"},
    }


def _alert(alert: Alert) -> dict[str, Any]:
    over = alert.resolved_at is not None
    return {
        "kind": "alert",
        "id": str(alert.id),
        "state": "resolved" if over else "open" if alert.new else "again",
        "rule_id": str(alert.group.rule_id),
        "title": alert.title,
        "severity": alert.severity,
        "group": alert.values,
        "value": alert.value,
        "at_least": alert.at_least,
        "margin": alert.margin,
        "threshold": alert.threshold,
        "firings": alert.firings,
        "at": iso(alert.resolved_at if alert.resolved_at is not None else alert.last_fired_at),
        "lane": alert.group.lane,
    }
