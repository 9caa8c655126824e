"""Fields that a rule groups by: written with dots, where a filter writes an element of a list in brackets."""

from __future__ import annotations

import re
from typing import Any

from signaldesk.errors import FieldError

_ELEMENT = re.compile(r"\[(\d{1,9})\]")


def faults(document: Any) -> list[FieldError]:
    """One fault for each field of `by` that names nothing as it is written; what is no text is left out.

    Only who saves a rule is asked, so that one that was saved before goes on.
    """
    fields = document.get("by") if isinstance(document, dict) else None
    listed = [fields] if isinstance(fields, str) else fields if isinstance(fields, list | tuple) else []
    found = []
    for index, field in enumerate(listed):
        if isinstance(field, str) and _ELEMENT.search(field):
            dotted = _ELEMENT.sub(r".\1", field)[:100]
            text = f"here an element of a list is written with a dot; write {dotted}"
        elif isinstance(field, str) and field and not all(part.strip() for part in field.split(".")):
            text = f"{field[:100]!r} names no field; write e.g. country or user.plan"
        else:
            continue
        found.append(FieldError(f"by.{index}", text))
    return found
