"""API keys: for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from signaldesk.errors import Forbidden
from signaldesk.store.identity import KEY_STATES, ListedKey
from signaldesk.web import paging
from signaldesk.web.api.shapes import Ask, Moment, Shape
from signaldesk.web.call import Answer, Call


class NewKey(Ask):
    """A key to be made."""

    name: Annotated[str, Field(max_length=100, description="To tell it from others")] = ""
    scopes: Annotated[list[str], Field(min_length=1, max_length=50, description="What it may do; `*`: all")]
    expires_at: Annotated[Moment | None, Field(description="With a time zone")] = None


class KeyOut(Shape):
    """A key without the key: that was shown once. `hint` is its beginning."""

    id: UUID
    name: str
    hint: str
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


class KeyShown(Shape):
    """A new key, shown this one time."""

    id: UUID
    key: str
    name: str
    scopes: list[str]


async def list_keys(call: Call) -> Answer:
    limit = call.limit()
    found = await call.services.keys.page(
        call.org_id,
        states=call.choice("state", KEY_STATES, KEY_STATES),
        limit=limit + 1,
        before=call.cursor(),
    )
    return Answer(paging.page(found, limit, _out, lambda key: (key.created_at, key.id)))


async def create_key(call: Call) -> Answer:
    wanted = call.body(NewKey)
    if beyond := [scope for scope in wanted.scopes if not call.principal.may(scope)]:
        raise Forbidden(f"nobody can give away more than they have: {', '.join(beyond)[:200]}")
    key_id, key = await call.services.keys.create(
        call.org_id,
        scopes=wanted.scopes,
        name=wanted.name,
        created_by=call.principal.user_id,
        expires_at=wanted.expires_at,
    )
    shown = KeyShown(id=key_id, key=key, name=wanted.name, scopes=wanted.scopes)
    return Answer(shown, 201, {"Location": f"/api/v1/api-keys/{key_id}"})


async def revoke_key(call: Call) -> Answer:
    await call.services.keys.revoke(call.org_id, call.id)
    return Answer(status=204)


def _out(key: ListedKey) -> KeyOut:
    return KeyOut(**{**key._asdict(), "scopes": list(key.scopes)})
