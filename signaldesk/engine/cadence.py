"""How often a partition writes its windows down: often, but never so often that it does little else."""

from __future__ import annotations

_THRIFT = 20
"""A save waits so many times as long as the one before took: a twentieth of the time goes into saves."""
_CHEAP_S = 0.025
"""What takes no longer than this needs no thrift."""
_MOST_S = 20.0
"""Never longer, whatever a save costs: a restart takes what came since in again, and no faster."""


class Cadence:
    """Says when a save is due. Moments and durations are seconds of whatever clock the caller has."""

    def __init__(self, least: float, now: float) -> None:
        """`least`: the time between the beginnings of two saves that cost nothing."""
        self._least = least
        self._wait = least
        self._since = now

    def due(self, now: float) -> bool:
        return now - self._since >= self._wait

    def begun(self, now: float) -> None:
        self._since = now

    def took(self, seconds: float) -> None:
        """The save that was begun last is done."""
        thrift = min(_THRIFT * seconds, _MOST_S) if seconds > _CHEAP_S else 0.0
        self._wait = max(self._least, thrift)
