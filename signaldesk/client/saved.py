"""What became of a rule that was saved."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

SHADOW = " (shadow)"
"""What a rule is called that runs in the shadow of the live one of the same name."""


class Saved(NamedTuple):
    """The rule, and the version that is judged from now on."""

    name: str
    id: UUID
    version: int


def shadow_name(name: str) -> str:
    return name if name.endswith(SHADOW) else name[: 200 - len(SHADOW)] + SHADOW


def live_name(name: str) -> str:
    return name.removesuffix(SHADOW)
