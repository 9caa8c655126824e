"""The members of one sliding window, as few of them as exactness needs."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any

FEW = 14
"""Members that a window may have before it is looked through for needless ones: no more than it may have
afterwards, whatever its threshold."""


class Window:
    """Members (time, id) of one rule and group, sorted: "are there at least `need` in (t - width, t]?".

    Exact for every event not older than the allowed lateness, in any order of arrival, with memory
    bounded by the threshold: time is cut into slices as long as the window, and of each slice only the
    first and the last `need` members are kept. A window covers the end of one slice and the beginning
    of the next; of the one the last `need` members decide, of the other the first.

    Times and widths are microseconds. A member is an event's id, 16 bytes, and what a judge appends to it.
    """

    __slots__ = ("fresh", "ids", "limit", "memory", "rewrite", "times")

    def __init__(self) -> None:
        self.memory: Any = None
        """What a judge works out of the members, or keeps beside them."""
        self.times: list[int] = []
        self.ids: list[bytes] = []
        self.limit = FEW
        """With more members than this it is worth calling `thin`."""
        self.fresh = 0
        """How many of the newest members the checkpoint does not hold yet."""
        self.rewrite = False
        """Whether the checkpoint needs all members again, not only the fresh ones."""

    def add(self, time: int, member: bytes) -> bool:
        """Put a member in; False when it is there already."""
        times = self.times
        if not times or time > times[-1] or (time == times[-1] and member > self.ids[-1]):
            times.append(time)
            self.ids.append(member)
            self.fresh += 1
            return True
        at = bisect_left(times, time)
        while at < len(times) and times[at] == time and self.ids[at] < member:
            at += 1
        if at < len(times) and times[at] == time and self.ids[at] == member:
            return False
        times.insert(at, time)
        self.ids.insert(at, member)
        self.rewrite = True
        return True

    def reaches(self, need: int, time: int, width: int) -> bool:
        """Whether at least `need` members lie in (time - width, time]."""
        times = self.times
        end = len(times) if times[-1] <= time else bisect_right(times, time)
        return end >= need and times[end - need] > time - width

    def arrive(self, time: int, member: bytes, need: int, width: int) -> bool:
        """`add`, then `reaches`: in one step for the member that nearly always comes, the newest."""
        times = self.times
        if times and (time < times[-1] or (time == times[-1] and member <= self.ids[-1])):
            self.add(time, member)
            return self.reaches(need, time, width)
        times.append(time)
        self.ids.append(member)
        self.fresh += 1
        return len(times) >= need and times[-need] > time - width

    def count(self, time: int, width: int) -> int:
        """How many members lie in (time - width, time]; after `thin`, no more than it needs to keep."""
        return bisect_right(self.times, time) - bisect_right(self.times, time - width)

    def newest(self, need: int, time: int) -> list[bytes]:
        """Ids of the newest `need` members when none is later than `time`, else nothing."""
        return self.ids[-need:] if self.times and self.times[-1] <= time else []

    def thin(self, need: int, width: int, horizon: int) -> None:
        """Forget members that can no longer matter: at or before `horizon`, or inside a full slice."""
        start = bisect_right(self.times, horizon)
        times, ids = self.times[start:], self.ids[start:]
        if len(times) > 2 * need:
            kept: list[int] = []
            at, end = 0, len(times)
            while at < end:
                stop = bisect_left(times, (times[at] // width + 1) * width, at)
                if stop - at > 2 * need:
                    kept += range(at, at + need)
                    kept += range(stop - need, stop)
                else:
                    kept += range(at, stop)
                at = stop
            if len(kept) < end:
                times, ids = [times[i] for i in kept], [ids[i] for i in kept]
        if len(times) < len(self.times):
            self.times, self.ids, self.rewrite = times, ids, True
        self.limit = 2 * len(times) + 2 * need

    def fill(self, members: list[tuple[bytes, int]]) -> None:
        """Take over the members that a checkpoint holds: (id, time), by time and id."""
        self.ids = [member for member, _ in members]
        self.times = [time for _, time in members]

    def unsaved(self) -> tuple[list[bytes], list[int]]:
        """Ids and times of the members that the checkpoint lacks, all when `rewrite`; from now on saved."""
        start = 0 if self.rewrite else len(self.times) - self.fresh
        self.fresh, self.rewrite = 0, False
        return self.ids[start:], self.times[start:]
