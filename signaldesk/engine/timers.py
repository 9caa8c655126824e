"""Deadlines of a lane's groups, in event time: the earliest first, ties by rule and group."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count

from signaldesk.engine.state import State

NEVER = 1 << 63


class Timers:
    """A heap in which a group may stand several times; only its present deadline counts."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, bytes, str, int, State]] = []
        self._number = count()
        self.next = NEVER
        """No deadline is earlier than this (µs)."""

    def set(self, state: State) -> None:
        """The group's deadlines may have changed."""
        due = state.deadline()
        if due == state.due:
            return
        state.due = due
        if due is not None:
            heappush(self._heap, (due, state.watch.id.bytes, state.text, next(self._number), state))
            self.next = self._heap[0][0]

    def pop(self, now: int) -> State | None:
        """Take out the next group whose deadline lies before `now`."""
        heap = self._heap
        while heap and heap[0][0] < now:
            due, _, _, _, state = heappop(heap)
            if state.due == due and state.watch.states.get(state.key) is state:
                self.next = heap[0][0] if heap else NEVER
                return state
        self.next = heap[0][0] if heap else NEVER
        return None

    def waiting(self) -> int:
        """The earliest deadline that still counts (µs), NEVER without one."""
        heap = self._heap
        while heap and heap[0][4].due != heap[0][0]:
            heappop(heap)
        self.next = heap[0][0] if heap else NEVER
        return self.next
