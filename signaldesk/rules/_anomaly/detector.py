"""Says of each value of a series how unusual it is, from the values before it alone."""

from __future__ import annotations

import math
from collections import deque
from itertools import islice
from operator import sub
from typing import NamedTuple

from signaldesk.rules._anomaly.level import Level
from signaldesk.rules._anomaly.peaks import Peaks
from signaldesk.rules._anomaly.season import Season
from signaldesk.rules._anomaly.tape import Tape
from signaldesk.rules._anomaly.visited import Visited

THRESHOLD = 1.085
"""A score from which on a value is called an anomaly, of any series."""
REST = 120
"""Values after an anomaly that are taken to belong to it: nothing is called an anomaly again before."""
SCORE_MAX = 1e6

_FORMAT = 1
_HUGE = 1e100
_SHORT, _HALF_DAY, _LONG = 4, 12, 36
"""Values over which deviations from the level, deviations from the season, and the values are averaged."""
_LEVEL, _UNIT, _USUAL_JUMPS = 96, 3_000, 1_000
"""Memory, in values: of the level that a series is held against, of the spreads in which distances are
measured, and of how much it jumps about."""
_PLACES = 200
_WINDOW, _RANK = 1_000, 5
_VIEWS = 5
_POWER = 4


class Finding(NamedTuple):
    """What was found of one value."""

    score: float
    """How unusual; 1 is like the fifth most unusual of about the last 1,000. 0: cannot be told yet."""
    expected: float
    """What was usual at that time of the day and the week, in the unit of the series."""
    resting: bool
    """Whether it belongs to an anomaly before it."""


class _View:
    """One way to look at a series: how new is what is seen, against how new things used to be?"""

    __slots__ = ("_peaks", "_unit", "_visited", "above")

    def __init__(self) -> None:
        self.above = 0.0
        """How far what was seen last lies above what is usual; below when negative."""
        self._unit = Level(_UNIT)
        self._visited = Visited(_PLACES)
        self._peaks = Peaks(_WINDOW, _RANK)

    def add(self, seen: float) -> float:
        """The distance of this from anything seen before, as a multiple of the usual peak."""
        self.above = seen - self._unit.centre
        usual = self._peaks.usual()
        distance = self._visited.add(seen, self._unit.spread + 1e-9 * abs(seen) + 1e-12)
        self._peaks.add(distance)
        self._unit.add(seen)
        return 0.0 if usual is None else min(SCORE_MAX, (distance + 1) / (usual + 1))

    def write(self, tape: Tape) -> None:
        self._unit.write(tape)
        self._visited.write(tape)
        self._peaks.write(tape)

    def read(self, tape: Tape) -> None:
        self._unit.read(tape)
        self._visited.read(tape)
        self._peaks.read(tape)


class Detector:
    """A series' memory, of bounded size whatever comes.

    Five views: the value; its average over the last 36; its deviation from its level of late; its deviation
    from what is usual at that time; how much it jumps about. Each has a score: the distance to the nearest
    thing seen before, over the fifth largest such distance of about the last 1,000 (each plus one spread, so
    that noise is no news). That makes scores of all series alike: by rank, whatever the tail of their
    distribution. The score of a value is the power mean of the five.

    Values must be finite and come in order of time.
    """

    def __init__(self) -> None:
        self.count = 0
        """Values so far."""
        self._rest = 0
        self._jumps = 0.0
        self._values: deque[float] = deque(maxlen=_LONG + 1)
        self._off_level: deque[float] = deque(maxlen=_SHORT)
        self._off_season: deque[float] = deque(maxlen=_HALF_DAY)
        self._level = Level(_LEVEL)
        self._season = Season()
        self._views = [_View() for _ in range(_VIEWS - 1)]
        self._restless = _View()

    def add(self, time: int, value: float, threshold: float = THRESHOLD, side: int = 0) -> Finding:
        """Take the next value, of the bin around a time (µs), and say what is to be said of it.

        A score of at least `threshold` is an anomaly, and begins a rest. `side`: 1 only what is higher than
        usual is unusual, -1 only what is lower, 0 both.
        """
        value = min(_HUGE, max(-_HUGE, value))
        self.count += 1
        expected = self._season.expected(time) if self.count > 1 else value
        seen = self._look(time, value, expected)
        ratios = [view.add(one) for view, one in zip(self._views, seen, strict=True)]
        if self._jumps:  # before the first change there is nothing to be said of how it changes
            restless = self._restless.add(self._restlessness())
            ratios.append(0.0 if side else restless)
        if side:
            ratios = [
                ratio if view.above * side > 0 else 0.0
                for ratio, view in zip(ratios, self._views, strict=False)
            ]
        score = (math.fsum(ratio**_POWER for ratio in ratios) / _VIEWS) ** (1 / _POWER)
        resting = self._rest > 0
        if resting:
            self._rest -= 1
        elif score >= threshold:
            self._rest = REST - 1
        return Finding(score, expected, resting)

    def _look(self, time: int, value: float, expected: float) -> tuple[float, ...]:
        """What each view sees; the past is all that it is compared with."""
        values = self._values
        jump = abs(value - values[-1]) if values else 0.0
        values.append(value)
        self._off_level.append(value - self._level.centre if self.count > 1 else 0.0)
        self._off_season.append(value - expected)
        self._level.add(value)
        self._season.add(time, value)
        self._jumps += max(1 / _USUAL_JUMPS, 1 / self.count) * (jump - self._jumps)
        long = list(islice(values, max(0, len(values) - _LONG), None))
        return (
            value,
            math.fsum(long) / len(long),
            math.fsum(self._off_level) / len(self._off_level),
            math.fsum(self._off_season) / len(self._off_season),
        )

    def _restlessness(self) -> float:
        """How much it jumps about of late, on a scale of ratios."""
        jumps = list(map(abs, map(sub, islice(self._values, 1, None), self._values)))
        return math.log(math.fsum(jumps) / len(jumps) + 0.05 * self._jumps)

    def dump(self) -> bytes:
        """The whole state; `Detector.load` makes a detector of it that goes on as this one would."""
        tape = Tape().write(_FORMAT, self.count, self._rest, self._jumps)
        for row in (self._values, self._off_level, self._off_season):
            tape.write_all(row)
        self._level.write(tape)
        self._season.write(tape)
        for view in (*self._views, self._restless):
            view.write(tape)
        return tape.bytes()

    @classmethod
    def load(cls, data: bytes) -> Detector:
        """Raises ValueError when the bytes are no state of this version."""
        tape, self = Tape(data), cls()
        if tape.read() != _FORMAT:
            raise ValueError("the state of another version of the detector")
        self.count, self._rest, self._jumps = tape.read_int(), tape.read_int(), tape.read()
        for row in (self._values, self._off_level, self._off_season):
            row.extend(tape.read_all())
        self._level.read(tape)
        self._season.read(tape)
        for view in (*self._views, self._restless):
            view.read(tape)
        return self
