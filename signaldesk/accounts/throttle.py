"""Slows down whoever guesses passwords, per address and e-mail, without locking anybody else out."""

from __future__ import annotations

from collections import OrderedDict

from signaldesk.clock import MICROS, Clock
from signaldesk.errors import TooMany

FREE = 10
"""Failures within `WINDOW_S` that cost nothing."""
WINDOW_S = 300
REMEMBERED = 20_000


class Throttle:
    """Counts failures in this process's memory; the oldest are forgotten when there are too many."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], list[int]] = OrderedDict()

    def check(self, address: str, email: str) -> None:
        """Raises TooMany, with the seconds to wait, for one that failed too often of late."""
        recent = self._recent((address, email))
        if len(recent) >= FREE:
            wait = recent[-FREE] / MICROS + WINDOW_S - self._clock.now_us() / MICROS
            raise TooMany("too many failed log-ins; wait a few minutes", retry_after=max(1.0, wait))

    def failed(self, address: str, email: str) -> None:
        place = (address, email)
        self._failures[place] = [*self._recent(place), self._clock.now_us()][-FREE:]
        self._failures.move_to_end(place)
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, address: str, email: str) -> None:
        self._failures.pop((address, email), None)

    def _recent(self, place: tuple[str, str]) -> list[int]:
        since = self._clock.now_us() - WINDOW_S * MICROS
        return [moment for moment in self._failures.get(place, ()) if moment > since]
