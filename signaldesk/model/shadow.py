"""What a rule is called that runs in the shadow of the live one, beside it."""

from __future__ import annotations

_SHADOW = " (shadow)"
_LONGEST = 200
"""Characters of a rule's name."""


def shadow_name(name: str) -> str:
    """`NAME (shadow)`."""
    return name if name.endswith(_SHADOW) else name[: _LONGEST - len(_SHADOW)] + _SHADOW


def live_name(name: str) -> str:
    """The name of the rule in whose shadow one of this name runs."""
    return name.removesuffix(_SHADOW)
