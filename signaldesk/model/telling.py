"""Whether people are told of a firing. One decision, and its reason by name.

Everything it depends on is given to it: the alert as it stood before, the rule's `repeat`, the silences that
were written down. So the same commits come to the same decisions, whoever makes them and however often.
"""

from __future__ import annotations

from typing import NamedTuple

from signaldesk.model.rule import NEVER
from signaldesk.model.silence import Silence

HOUR = 3_600_000_000
FLAPS = 4
"""So many openings within an hour, of which all but the last were over by themselves, are a flapping."""
CROWD_WITHIN = 60_000_000
"""How far back (µs) the alerts of one rule are counted that people were told of."""


class Facts(NamedTuple):
    """What the decision is made of. Times are event times in microseconds."""

    time: int
    state: str
    """The alert's: `open`, `acknowledged` or `snoozed`."""
    opened_at: int
    notified_at: int | None
    """When people were told last; None: never."""
    woke: bool
    """This firing ended a snooze."""
    worse: bool
    """The severity is higher than at the firing before."""
    flapping: bool
    repeat: int | None
    """Of the rule: microseconds, NEVER, or None for every firing."""
    silence: Silence | None
    crowded: bool
    """People were told of as many other alerts of this rule just now as they can take."""


class Decision(NamedTuple):
    """`tell`: one message for each channel. `reason` says why, or why not."""

    tell: bool
    reason: str


def decide(facts: Facts) -> Decision:
    """Told: `opened`, `flapping`, `woke`, `severity`, `again`, `repeat`.

    Held back: `silence`, `maintenance`, `snoozed`, `flapping`, `acknowledged`, `repeat`, or `storm`: then it
    is counted into the message that tells of many alerts at once.
    """
    if facts.silence is not None:
        return Decision(False, facts.silence.kind)
    if facts.state == "snoozed":
        return Decision(False, "snoozed")
    decision = _worth_telling(facts)
    if decision.tell and facts.crowded:
        return Decision(False, "storm")
    return decision


def _worth_telling(facts: Facts) -> Decision:
    told = facts.notified_at
    if facts.flapping and told is not None and facts.time < facts.opened_at + HOUR:
        return Decision(False, "flapping")
    if told is None:
        return Decision(True, "flapping" if facts.flapping else "opened")
    if facts.woke:
        return Decision(True, "woke")
    if facts.worse:
        return Decision(True, "severity")
    if facts.repeat is None:
        return Decision(True, "again") if facts.state == "open" else Decision(False, "acknowledged")
    if facts.repeat != NEVER and facts.time >= told + facts.repeat:
        return Decision(True, "repeat")
    return Decision(False, "repeat")


def decide_resolved(*, state: str, notified_at: int | None, flapping: bool, grouped: bool,
                    silence: Silence | None) -> Decision:  # fmt: skip
    """Whether people are told that an alert is over by itself: those who were told of it are."""
    if notified_at is None:
        return Decision(False, "untold")
    if silence is not None:
        return Decision(False, silence.kind)
    if state == "snoozed":
        return Decision(False, "snoozed")
    if flapping:
        return Decision(False, "flapping")
    if grouped:
        return Decision(False, "storm")
    return Decision(True, "resolved")
