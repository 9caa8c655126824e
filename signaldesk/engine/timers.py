"""Deadlines of a lane's groups, in event time: the earliest first, ties by rule and group."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count

from signaldesk.engine.state import State

NEVER = 1 << 63


class Timers:
    """A heap in which a group stands no later than its deadline.

    A deadline that is put off, as most are by every event, leaves the group where it stands: it is put back
    when it comes up. So the heap does not grow with the events that put deadlines off.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, bytes, str, int, State]] = []
        self._number = count()
        self.next = NEVER
        """No deadline is earlier than this (µs)."""

    def set(self, state: State) -> None:
        """The group's deadlines may have changed."""
        due = state.due = state.deadline()
        if due is not None and (state.queued is None or due < state.queued):
            self._put(state, due)

    def pop(self, now: int) -> State | None:
        """Take out the next group whose deadline lies before `now`."""
        heap = self._heap
        while heap and heap[0][0] < now:
            at, state = heap[0][0], heap[0][4]
            if self._stands(state, at):
                heappop(heap)
                state.queued = None
                self._look()
                return state
        self._look()
        return None

    def waiting(self) -> int:
        """The earliest deadline that still counts (µs), NEVER without one."""
        heap = self._heap
        while heap and not self._stands(heap[0][4], heap[0][0]):
            pass
        self._look()
        return self.next

    def _stands(self, state: State, at: int) -> bool:
        """Whether the first group's deadline is where it stands; else it leaves, or goes where it belongs."""
        if state.queued == at:
            known = state.watch.states.get(state.key) is state
            due = state.due = state.deadline() if known else None
            if due == at:
                return True
            state.queued = None
            heappop(self._heap)
            if due is not None:
                self._put(state, due)
        else:
            heappop(self._heap)
        return False

    def _put(self, state: State, due: int) -> None:
        state.queued = due
        heappush(self._heap, (due, state.watch.id.bytes, state.text, next(self._number), state))
        self._look()

    def _look(self) -> None:
        self.next = self._heap[0][0] if self._heap else NEVER
