"""A timeline that says a thing once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

T = TypeVar("T")


def merged(
    entries: Iterable[T], *, says: Callable[[T], Hashable | None], join: Callable[[T, T], T]
) -> list[T]:
    """The entries, oldest first, of which those that say the same are one at the place of the first.

    `says` None: what stands for itself, and so parts what comes before it from what comes after it.
    """
    found: list[T] = []
    places: dict[Hashable, int] = {}
    for entry in entries:
        said = says(entry)
        if said is None:
            places.clear()
        elif said in places:
            found[places[said]] = join(found[places[said]], entry)
            continue
        else:
            places[said] = len(found)
        found.append(entry)
    return found
