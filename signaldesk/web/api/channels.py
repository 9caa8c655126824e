"""Channels: where people are told. Secrets go in; they come out once, if SignalDesk made them, then never."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from signaldesk.catalog.channels import ChannelView
from signaldesk.channels.kinds import kinds
from signaldesk.errors import FieldError, Invalid
from signaldesk.store.channels import ChannelFilter
from signaldesk.web import paging
from signaldesk.web.api.shapes import Ask, Shape
from signaldesk.web.call import Answer, Call


class NewChannel(Ask):
    """A channel to be made; `config` depends on `kind`."""

    name: Annotated[str, Field(description="Unique; rules name it")]
    kind: Annotated[str, Field(description="webhook, discord, slack, email or in_app")]
    config: dict[str, Any]


class ChannelChange(Ask):
    """What is to be changed; what is left out, or a hint sent back in a secret's place, stays as it is."""

    name: str | None = None
    kind: Annotated[str | None, Field(description="Cannot be changed; may be sent along")] = None
    config: dict[str, Any] | None = None
    enabled: bool | None = None


class ChannelOut(Shape):
    """A channel; `config` has hints in the places of secrets. `fault`: why its configuration is not valid."""

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
    fault: str | None


class ChannelShown(ChannelOut):
    """A new channel, and what was made for it: shown this one time."""

    once: dict[str, str]


class Tried(Shape):
    """What came of a test message: the destination's own words, or why it did not get that far."""

    delivered: bool
    status: int | None
    answer: str | None
    error: str | None
    duration_ms: float


async def list_channels(call: Call) -> Answer:
    limit = call.limit(default=500)
    chosen = call.choice("kind", sorted(kinds()), ())
    wanted = ChannelFilter(chosen, call.truth("enabled"), call.one("q") or "")
    found = await call.services.channels.page(call.org_id, wanted, limit=limit + 1, after=call.name_cursor())
    return Answer(paging.name_page(found, limit, _out, lambda one: one.name))


async def create_channel(call: Call) -> Answer:
    new = call.body(NewChannel)
    made = await call.services.channels.create(call.org_id, name=new.name, kind=new.kind, config=new.config)
    shown = ChannelShown(**made.channel._asdict(), once=made.once)
    return Answer(shown, 201, {"Location": f"/api/v1/channels/{shown.id}"})


async def get_channel(call: Call) -> ChannelOut:
    return _out(await call.services.channels.get(call.org_id, call.id))


async def put_channel(call: Call) -> ChannelOut:
    change = call.body(ChannelChange)
    before = await call.services.channels.get(call.org_id, call.id)
    if change.kind not in (None, before.kind):
        message = f"cannot be changed; this is a {before.kind} channel, make another one instead"
        raise Invalid(f"the kind {message}", errors=[FieldError("kind", message)])
    return _out(
        await call.services.channels.update(
            call.org_id, call.id, name=change.name, config=change.config, enabled=change.enabled
        )
    )


async def delete_channel(call: Call) -> Answer:
    await call.services.channels.delete(call.org_id, call.id)
    return Answer(status=204)


async def test_channel(call: Call) -> Tried:
    return Tried(**(await call.services.channels.test(call.org_id, call.id))._asdict())


async def rotate_secret(call: Call) -> ChannelShown:
    made = await call.services.channels.rotate(call.org_id, call.id)
    return ChannelShown(**made.channel._asdict(), once=made.once)


def _out(channel: ChannelView) -> ChannelOut:
    return ChannelOut(**channel._asdict())
