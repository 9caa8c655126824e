"""Composite rules name other rules: whether these are there, and fit."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from signaldesk.errors import FieldError
from signaldesk.model.rule import Rule
from signaldesk.rules.document import kinds

_PLACES = ("all", "any", "none")


def faults(rule: Rule, known: Mapping[str, Rule]) -> list[FieldError]:
    """What is wrong with the rules that a composite rule names; `known` are the organisation's, by name."""
    if not kinds()[rule.when.kind].parts(rule.when):
        return []
    found = []
    for place in _PLACES:
        for number, name in enumerate(getattr(rule.when, place, ())):
            if message := _fault(rule, name, known):
                found.append(FieldError(f"when.{place}.{number}", message))
    return found


def _fault(rule: Rule, name: str, known: Mapping[str, Rule]) -> str | None:
    part = known.get(name)
    if part is None:
        near = get_close_matches(name[:200], known, n=1)
        return f"there is no rule {name!r}; " + (f"did you mean {near[0]!r}?" if near else "make it first")
    if kinds()[part.when.kind].parts(part.when):
        return f"{name!r} is a composite rule itself; name its parts instead"
    if part.by != rule.by:
        by = f"by {', '.join(part.by)}" if part.by else "without `by`"
        return f"{name!r} groups {by}; a composite rule and its parts group by the same fields"
    return None
