"""The targets that a rule notifies: names of channels, or addresses written in the rule itself.

`email:oncall@example.com` becomes a channel of that name when the rule is saved, so that it has a history,
attempts and an off switch like any other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import Any
from uuid import UUID

from signaldesk.channels.kinds import Channel, kinds, parse
from signaldesk.errors import FieldError, Invalid
from signaldesk.store import channels as store
from signaldesk.store.database import AsyncConnection


async def ensure_targets(connection: AsyncConnection, org_id: UUID, names: Sequence[str]) -> dict[str, UUID]:
    """The channels that a rule names, by name; targets such as `email:oncall@example.com` are made.

    Raises Invalid with one fault (`notify.0` …) for each name that is neither, with suggestions.
    """
    wanted = list(dict.fromkeys(names))
    if not wanted:
        return {}
    found = await store.ids_by_name(connection, org_id, wanted)
    missing = [name for name in wanted if name not in found]
    if not missing:
        return found
    known = await store.names(connection, org_id)
    if wrong := faults(names, known):
        raise all_of(wrong)
    for name in missing:
        channel, parsed = _inline(name, known)
        await store.add(connection, org_id, name=name, kind=channel.kind, config=parsed.stored())
    # Somebody else may have made the same one at the same time: then it is theirs.
    return await store.ids_by_name(connection, org_id, wanted)


def faults(names: Sequence[Any], known: Collection[str]) -> list[FieldError]:
    """One fault for each name that is neither a known channel nor a target; what is no text is left out."""
    found = []
    for index, name in enumerate(names):
        if isinstance(name, str) and name and name not in known:
            try:
                _inline(name, known)
            except Invalid as error:
                found.append(FieldError(f"notify.{index}", error.detail))
    return found


def named(document: Any) -> Sequence[Any]:
    """What a rule's document notifies, however wrong it may be."""
    names = document.get("notify") if isinstance(document, dict) else None
    return [names] if isinstance(names, str) else names if isinstance(names, list | tuple) else ()


def _inline(name: str, known: Collection[str]) -> tuple[Channel[Any], Any]:
    """The kind and configuration of a target that is written inside a rule."""
    prefix, colon, target = name.partition(":")
    channel = kinds().get(prefix)
    config = channel.inline(target) if channel is not None and colon else None
    if channel is None or config is None:
        raise Invalid(_no_such_channel(name, known))
    try:
        return channel, parse(channel, config)
    except Invalid as error:
        raise Invalid("; ".join(fault.message for fault in error.errors)) from None


def _no_such_channel(name: str, known: Collection[str]) -> str:
    offered = " or ".join(
        f"{prefix}:…" for prefix, channel in kinds().items() if channel.inline("") is not None
    )
    near = get_close_matches(name[:100], known, n=1)
    if near:
        hint = f"did you mean {near[0]}?"
    elif known:
        hint = f"there are {', '.join(sorted(known)[:10])}; or write {offered}"
    else:
        hint = f"make one first, or write {offered}"
    return f"there is no channel named {name[:100]!r}; {hint}"


def all_of(faults: list[FieldError]) -> Invalid:
    """One error that says every fault."""
    return Invalid("; ".join(f"{fault.field}: {fault.message}" for fault in faults), errors=faults)
