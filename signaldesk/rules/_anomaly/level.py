"""A running centre and spread that outliers can pull only a little, and that follow a new level."""

from __future__ import annotations

from signaldesk.rules._anomaly.tape import Tape

_CLIP = 4.0
"""A deviation counts as at most so many spreads …"""
_WARM = 20
"""… after so many values."""
_PATIENCE = 50
"""So many values in a row on the same side of the clip are no outliers but a new level."""


class Level:
    """Exponentially weighted mean and mean absolute deviation, both of clipped deviations.

    This is the stochastic form of Huber's estimator of location and scale (Huber, "Robust Estimation of a
    Location Parameter", 1964). `memory` is the number of values after which the weight of one has fallen to
    1/e; until then all count alike.
    """

    __slots__ = ("_count", "_memory", "_streak", "centre", "spread")

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._count = 0
        self._streak = 0
        self.centre = 0.0
        self.spread = 0.0

    def add(self, value: float) -> None:
        self._count += 1
        deviation = value - self.centre if self._count > 1 else 0.0
        if self._count == 1:
            self.centre = value
        if self._count > _WARM:
            limit = max(_CLIP * self.spread, 1e-3 * abs(self.centre), 1e-9)
            clipped = min(limit, max(-limit, deviation))
            self._follow(0 if clipped == deviation else 1 if deviation > 0 else -1)
            deviation = clipped
        weight = max(1 / self._memory, 1 / self._count)
        self.centre += weight * deviation
        self.spread += weight * (abs(deviation) - self.spread)

    def _follow(self, side: int) -> None:
        """Count values that were clipped in a row on one side; after enough of them begin anew."""
        self._streak = (self._streak + side) if side and self._streak * side >= 0 else side
        if abs(self._streak) >= _PATIENCE:
            self._count, self._streak = 1, 0

    def write(self, tape: Tape) -> None:
        tape.write(self._count, self._streak, self.centre, self.spread)

    def read(self, tape: Tape) -> None:
        self._count, self._streak = tape.read_int(), tape.read_int()
        self.centre, self.spread = tape.read(), tape.read()
