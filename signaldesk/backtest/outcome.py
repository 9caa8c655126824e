"""What judging events of the past comes to, before anybody asks what it means for people."""

from __future__ import annotations

from typing import NamedTuple

from signaldesk.model.outcome import Firing, Held, Resolution

Came = Firing | Resolution


class Judged(NamedTuple):
    """Firings and resolutions in the order of the stream; what was held back, by group and reason."""

    how: str
    """`fold`, or `columns`."""
    came: list[Came]
    held: list[Held]
    matched: int
    """Events that the rule is concerned by."""
    late: int
    """Events among them that came too late to be judged."""
