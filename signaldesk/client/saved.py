"""What became of a rule that was saved."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID


class Saved(NamedTuple):
    """The rule, and the version that is judged from now on."""

    name: str
    id: UUID
    version: int
