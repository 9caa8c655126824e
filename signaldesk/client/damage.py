"""A result that would be larger if no file of history were damaged: whoever works in Python is warned."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Protocol, TypeVar

from signaldesk.model.damage import words


class DamagedHistory(UserWarning):
    """Some of the events lie in files that cannot be read; all others are there."""


class Found(Protocol):
    """A result that knows which files it went without."""

    missing: Sequence[str]


F = TypeVar("F", bound=Found)


def told(found: F) -> F:
    """The same result, after the warning that it may deserve."""
    warn(found.missing)
    return found


def warn(missing: Sequence[str]) -> None:
    if missing:
        warnings.warn(words(missing), DamagedHistory, stacklevel=4)
