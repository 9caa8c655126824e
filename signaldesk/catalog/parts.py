"""Composite rules name other rules: whether these are there, and fit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from signaldesk.errors import FieldError
from signaldesk.model.rule import Rule
from signaldesk.rules._kind import Kind
from signaldesk.rules.document import kinds

_PLACES = ("all", "any", "none")


def named(body: Any) -> bool:
    """Whether a document is that of a kind that is made of other rules."""
    when = body.get("when") if isinstance(body, dict) else None
    kind = when.get("kind") if isinstance(when, dict) else None
    found = kinds().get(kind) if isinstance(kind, str) else None
    return found is not None and type(found).parts is not Kind.parts


def faults(body: Any, known: Mapping[str, Rule], spared: Collection[str] = ()) -> list[FieldError]:
    """What is wrong with the rules that a composite rule's document names, whatever else is wrong with it.

    `known` are the organisation's, by name. Of the rules that are `spared` nothing is said if they are not
    among them: they come with the document, with faults of their own.
    """
    if not named(body):
        return []
    by, found = _listed(body.get("by")), []
    for place in _PLACES:
        for number, part in enumerate(_listed(body["when"].get(place))):
            if not isinstance(part, str) or (part in spared and part not in known):
                continue
            if message := _fault(by, part, known):
                found.append(FieldError(f"when.{place}.{number}", message))
    return found


def _listed(given: Any) -> list[Any]:
    """A text, or a list, as people write either."""
    return list(given) if isinstance(given, list | tuple) else [] if given is None else [given]


def _fault(by: list[Any], name: str, known: Mapping[str, Rule]) -> str | None:
    part = known.get(name)
    if part is None:
        near = get_close_matches(name[:200], known, n=1)
        return f"there is no rule {name[:200]!r}; " + (
            f"did you mean {near[0]!r}?" if near else "make it first"
        )
    if kinds()[part.when.kind].parts(part.when):
        return f"{name!r} is a composite rule itself; name its parts instead"
    if list(part.by) != by:
        shown = f"by {', '.join(part.by)}" if part.by else "without `by`"
        return f"{name!r} groups {shown}; a composite rule and its parts group by the same fields"
    return None
