"""What is usual at this hour of the day, and, once there are weeks to tell from, of the week."""

from __future__ import annotations

from signaldesk.rules._anomaly.tape import Tape

_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_CLIP = 4.0
_WARM = 10
_HOUR_MEMORY = 100
"""Values after which an hour of the day has forgotten most of what was before …"""
_WEEK_MEMORY = 30
"""… and an hour of the week."""
_DAYS = 3
"""On so many different days an hour of the week must have been seen before it counts."""


class _Slot:
    """A robust centre of what falls into one hour. A value between two hours counts for both in part."""

    __slots__ = ("centre", "spread", "weight")

    def __init__(self) -> None:
        self.centre = 0.0
        self.spread = 0.0
        self.weight = 0.0

    def add(self, deviation: float, share: float, memory: int) -> None:
        """Move by a deviation from what was expected, `share` in [0, 1]."""
        if self.weight > _WARM:
            limit = max(_CLIP * self.spread, 1e-3 * abs(self.centre), 1e-9)
            deviation = min(limit, max(-limit, deviation))
        step = share * max(1 / memory, 1 / (self.weight + 1))
        self.centre += step * deviation
        self.spread += step * (abs(deviation) - self.spread)
        self.weight += share

    def write(self, tape: Tape) -> None:
        tape.write(self.centre, self.spread, self.weight)

    def read(self, tape: Tape) -> None:
        self.centre, self.spread, self.weight = tape.read(), tape.read(), tape.read()


class Season:
    """Expected values by the hour of the day, and what each hour of the week adds to them.

    Hours are those of the clocks that times are given in.

    Between the middles of two hours it is interpolated. An hour not seen yet is expected to be like all the
    others so far; an hour of the week that was not seen on enough days adds nothing.
    """

    def __init__(self) -> None:
        self._count = 0
        self._mean = 0.0
        self._hours = [_Slot() for _ in range(24)]
        self._week = [_Slot() for _ in range(168)]
        self._days = [0] * 168
        self._last = [-1] * 168

    def expected(self, time: int) -> float:
        """What is usual at a time (µs)."""
        daily, weekly = self._parts(time)
        return daily + weekly

    def _places(self, time: int) -> list[tuple[int, int, float]]:
        """The two hours whose middles are around a time: (days since 1970, hour, share)."""
        number, rest = divmod(time - _HOUR // 2, _HOUR)
        share = rest / _HOUR
        return [(*divmod(number, 24), 1 - share), (*divmod(number + 1, 24), share)]

    def _parts(self, time: int) -> tuple[float, float]:
        daily = weekly = 0.0
        for day, hour, share in self._places(time):
            slot = self._hours[hour]
            daily += share * (slot.centre if slot.weight else self._mean)
            place = day % 7 * 24 + hour
            if self._days[place] >= _DAYS:
                weekly += share * self._week[place].centre
        return daily, weekly

    def add(self, time: int, value: float) -> None:
        places = self._places(time)
        daily, _ = self._parts(time)
        known = sum(share * self._week[day % 7 * 24 + hour].centre for day, hour, share in places)
        for day, hour, share in places:
            slot, place = self._hours[hour], day % 7 * 24 + hour
            if slot.weight:
                slot.add(value - daily, share, _HOUR_MEMORY)
            elif share > 0.3:
                slot.centre, slot.weight = value, share
            if share > 0.3 and self._last[place] != day:
                self._days[place] += 1
                self._last[place] = day
            self._week[place].add(value - daily - known, share, _WEEK_MEMORY)
        self._count += 1
        self._mean += max(1 / 500, 1 / self._count) * (value - self._mean)

    def write(self, tape: Tape) -> None:
        tape.write(self._count, self._mean)
        for slot in [*self._hours, *self._week]:
            slot.write(tape)
        tape.write_all(self._days).write_all(self._last)

    def read(self, tape: Tape) -> None:
        self._count, self._mean = tape.read_int(), tape.read()
        for slot in [*self._hours, *self._week]:
            slot.read(tape)
        self._days = [int(days) for days in tape.read_all()]
        self._last = [int(day) for day in tape.read_all()]
