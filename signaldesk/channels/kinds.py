"""Every channel kind by name, and from a document to its checked configuration."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import ValidationError

import signaldesk.channels as room
from signaldesk import registry
from signaldesk.channels._config import ChannelConfig
from signaldesk.channels._kind import Channel, Mail, Mailer, Means, Publish, Receipt
from signaldesk.errors import FieldError, Invalid
from signaldesk.model.said import said

__all__ = [
    "Channel",
    "ChannelConfig",
    "Mail",
    "Mailer",
    "Means",
    "Publish",
    "Receipt",
    "kind",
    "kinds",
    "parse",
]


@cache
def kinds() -> dict[str, Channel[Any]]:
    """Every channel kind by name."""
    found: list[Channel[Any]] = registry.members(room, "CHANNEL", Channel)  # type: ignore[type-abstract]
    return {channel.kind: channel for channel in found}


def kind(name: str) -> Channel[Any]:
    """The channel kind of that name; Invalid with the nearest known one when there is none."""
    channel = kinds().get(name)
    if channel is None:
        near = get_close_matches(name, kinds(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(kinds()))}"
        raise Invalid(
            "there is no such kind of channel", errors=[FieldError("kind", f"unknown {name[:40]!r}; {hint}")]
        )
    return channel


def parse(channel: Channel[Any], config: Any) -> Any:
    """The checked configuration (`channel.config`) of a JSON object.

    Raises Invalid with one FieldError per fault; no fault repeats what was given.
    """
    if not isinstance(config, dict):
        fault = FieldError("config", f"expected an object such as {channel.example}")
        raise Invalid("the channel's configuration is not an object", errors=[fault])
    try:
        return channel.config.model_validate(config)
    except ValidationError as error:
        faults = [_fault(dict(fault), channel.config) for fault in error.errors(include_url=False)]
        raise Invalid("; ".join(f"{f.field}: {f.message}" for f in faults), errors=faults) from None


def _fault(fault: dict[str, Any], model: type[ChannelConfig]) -> FieldError:
    path = ".".join(["config", *(str(part) for part in fault["loc"])])
    if fault["type"] == "extra_forbidden":
        near = get_close_matches(str(fault["loc"][-1]), model.model_fields, n=1)
        known = ", ".join(model.model_fields) or "none"
        return FieldError(path, f"unknown field; {f'did you mean {near[0]}?' if near else f'known: {known}'}")
    if fault["type"] == "missing":
        return FieldError(path, "is missing")
    return FieldError(path, said(fault, quoted=False))
