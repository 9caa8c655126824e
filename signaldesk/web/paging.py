"""Pages of a list that keeps growing: a cursor names the last item seen, so nothing is skipped or doubled."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from signaldesk.clock import from_us, in_utc, to_us
from signaldesk.errors import FieldError, Invalid

T = TypeVar("T")


def page(
    items: Sequence[T], limit: int, show: Callable[[T], Any], place_of: Callable[[T], tuple[datetime, UUID]]
) -> dict[str, Any]:
    """`{"items", "next"}` of items asked for with one more than `limit`; `next` is None at the end."""
    shown = items[:limit]
    more = len(items) > limit
    return {"items": [show(item) for item in shown], "next": cursor(*place_of(shown[-1])) if more else None}


def cursor(moment: datetime, id: UUID) -> str:
    raw = to_us(moment).to_bytes(8, "big", signed=True) + id.bytes
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def name_cursor(name: str) -> str:
    """The cursor of lists in the order of a text."""
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def name_place(cursor: str) -> str:
    """Raises Invalid for what no page gave out."""
    try:
        found = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        if "\0" in found:
            raise ValueError("no name")
        return found
    except ValueError:
        raise no_cursor() from None


def name_page(
    items: Sequence[T], limit: int, show: Callable[[T], Any], name_of: Callable[[T], str]
) -> dict[str, Any]:
    """The same as `page`, for a list in the order of a text."""
    shown = items[:limit]
    more = len(items) > limit
    return {
        "items": [show(item) for item in shown],
        "next": name_cursor(name_of(shown[-1])) if more else None,
    }


def place(cursor: str) -> tuple[datetime, UUID]:
    """Raises Invalid for what no page gave out."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        if len(raw) != 24:
            raise ValueError("wrong length")
        return from_us(int.from_bytes(raw[:8], "big", signed=True)), UUID(bytes=raw[8:])
    except (ValueError, OverflowError, binascii.Error):
        raise no_cursor() from None


def no_cursor() -> Invalid:
    """The fault of what no page gave out."""
    return Invalid(errors=[FieldError("cursor", "is not a cursor; use `next` of the page before")])


def moment(name: str, text: str) -> datetime:
    """An RFC 3339 time. Raises Invalid; a time without a zone is refused rather than guessed."""
    try:
        return in_utc(datetime.fromisoformat(text.replace(" ", "+")))
    except ValueError:
        message = f"{text[:40]!r} is not a time with a zone; write e.g. 2026-01-31T12:00:00Z"
        raise Invalid(errors=[FieldError(name, message)]) from None
