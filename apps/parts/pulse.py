"""Events per second, now, and the last 40 minutes as a line."""

from __future__ import annotations

from collections import deque

import panel as pn

from apps import wording
from apps.markup import Html
from signaldesk.clock import MICROS

WINDOW_S = 5
"""The live rate is the mean of the last seconds: short enough to move, long enough to be read."""

MINUTES = 40


class Pulse(pn.viewable.Viewer):
    """Counts what arrives."""

    def __init__(self, **params: object) -> None:
        super().__init__(**params)
        self._arrivals: deque[tuple[int, int]] = deque()
        self._minutes: deque[int] = deque(maxlen=MINUTES)
        self._minute: int | None = None
        self._in_minute = 0
        self._began_us = 0
        self._card = Html("card")

    def begin(self, minutes: tuple[int, ...], now_us: int) -> None:
        """Start from what is stored: whole minutes, oldest first, and last what this minute has so far."""
        self._minutes.extend(minutes[:-1])
        self._in_minute = minutes[-1]
        self._minute = now_us // (60 * MICROS)
        self._began_us = now_us
        self.draw(now_us)

    def add(self, events: int, now_us: int) -> None:
        """`events` more arrived."""
        self._turn(now_us)
        self._arrivals.append((now_us, events))
        self._in_minute += events

    def per_second(self, now_us: int) -> float:
        """Mean rate of the last `WINDOW_S` seconds; of the last minute while we have not watched for long."""
        watched_us = now_us - self._began_us
        if watched_us < MICROS:
            return self._minutes[-1] / 60 if self._minutes else 0.0
        while self._arrivals and self._arrivals[0][0] <= now_us - WINDOW_S * MICROS:
            self._arrivals.popleft()
        return sum(events for _, events in self._arrivals) / min(WINDOW_S, watched_us / MICROS)

    def draw(self, now_us: int) -> None:
        self._turn(now_us)
        rate = self.per_second(now_us)
        line = (*(n / 60 for n in self._minutes), rate)
        self._card.fill("overview/pulse.html", rate=wording.rate(rate), line=line)

    def _turn(self, now_us: int) -> None:
        """Close the minutes that have gone by."""
        minute = now_us // (60 * MICROS)
        while self._minute is not None and self._minute < minute:
            self._minutes.append(self._in_minute)
            self._in_minute = 0
            self._minute += 1

    def __panel__(self) -> pn.viewable.Viewable:
        return self._card
