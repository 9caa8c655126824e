"""How often a partition writes its windows down: often, but never so often that it does little else."""

from __future__ import annotations

_THRIFT = 20
"""A save waits so many times as long as it will take: a twentieth of the time goes into saves."""
_CHEAP_S = 0.025
"""What takes no longer than this needs no thrift."""
_MOST_S = 20.0
"""Never longer, whatever a save costs: a restart takes what came since in again, and no faster."""
_WINDOW_S = 10e-6
"""What a window costs at least."""


class Cadence:
    """Says when a save is due. Moments and durations are seconds of whatever clock the caller has."""

    def __init__(self, least: float, now: float) -> None:
        """`least`: the time between the beginnings of two saves that cost nothing."""
        self._least = least
        self._since = now
        self._window = _WINDOW_S
        self._windows = 0

    def due(self, now: float, windows: int) -> bool:
        """Whether so many windows are to be written down now."""
        cost = windows * self._window
        thrift = min(_THRIFT * cost, _MOST_S) if cost > _CHEAP_S else 0.0
        return now - self._since >= max(self._least, thrift)

    def begun(self, now: float, windows: int) -> None:
        self._since, self._windows = now, windows

    def took(self, seconds: float) -> None:
        """The save that was begun last is done."""
        if self._windows:
            self._window = max(_WINDOW_S, (seconds - _CHEAP_S) / self._windows)
