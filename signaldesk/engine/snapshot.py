"""The windows as they stand at one position of the stream, taken bit by bit while judging goes on.

A hundred thousand windows take a second or two to be written down, and nobody shall wait that long for a
verdict. So a state that the checkpoint lacks is only marked, and taken in a portion later; one that is about
to change before its turn has come is taken first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from signaldesk.engine.state import DUE, SAVED, State
from signaldesk.stream.windows import KEPT, Change, Changes

if TYPE_CHECKING:
    from signaldesk.engine.lane import Lane

_WINDOWS = 1_000
"""A portion holds no more: Redis does nothing else meanwhile."""
_MEMBERS = 20_000
"""With so many members it is full, too."""
_SECOND = 1_000_000

Key = Callable[["Lane", State], str]
Timer = Callable[["Lane", State | None], bytes]


class Snapshot:
    """What one save writes, in portions: windows without notes, then those with notes, and deadlines.

    Only the former may be written in part: whoever dies in the middle of the latter leaves windows that are
    not trusted. A portion is the same one until it is `written`.
    """

    def __init__(self, key: Key, timer: Timer) -> None:
        """`key`: of a state's window; `timer`: the name of its deadline, of the clock without a state."""
        self._key = key
        self._timer = timer
        self._plain: deque[tuple[Lane, State]] = deque()
        self._noted: deque[tuple[Lane, State]] = deque()
        self._early = Changes([], [])
        """What was taken before its turn."""
        self._late = Changes([], [])
        """The same, of what has notes or deadlines."""
        self._portion: Changes | None = None

    def add(self, lane: Lane) -> None:
        """What the lane's checkpoint lacks, as of now."""
        dirty, lane.dirty = lane.dirty, []
        lane.snapshot = self
        timed = False
        for state in dirty:
            state.dirty = DUE
            plain = state.watch.plain
            (self._plain if plain else self._noted).append((lane, state))
            timed = timed or not plain
        if timed:
            self._late.timers.append((self._timer(lane, None), lane.clock))

    def take(self, lane: Lane, state: State) -> None:
        """Take a state that is due now, because it is about to change."""
        self._take(lane, state, self._early if state.watch.plain else self._late)

    def _take(self, lane: Lane, state: State, into: Changes) -> None:
        state.dirty = SAVED
        watch, rewrite = state.watch, state.rewrite
        try:
            key, notes = self._key(lane, state), state.notes()
            due = None if state.due is None else state.deadline()
        except Exception as error:
            lane.fails(watch, error)
            return
        into.windows.append(Change(key, rewrite, state.unsaved(), KEPT + watch.reach // _SECOND, notes))
        if due is not None or state.listed:
            into.timers.append((self._timer(lane, state), due))
            state.listed = due is not None

    def portion(self) -> Changes | None:
        """What is to be written next; None when everything is."""
        if self._portion is None:
            found = Changes([], [])
            self._fill(found, self._early, self._plain)
            if not found.windows:
                self._fill(found, self._late, self._noted)
                found.timers.extend(self._late.timers)
                self._late.timers.clear()
            self._portion = found if found.windows or found.timers else None
        return self._portion

    def written(self) -> None:
        """The portion is written; there is another one now."""
        self._portion = None

    def _fill(self, into: Changes, taken: Changes, due: deque[tuple[Lane, State]]) -> None:
        members = 0
        while len(into.windows) < _WINDOWS and members < _MEMBERS:
            if taken.windows:
                into.windows.append(taken.windows.pop())
            elif due:
                lane, state = due.popleft()
                if state.dirty != DUE:
                    continue  # it was taken before, and may have changed since
                self._take(lane, state, into)
            else:
                return
            members += len(into.windows[-1].fresh[0]) if into.windows else 0
