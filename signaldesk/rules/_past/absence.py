"""`absence` in columns: deadlines that are met before the next event of the group comes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from signaldesk.rules._columns import Bools, Columns, Ints
from signaldesk.rules._kind import Replay
from signaldesk.rules._past.waiting import Course, Shown, ranges

_MINUTE = 60_000_000


class AbsenceReplay(Replay):
    """Only events that make a new latest time put a deadline off, and only the latest one matters."""

    waits = True

    def __init__(self, within: int | None, after: Callable[[int], int], grace: int) -> None:
        """Times are µs. `within`: how long nothing may come; None: `after` says the next moment at which
        something is expected, which may come `grace` later."""
        self._within, self._after, self._grace = within, after, grace

    def shown(self, columns: Columns, course: Course) -> Shown:
        if not len(columns):
            return Shown(np.empty(0, np.int64), None)
        order = np.lexsort((columns.came, columns.group)) if len(columns.late) else None
        latest, records = columns.latest(order)
        clock = course.clock if order is None else course.clock[order]
        next_ = np.empty(len(columns), np.int64)
        next_[:-1], next_[columns.ends - 1] = clock[1:], course.end
        since = latest if course.begun is None else np.maximum(latest, course.begun)
        met = np.flatnonzero(self._met(since, next_))
        rows = [met, *self._back(columns, latest, records, met, since[met], next_[met])]
        if course.begun is not None:
            rows.append(self._began(latest, records, course.begun, int(clock[0])))
        found = np.unique(np.concatenate(rows))
        armed = np.zeros(len(columns), bool)
        armed[met if order is None else order[met]] = True
        return Shown(found if order is None else order[found], armed)

    def _met(self, since: Ints, next_: Ints) -> Bools:
        """Whether a deadline after nothing has come since then is met before the next event."""
        if self._within is not None:
            return next_ > since + self._within
        # No moment of a schedule comes before the minute is over.
        maybe = np.flatnonzero(next_ > (since // _MINUTE + 1) * _MINUTE + self._grace - 1)
        minutes, place = np.unique(since[maybe] // _MINUTE, return_inverse=True)
        expected = np.array([self._after(int(minute) * _MINUTE) for minute in minutes], np.int64)[place]
        found = np.zeros(len(since), bool)
        found[maybe] = next_[maybe] > expected + self._grace
        return found

    def _back(
        self, columns: Columns, latest: Ints, records: Ints, met: Ints, since: Ints, next_: Ints
    ) -> list[Ints]:
        """Of deadlines that were met: the latest event before them, and those up to the one that ends it."""
        place = np.searchsorted(records, met, side="right")
        groups = columns.group[records]
        starts = np.append(0, np.flatnonzero(groups[1:] != groups[:-1]) + 1)
        rising = Columns(latest[records], records, starts, {})
        ends = rising.ends[rising.groups(place - 1)]
        rung = since + self._within if self._within is not None else next_
        upto = np.minimum(rising.after(place - 1, rung - 1) + 1, ends)
        return [records[place - 1], records[ranges(place, upto)]]

    def _began(self, latest: Ints, records: Ints, begun: int, clock: int) -> Ints:
        """The first row, and all up to the one that ends what was met before it, of a rule without groups."""
        if not self._met(np.array([begun]), np.array([clock]))[0]:
            return records[:1]
        rung = begun + self._within if self._within is not None else clock
        return records[: int(np.searchsorted(latest[records], rung)) + 1]
