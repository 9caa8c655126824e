"""Fields that a rule names as such: with dots, where a filter writes an element of a list in brackets."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from signaldesk import filters
from signaldesk.errors import FieldError, Invalid
from signaldesk.rules.document import kinds

_ELEMENT = re.compile(r"\[(\d{1,9})\]")


def faults(document: Any) -> list[FieldError]:
    """One fault for each field of `by`, and for the `field` of a condition that takes no expression, that
    names nothing as it is written; what is no text is left out.

    Only who saves a rule is asked, so that one that was saved before goes on.
    """
    if not isinstance(document, dict):
        return []
    by, when = document.get("by"), document.get("when")
    listed = list(by) if isinstance(by, list | tuple) else [by]
    named = [(f"by.{index}", field) for index, field in enumerate(listed)]
    kind = kinds().get(str(when.get("kind"))) if isinstance(when, dict) else None
    if isinstance(when, dict) and kind is not None and kind.plain_field:
        named.append(("when.field", when.get("field")))
    return [
        FieldError(place, text)
        for place, field in named
        if isinstance(field, str) and field and (text := _fault(field))
    ]


def _fault(field: str) -> str:
    if _ELEMENT.search(field):
        dotted = _ELEMENT.sub(r".\1", field)[:100]
        return f"here an element of a list is written with a dot; write {dotted}"
    if "(" in field and _is_worked_out(field):
        return f"takes a field, not what is worked out of some; {field[:100]!r} is no name"
    if not all(part.strip() for part in field.split(".")):
        return f"{field[:100]!r} names no field; write e.g. country or user.plan"
    return ""


def _is_worked_out(text: str) -> bool:
    with suppress(Invalid):
        return filters.parse_value(text).path is None
    return False
