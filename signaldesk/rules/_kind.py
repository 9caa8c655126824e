"""What a rule kind offers to the engine."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Protocol

from signaldesk.model.rule import Condition
from signaldesk.model.window import Window


class Verdict(NamedTuple):
    """Why a condition holds: the measured value, what it was compared with, the window, the evidence.

    `at_least`: the value is a lower bound, because no more members are kept than the threshold needs.
    Times are microseconds; evidence are at most 100 event ids of 16 bytes, oldest first.
    """

    value: float
    at_least: bool
    threshold: float
    window_from: int
    window_to: int
    evidence: list[bytes]


EVIDENCE_MAX = 100


class Judge(Protocol):
    """One condition with its parameters worked out, ready for many events."""

    span: int
    """How far back in time (µs) its windows reach; 0 when it keeps none."""

    def holds(self, window: Window, time: int, event: bytes) -> bool:
        """Take the event into its group's window and say whether the condition holds at its own time."""
        ...

    def verdict(self, window: Window, time: int, event: bytes) -> Verdict:
        """The reason, right after `holds` was true."""
        ...

    def thin(self, window: Window, horizon: int) -> None:
        """Forget what can no longer matter: members at or before `horizon`, and needless ones after it."""
        ...


class Kind(Protocol):
    """A rule kind: its name, its parameters, its judge, and the words for it."""

    name: ClassVar[str]
    condition: ClassVar[type[Condition]]

    def judge(self, condition: Condition) -> Judge:
        """A judge for these parameters."""
        ...

    def sentence(self, condition: Condition) -> str:
        """The condition in a few words, e.g. `3 or more in 60 s`."""
        ...
