"""When a message that could not be delivered is tried again.

| after attempt | wait | since the first attempt |
| --- | --- | --- |
| 1 | 5 s | 5 s |
| 2 | 30 s | 35 s |
| 3 | 2 min | 2 min 35 s |
| 4 | 10 min | 12 min 35 s |
| 5 | 30 min | 42 min 35 s |
| 6 | 1 h | 1 h 43 min |
| 7 | 3 h | 4 h 43 min |
| 8 | given up | |

Each wait is stretched or shortened by up to a fifth, at random, so that what failed together does not come
back together. A destination that says when to come back (`Retry-After`, at most an hour) is not asked before.
The first waits are short because somebody is waiting; the last ones outlive an evening's outage.
"""

from __future__ import annotations

from random import Random

from signaldesk.clock import MICROS
from signaldesk.model.delivery import Attempt, Claimed, Settled

WAITS = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 10800.0)
"""Seconds to wait after the first, second, … failed attempt."""
ATTEMPTS = len(WAITS) + 1
JITTER = 0.2


def wait(attempt: int, *, retry_after: float | None, random: Random) -> float | None:
    """Seconds until the next attempt after the `attempt`th (from 1) failed; None: give up."""
    if attempt >= ATTEMPTS:
        return None
    ours = WAITS[attempt - 1] * random.uniform(1 - JITTER, 1 + JITTER)
    return max(ours, retry_after or 0.0)


def settled(claimed: Claimed, attempt: Attempt, *, now_us: int, random: Random) -> Settled:
    """What an attempt means for its notification."""
    if attempt.result == "sent":
        return Settled(claimed, attempt, "sent", None)
    seconds = None
    if attempt.result == "retry":
        seconds = wait(claimed.number, retry_after=attempt.retry_after, random=random)
    if seconds is None:
        return Settled(claimed, attempt._replace(result="failed"), "failed", None)
    return Settled(claimed, attempt, "retrying", now_us + round(seconds * MICROS))
