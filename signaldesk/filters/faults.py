"""The one error of the filter language."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from signaldesk.errors import FieldError, Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable


class InvalidFilter(Invalid):
    """A filter that is not in the language: what is wrong, at which character, and what to write instead.

    `position` counts characters from 0 and is never beyond the end of the text; people are shown it from 1.
    """

    code, title = "invalid_filter", "The filter cannot be understood"

    def __init__(self, message: str, *, position: int, suggestion: str | None = None) -> None:
        self.message = message
        self.position = position
        self.suggestion = suggestion
        detail = f"{message} (at character {position + 1})"
        if suggestion:
            detail = f"{detail}; {suggestion}"
        super().__init__(detail, errors=[FieldError("where", detail)])


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A suggestion naming the known word that `word` looks like, or None when nothing is near."""
    by_folded = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), by_folded, n=1, cutoff=0.6)
    return f"did you mean {by_folded[near[0]]}?" if near else None
