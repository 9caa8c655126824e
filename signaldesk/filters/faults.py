"""The one error of the filter language."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from signaldesk.errors import FieldError, Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    T = TypeVar("T")
    Node = TypeVar("Node")

MOST = 20
"""Faults told of one filter."""


class InvalidFilter(Invalid):
    """A filter that is not in the language: what is wrong, at which character, and what to write instead.

    `position` counts characters from 0 and is never beyond the end of the text; people are shown it from 1.
    Message, position and suggestion are those of the first fault; `faults` has all that were found, in order,
    and `errors` says each.
    """

    code, title = "invalid_filter", "The filter cannot be understood"

    def __init__(
        self,
        message: str,
        *,
        position: int,
        suggestion: str | None = None,
        more: Iterable[InvalidFilter] = (),
    ) -> None:
        self.message = message
        self.position = position
        self.suggestion = suggestion
        self.faults: tuple[InvalidFilter, ...] = (self, *more)
        said = f"{message} (at character {position + 1})"
        if suggestion:
            said = f"{said}; {suggestion}"
        details = [said, *(fault.detail for fault in self.faults[1:])]
        super().__init__("; and: ".join(details), errors=[FieldError("where", detail) for detail in details])


def each(read: Callable[[Node], T], nodes: Iterable[Node]) -> list[T]:
    """What `read` makes of every node. Raises one InvalidFilter with the faults of all of them."""
    done: list[T] = []
    faults: list[InvalidFilter] = []
    for node in nodes:
        try:
            done.append(read(node))
        except InvalidFilter as error:
            faults += error.faults
            if len(faults) >= MOST:
                break
    if faults:
        raise merged(faults)
    return done


def merged(faults: Iterable[InvalidFilter]) -> InvalidFilter:
    """One error for at least one fault, in the order of their places, each once."""
    unique = {(fault.position, fault.message): fault for fault in faults}
    first, *rest = [_alone(unique[place]) for place in sorted(unique)][:MOST]
    return InvalidFilter(first.message, position=first.position, suggestion=first.suggestion, more=rest)


def _alone(fault: InvalidFilter) -> InvalidFilter:
    return InvalidFilter(fault.message, position=fault.position, suggestion=fault.suggestion)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A suggestion naming the known word that `word` looks like, or None when nothing is near."""
    near = nearest(word, known)
    return f"did you mean {near}?" if near else None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` looks like."""
    by_folded = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[near[0]] if near else None
