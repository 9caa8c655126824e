"""What judging events of the past comes to, before anybody asks what it means for people."""

from __future__ import annotations

from typing import NamedTuple

from signaldesk.model.outcome import Firing, GroupRef, Held, Resolution

Came = Firing | Resolution


class Judged(NamedTuple):
    """Firings and resolutions in the order of the stream; what was held back, by group and reason.

    Resolutions that come to nothing are left out.
    """

    how: str
    """`fold`, or `columns`."""
    came: list[Came]
    held: list[Held]
    matched: int
    """Events that the rule is concerned by."""
    late: int
    """Events among them that came too late to be judged."""


def effective(came: list[Came]) -> list[Came]:
    """Without resolutions that come to nothing: those of a group that did not fire since the one before."""
    fired: set[GroupRef] = set()
    found = []
    for one in came:
        if isinstance(one, Firing):
            fired.add(one.group)
        elif one.group in fired:
            fired.remove(one.group)
        else:
            continue
        found.append(one)
    return found
