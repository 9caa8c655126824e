"""The words that mean something by themselves; needs no parser."""

from __future__ import annotations

KEYWORDS = (
    "AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "ILIKE", "ESCAPE", "IS", "NULL", "TRUE", "FALSE",
)  # fmt: skip
"""In capitals; they are recognised in any case."""

ATTRIBUTES = ("type", "source", "timestamp")
PAYLOAD = "payload"
"""The word before a path that says it is the payload's: `payload.type` is not the event's type."""
