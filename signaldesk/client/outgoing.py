"""An event as Python code writes it, on its way to become a line of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from signaldesk.errors import FieldError, Invalid


def line(
    type: str,
    payload: Mapping[str, Any],
    *,
    timestamp: datetime | float | None,
    source: str | None,
    id: str | None,
) -> bytes:
    """The event as JSON; without a timestamp it happened now. Raises Invalid with every fault.

    What JSON does not know is written as text; NaN and infinities become null.
    """
    import orjson

    faults = []
    if not type or not isinstance(type, str):
        faults.append(FieldError("type", "every event has a type, such as checkout_failed"))
    if isinstance(timestamp, datetime) and timestamp.tzinfo is None:
        faults.append(FieldError("timestamp", "has no time zone; write e.g. datetime.now(UTC)"))
    if faults:
        raise Invalid("; ".join(f"{one.field}: {one.message}" for one in faults), errors=faults)
    event: dict[str, Any] = {
        "type": type,
        "timestamp": datetime.now(UTC) if timestamp is None else timestamp,
        "payload": dict(payload),
    }
    event |= {name: value for name, value in (("source", source), ("id", id)) if value is not None}
    options = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
    try:
        return orjson.dumps(event, default=str, option=options)
    except (TypeError, orjson.JSONEncodeError) as error:
        fault = FieldError("payload", f"cannot be written as JSON: {error}")
        raise Invalid(f"payload: {fault.message}", errors=[fault]) from None
