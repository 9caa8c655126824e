"""An organisation's channels: check, save, show without secrets, try out.

Secrets go in and never come out again: answers hold hints, and what SignalDesk made itself is shown once.
Rules name channels, so a channel that a rule needs can be neither renamed nor deleted.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from signaldesk.catalog.targets import all_of
from signaldesk.catalog.trying import Tried, TriedChannel, sample_of, tried
from signaldesk.channels.kinds import Channel, Means, kind, parse
from signaldesk.errors import Conflict, FieldError, Invalid
from signaldesk.ids import new_id
from signaldesk.model.message import for_test
from signaldesk.rules.document import parse as parse_rule
from signaldesk.store import channels as store
from signaldesk.store import rules
from signaldesk.store.channels import ChannelFilter, StoredChannel
from signaldesk.store.database import AsyncConnection, Database

NAME_MAX = 100
_NAME = re.compile(r"[^\s:]([^:\x00-\x1f\x7f]*[^\s:])?")
BY_A_PERSON = "by a person"


class ChannelView(NamedTuple):
    """A channel as people see it; `config` has hints in the places of secrets.

    `fault` says why a stored configuration is not valid any more; then `config` is empty.
    """

    id: UUID
    name: str
    kind: str
    config: dict[str, Any]
    enabled: bool
    disabled_reason: str | None
    failures: int
    failing_since: datetime | None
    created_at: datetime
    updated_at: datetime
    fault: str | None = None


class Shown(NamedTuple):
    """A channel, and what was just made for it, shown this one time: `{"secret": "whsec_…"}`."""

    channel: ChannelView
    once: dict[str, str]


class ChannelCatalog:
    """Channels of organisations. Every method takes the organisation first and works as that tenant."""

    def __init__(
        self, *, database: Database, means: Means, announce: Callable[[UUID], Awaitable[None]]
    ) -> None:
        """`announce` tells the engine that an organisation's channels changed (`RuleCatalog.announce`)."""
        self._database = database
        self._means = means
        self._announce = announce

    async def all(self, org_id: UUID) -> list[ChannelView]:
        """Every channel, by name."""
        async with self._database.tenant(org_id) as connection:
            return [_view(stored) for stored in await store.listed(connection, org_id)]

    async def page(
        self, org_id: UUID, wanted: ChannelFilter, *, limit: int, after: str = ""
    ) -> list[ChannelView]:
        """Some of them, by name, from after that name on."""
        async with self._database.tenant(org_id) as connection:
            found = await store.page(connection, org_id, wanted, limit=limit, after=after)
        return [_view(stored) for stored in found]

    async def get(self, org_id: UUID, channel_id: UUID) -> ChannelView:
        """Raises NotFound, also for another organisation's channel."""
        async with self._database.tenant(org_id) as connection:
            return _view(await store.by_id(connection, org_id, channel_id))

    async def create(self, org_id: UUID, *, name: Any, kind: Any, config: Any) -> Shown:
        """Save a new channel. Raises Invalid with every fault, Conflict when the name is taken."""
        async with self._database.tenant(org_id) as connection:
            made = await create(connection, org_id, name=name, kind=kind, config=config)
        await self._announce(org_id)
        return made

    async def update(
        self, org_id: UUID, channel_id: UUID, *, name: Any = None, config: Any = None, enabled: Any = None
    ) -> ChannelView:
        """Change what is given. A hint sent back, or a secret left out, leaves that secret as it was.

        Raises NotFound, Invalid, Conflict when the name is taken or rules need the old one.
        """
        async with self._database.tenant(org_id) as connection:
            changed = await update(connection, org_id, channel_id, name=name, config=config, enabled=enabled)
        await self._announce(org_id)
        return changed

    async def rotate(self, org_id: UUID, channel_id: UUID) -> Shown:
        """Make a new secret and show it once; the one before stays valid until the next rotation.

        Raises NotFound, and Invalid for kinds without such secrets.
        """
        async with self._database.tenant(org_id) as connection:
            stored = await store.by_id(connection, org_id, channel_id, lock=True)
            channel = kind(stored.kind)
            config, once = channel.rotated(parse(channel, stored.config))
            await store.change(connection, org_id, channel_id, config=config.stored())
            return Shown(_view(await store.by_id(connection, org_id, channel_id)), once)

    async def delete(self, org_id: UUID, channel_id: UUID) -> None:
        """Delete a channel with its messages. Raises NotFound, Conflict while rules name it."""
        async with self._database.tenant(org_id) as connection:
            await delete(connection, org_id, channel_id)
        await self._announce(org_id)

    async def test(self, org_id: UUID, channel_id: UUID) -> Tried:
        """Send a real message now, also through a channel that is switched off. Raises NotFound, Invalid."""
        async with self._database.tenant(org_id) as connection:
            stored = await store.by_id(connection, org_id, channel_id)
            org = await store.org_name(connection, org_id)
        # The transaction is over: a destination may take half a minute, and connections are few.
        channel = kind(stored.kind)
        message = for_test(id=new_id(), org_id=org_id, org=org, now_us=self._means.clock.now_us())
        return await tried(channel.send(parse(channel, stored.config), message, self._means))

    async def test_rule(self, org_id: UUID, rule_id: UUID) -> list[TriedChannel]:
        """Send a message of a rule, marked as a test, through each of its channels now.

        Raises NotFound; Conflict for a rule that notifies nobody.
        """
        async with self._database.tenant(org_id) as connection:
            saved = await rules.by_id(connection, org_id, rule_id)
            rule = parse_rule(saved.body)
            found = [one for one in await store.listed(connection, org_id) if one.name in rule.notify]
            org = await store.org_name(connection, org_id)
        if not found:
            raise Conflict("this rule notifies nobody; name channels in its `notify` first")

        async def send(stored: StoredChannel) -> TriedChannel:
            channel = kind(stored.kind)
            message = sample_of(
                rule,
                rule_id=rule_id,
                version=saved.version,
                org_id=org_id,
                org=org,
                now_us=self._means.clock.now_us(),
            )
            sending = channel.send(parse(channel, stored.config), message, self._means)
            return TriedChannel(stored.name, stored.id, stored.kind, await tried(sending))

        return list(await asyncio.gather(*map(send, found)))


async def create(connection: AsyncConnection, org_id: UUID, *, name: Any, kind: Any, config: Any) -> Shown:
    """Save a new channel. Raises Invalid with every fault, Conflict when the name is taken."""
    channel, parsed = _checked(name, kind, config)
    prepared, once = channel.prepared(parsed)
    stored = prepared.stored()
    channel_id = await store.add(connection, org_id, name=name, kind=channel.kind, config=stored)
    if channel_id is None:
        raise store.taken(name)
    await rules.count_change(connection, org_id)
    return Shown(_view(await store.by_id(connection, org_id, channel_id)), once)


async def update(
    connection: AsyncConnection,
    org_id: UUID,
    channel_id: UUID,
    *,
    name: Any = None,
    config: Any = None,
    enabled: Any = None,
) -> ChannelView:
    """Change what is given; see `ChannelCatalog.update`."""
    stored = await store.by_id(connection, org_id, channel_id, lock=True)
    faults = _name_faults(name) if name is not None and name != stored.name else []
    if enabled is not None and not isinstance(enabled, bool):
        faults.append(FieldError("enabled", "expected true or false"))
    values: dict[str, Any] = {} if config is None else {"config": _new_config(stored, config, faults)}
    if faults:
        raise all_of(faults)
    if name is not None and name != stored.name:
        await _must_be_unused(connection, org_id, stored.name, "renamed")
        values["name"] = name
    if enabled is not None and enabled != stored.enabled:
        values |= _switched(enabled)
    if values:
        await store.change(connection, org_id, channel_id, **values)
        await rules.count_change(connection, org_id)
    if values.get("enabled"):
        await store.resolve_warning(connection, org_id, channel_id)
    return _view(await store.by_id(connection, org_id, channel_id))


async def delete(connection: AsyncConnection, org_id: UUID, channel_id: UUID) -> None:
    """Delete a channel with its messages. Raises NotFound, Conflict while rules name it."""
    stored = await store.by_id(connection, org_id, channel_id, lock=True)
    await _must_be_unused(connection, org_id, stored.name, "deleted")
    await store.remove(connection, org_id, channel_id)
    await rules.count_change(connection, org_id)


def _checked(name: Any, kind_name: Any, config: Any) -> tuple[Channel[Any], Any]:
    """The kind and the parsed configuration; Invalid with the faults of everything at once."""
    faults = _name_faults(name)
    try:
        channel = kind(kind_name if isinstance(kind_name, str) else "")
        parsed = parse(channel, config)
    except Invalid as error:
        raise all_of([*faults, *error.errors]) from None
    if faults:
        raise all_of(faults)
    return channel, parsed


def _name_faults(name: Any) -> list[FieldError]:
    if isinstance(name, str) and len(name) <= NAME_MAX and _NAME.fullmatch(name):
        return []
    expected = f"expected 1 to {NAME_MAX} characters without a colon, and no space at the ends"
    return [FieldError("name", expected)]


def _new_config(stored: StoredChannel, config: Any, faults: list[FieldError]) -> dict[str, Any] | None:
    channel = kind(stored.kind)
    try:
        if isinstance(config, dict) and (old := _parsed(stored)) is not None:
            config = type(old).merged(config, old)
        new: dict[str, Any] = parse(channel, config).stored()
    except Invalid as error:
        faults += error.errors
        return None
    return new


def _switched(enabled: bool) -> dict[str, Any]:
    if not enabled:
        return {"enabled": False, "disabled_reason": BY_A_PERSON}
    return {"enabled": True, "disabled_reason": None, "failures": 0, "failing_since": None}


async def _must_be_unused(connection: AsyncConnection, org_id: UUID, name: str, done: str) -> None:
    users = await store.used_by(connection, org_id, name)
    if users:
        listed = ", ".join(users[:5]) + (f" and {len(users) - 5} more" if len(users) > 5 else "")
        raise Conflict(
            f"{name} cannot be {done} while rules notify it: {listed}; change them first",
            errors=[FieldError("name", f"is used by {len(users)} rules")],
        )


def _parsed(stored: StoredChannel) -> Any:
    """The stored configuration; None when it is not valid any more."""
    try:
        return parse(kind(stored.kind), stored.config)
    except Invalid:
        return None


def _view(stored: StoredChannel) -> ChannelView:
    try:
        return ChannelView(*stored._replace(config=parse(kind(stored.kind), stored.config).shown()))
    except Invalid as error:
        return ChannelView(*stored._replace(config={}), fault=error.detail)
