"""Values of a group in a sliding window: every one of them up to a cap, and summaries of panes beyond it.

The newest members are kept as they are, and windows over them are exact, in any order of arrival. When more
than `EXACT` lie within the reach of a series, the older half becomes panes: slices of time on a fixed grid,
of each of which only a summary is left. A window that reaches into panes takes them whole; its edges there
lie on the grid. What a summary keeps is the matter of a `Tally`.

A tally is the sum of what lies in one window. It is moved, not made anew: for an event in order the judged
event is added and what has become too old is removed. So it must not depend on the order of what was added.
Where a window begins and ends among the members is remembered as well, until one comes in between them: for
events in order nothing has to be looked for.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from signaldesk.model.window import Window
from signaldesk.rules._kind import EVIDENCE_MAX

EXACT = 10_000
"""Members within the reach of a series that are kept one by one."""
SPARE = 64
"""Members that a window may have beyond those it needs before it is looked through."""
ID = 16
"""Bytes of an event's id; a member's value follows them."""
UNKNOWN = -1


class Tally:
    """What one window comes to. Values are the bytes that follow the id in a member."""

    __slots__ = ("count", "rough")

    def __init__(self) -> None:
        self.count = 0
        """Members and those in panes together."""
        self.rough = False
        """Whether panes are part of it."""

    def add(self, value: bytes) -> None:
        raise NotImplementedError

    def remove(self, value: bytes) -> None:
        raise NotImplementedError

    def add_all(self, values: list[bytes]) -> None:
        """The same as `add` for each."""
        for value in values:
            self.add(value)

    @staticmethod
    def pane() -> Any:
        """The summary of nothing."""
        raise NotImplementedError

    def put(self, pane: Any, value: bytes, joined: bool) -> Any:
        """The summary with one value more; `joined`: it is part of this tally, which grows as well."""
        raise NotImplementedError

    def join(self, pane: Any) -> None:
        """Take a whole pane in."""
        raise NotImplementedError

    def leave(self, pane: Any) -> None:
        """Take a whole pane out."""
        raise NotImplementedError

    @staticmethod
    def pack(pane: Any) -> Any:
        """The summary as msgpack can write it."""
        return pane

    @staticmethod
    def unpack(packed: Any) -> Any:
        return packed


T = TypeVar("T", bound=Tally)


class View(Generic[T]):
    """A window (after, upto] of a series with its tally, at the place where it was asked for last."""

    __slots__ = ("after", "end", "first", "last", "start", "tally", "upto")

    def __init__(self, make: Callable[[], T]) -> None:
        self.tally = make()
        self.after = self.upto = 0
        self.start = self.end = 0
        """Members start … end - 1 are part of it, unless these are UNKNOWN."""
        self.first = self.last = 0
        """Panes first … last - 1 are part of it."""


class Series(Generic[T]):
    """The values behind one `Window`, and the views on them. Times are microseconds."""

    __slots__ = ("exact_from", "make", "pane", "panes", "span", "telling", "views")

    def __init__(self, make: Callable[[], T], *, span: int, pane: int, views: int = 1) -> None:
        """`span`: how far back in time members matter; `pane`: the length of a pane."""
        self.span = span
        self.pane = pane
        self.exact_from = 0
        """Members from here on are kept; what is older is in panes."""
        self.panes: dict[int, Any] = {}
        self.telling = 0
        """No value later than this would meet the condition on its own, as far as members are kept."""
        self.make = make
        self.views = [View(make) for _ in range(views)]

    # --- what comes ------------------------------------------------------------------------------------

    def add(self, window: Window, time: int, event: bytes, value: bytes) -> None:
        """Take a value in; the same event again changes nothing as long as it is kept itself."""
        if time < self.exact_from:
            self._put(time // self.pane, value)
            return
        member = event + value
        if window.add(time, member):
            newest = window.ids[-1] is member
            for view in self.views:
                if time <= view.upto or not newest:
                    self._grow(view, time, value, newest)
            if len(window.ids) > EXACT:
                self._fold(window)

    @staticmethod
    def _grow(view: View[T], time: int, value: bytes, newest: bool) -> None:
        """A member came that is not later than what the view was asked for last, or not the newest one."""
        inside = view.after < time <= view.upto
        if inside:
            view.tally.add(value)
        if inside and newest and view.end != UNKNOWN:
            view.end += 1
        else:
            view.start = view.end = UNKNOWN

    def _clear(self, view: int) -> View[T]:
        """A view on nothing in the place of one."""
        new = self.views[view] = View(self.make)
        return new

    def _put(self, number: int, value: bytes) -> None:
        joined = [view for view in self.views if view.first <= number < view.last]
        tally = (joined or self.views)[0].tally
        pane = self.panes.get(number)
        if pane is None:
            pane = tally.pane()
            for view in joined:
                view.tally.rough = True
        self.panes[number] = tally.put(pane, value, bool(joined))
        for view in joined[1:]:
            self._clear(self.views.index(view))  # views do not overlap but at their edges

    def _fold(self, window: Window) -> None:
        """With too many members within reach, make panes of the older half."""
        times, members = window.times, window.ids
        if len(times) - bisect_right(times, times[-1] - self.span) <= EXACT:
            return
        self.exact_from = (times[-EXACT // 2] // self.pane + 1) * self.pane
        end = bisect_left(times, self.exact_from)
        for number in range(len(self.views)):
            self._clear(number)
        tally = self.views[0].tally
        for time, member in zip(times[:end], members[:end], strict=True):
            number = time // self.pane
            pane = self.panes.get(number)
            self.panes[number] = tally.put(tally.pane() if pane is None else pane, member[ID:], False)
        del times[:end], members[:end]
        window.rewrite = True

    # --- what it comes to ------------------------------------------------------------------------------

    def measure(self, window: Window, time: int, width: int, view: int = 0, ago: int = 0) -> T:
        """The tally of (time - ago - width, time - ago]."""
        one = self.views[view]
        upto = time - ago
        after = upto - width
        whole = after >= self.exact_from and one.first == one.last
        if whole and one.upto and one.end != UNKNOWN and after >= one.after and upto >= one.upto:
            self._follow(window, one, after, upto)
            return one.tally
        if after >= one.upto or upto <= one.after:
            if one.upto:  # else nothing was taken in yet
                one = self._clear(view)
            one.after = one.upto = upto
        self._move(window, one, after, upto)
        if not whole:
            self._move_panes(one, after, upto, whole=not ago)
        return one.tally

    @staticmethod
    def _follow(window: Window, view: View[T], after: int, upto: int) -> None:
        """Both edges move on, over members whose places are known."""
        times, tally, end, start = window.times, view.tally, view.end, view.start
        count = len(times)
        while end < count and times[end] <= upto:
            tally.add(window.ids[end][ID:])
            end += 1
        while start < end and times[start] <= after:
            tally.remove(window.ids[start][ID:])
            start += 1
        view.after, view.upto, view.start, view.end = after, upto, start, end

    @staticmethod
    def _move(window: Window, view: View[T], after: int, upto: int) -> None:
        times, members, tally = window.times, window.ids, view.tally
        if upto > view.upto:
            coming = members[bisect_right(times, view.upto) : bisect_right(times, upto)]
            tally.add_all([member[ID:] for member in coming])
        elif upto < view.upto:
            for member in members[bisect_right(times, upto) : bisect_right(times, view.upto)]:
                tally.remove(member[ID:])
        if after > view.after:
            for member in members[bisect_right(times, view.after) : bisect_right(times, after)]:
                tally.remove(member[ID:])
        elif after < view.after:
            coming = members[bisect_right(times, after) : bisect_right(times, view.after)]
            tally.add_all([member[ID:] for member in coming])
        view.after, view.upto = after, upto
        view.start, view.end = bisect_right(times, after), bisect_right(times, upto)

    def _move_panes(self, view: View[T], after: int, upto: int, *, whole: bool) -> None:
        """Panes from the edge that lies nearest to `after`; with the one that `upto` lies in, if `whole`."""
        size, border = self.pane, self.exact_from // self.pane
        first = min((2 * after + size) // (2 * size), border)
        last = min(upto // size + 1 if whole else (2 * upto + size) // (2 * size), border)
        last = max(first, last)
        tally = view.tally
        for number in _without(range(view.first, view.last), range(first, last)):
            if (pane := self.panes.get(number)) is not None:
                tally.leave(pane)
        for number in _without(range(first, last), range(view.first, view.last)):
            if (pane := self.panes.get(number)) is not None:
                tally.join(pane)
        view.first, view.last = first, last
        tally.rough = any(number in self.panes for number in range(first, last))

    def members(self, window: Window, time: int, width: int) -> list[bytes]:
        """The members in (time - width, time] that are kept one by one, oldest first."""
        times = window.times
        return window.ids[bisect_right(times, time - width) : bisect_right(times, time)]

    def newest(self, window: Window, time: int, width: int) -> list[bytes]:
        """Ids of the newest members in (time - width, time], as evidence."""
        times = window.times
        end = bisect_right(times, time)
        start = max(bisect_right(times, time - width), end - EVIDENCE_MAX)
        return [member[:ID] for member in window.ids[start:end]]

    # --- what is kept ----------------------------------------------------------------------------------

    def thin(self, window: Window, horizon: int) -> None:
        """Forget what lies before the pane of `horizon`, so that the panes that are left are whole."""
        first = horizon // self.pane
        horizon = first * self.pane
        end = bisect_left(window.times, horizon)
        for number, view in enumerate(self.views):
            if view.after < horizon - 1 and view.upto:
                if view.upto < horizon:
                    self._clear(number)
                else:
                    self._move(window, view, horizon - 1, view.upto)
        if end:
            del window.times[:end], window.ids[:end]
            window.rewrite = True
            for view in self.views:
                view.start = view.end = UNKNOWN
        for number in [number for number in self.panes if number < first]:
            for view in self.views:
                if view.first <= number < view.last:
                    view.tally.leave(self.panes[number])
            del self.panes[number]
        for view in self.views:
            view.first = min(max(view.first, first), view.last)
        window.limit = 2 * len(window.times) + SPARE

    def dump(self) -> Any:
        if not self.exact_from:
            return None
        pack = self.views[0].tally.pack
        return [self.exact_from, [(number, pack(pane)) for number, pane in self.panes.items()]]

    def load(self, window: Window, notes: Any) -> None:
        window.limit = SPARE
        self.telling = window.times[-1] if window.times else 0  # nobody looked; it may be any of them
        if notes:
            self.exact_from, panes = notes
            unpack = self.views[0].tally.unpack
            self.panes = {number: unpack(packed) for number, packed in panes}


def _without(numbers: range, taken: range) -> list[int]:
    """The numbers of one range that are not in the other one."""
    if not numbers or not taken or numbers.stop <= taken.start or taken.stop <= numbers.start:
        return list(numbers)
    return [*range(numbers.start, taken.start), *range(taken.stop, numbers.stop)]
