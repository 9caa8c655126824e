"""Who changes something."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID


class Actor(NamedTuple):
    """A person (`user_id`) or an API key, by name."""

    user_id: UUID | None
    name: str
