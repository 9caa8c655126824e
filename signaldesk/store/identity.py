"""Who is who: users, organisations, memberships, sessions, API keys.

Every function takes an open transaction. Those that answer "who is asking?" need the owner's
(`Database.system`), for until they have answered there is no organisation to act for; the others say so.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, Select, case, func, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from signaldesk.errors import Conflict, FieldError
from signaldesk.store.tables import api_keys, memberships, orgs, sessions, users


class UserRow(NamedTuple):
    id: UUID
    email: str
    name: str
    password_hash: str | None


class Membership(NamedTuple):
    """A user's place in an organisation."""

    user_id: UUID
    email: str
    name: str
    role: str
    org_id: UUID
    org_slug: str
    org_name: str
    plan: str
    partition: int


class OrgRow(NamedTuple):
    id: UUID
    slug: str
    name: str
    plan: str


class KeyRow(NamedTuple):
    """A usable API key."""

    id: UUID
    org_id: UUID
    name: str
    hint: str
    scopes: tuple[str, ...]
    expires_at: datetime | None
    partition: int


KEY_STATES = ("active", "expired", "revoked")


class ListedKey(NamedTuple):
    """An API key as its list shows it; the key itself is not stored."""

    id: UUID
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


async def user_by_email(connection: AsyncConnection, email: str) -> UserRow | None:
    """The user of that address (lower case), unless disabled."""
    found = await connection.execute(
        select(users.c.id, users.c.email, users.c.name, users.c.password_hash).where(
            users.c.email == email, users.c.disabled_at.is_(None)
        )
    )
    row = found.first()
    return UserRow(*row) if row else None


async def add_user(connection: AsyncConnection, **values: Any) -> None:
    """Raises Conflict when the address is taken."""
    await _insert(connection, users, values, FieldError("email", "this address has an account already"))


async def set_password_hash(connection: AsyncConnection, user_id: UUID, password_hash: str) -> None:
    await connection.execute(update(users).where(users.c.id == user_id).values(password_hash=password_hash))


async def add_org(connection: AsyncConnection, **values: Any) -> None:
    """Raises Conflict when the slug is taken."""
    await _insert(connection, orgs, values, FieldError("org", "an organisation of this name exists already"))


async def org_by_slug(connection: AsyncConnection, slug: str) -> tuple[UUID, str] | None:
    """(id, name) of the organisation."""
    found = await connection.execute(select(orgs.c.id, orgs.c.name).where(orgs.c.slug == slug))
    row = found.first()
    return (row[0], row[1]) if row else None


async def org(connection: AsyncConnection, org_id: UUID) -> OrgRow:
    """Needs the organisation's transaction (or the owner's)."""
    found = await connection.execute(
        select(*(orgs.c[name] for name in OrgRow._fields)).where(orgs.c.id == org_id)
    )
    return OrgRow(*found.one())


async def orgs_by_age(connection: AsyncConnection) -> list[tuple[UUID, str, str, int]]:
    """(id, slug, name, partition) of every organisation, oldest first."""
    found = await connection.execute(
        select(orgs.c.id, orgs.c.slug, orgs.c.name, orgs.c.partition).order_by(orgs.c.created_at, orgs.c.slug)
    )
    return [(row[0], row[1], row[2], row[3]) for row in found]


async def add_membership(connection: AsyncConnection, org_id: UUID, user_id: UUID, role: str) -> None:
    await connection.execute(insert(memberships).values(org_id=org_id, user_id=user_id, role=role))


async def memberships_of(connection: AsyncConnection, user_id: UUID) -> list[Membership]:
    """The organisations of a user, oldest membership first."""
    found = await connection.execute(
        _memberships().where(users.c.id == user_id).order_by(memberships.c.created_at)
    )
    return [Membership(*row) for row in found]


async def add_session(
    connection: AsyncConnection, *, hash: bytes, user_id: UUID, org_id: UUID, expires_at: datetime
) -> None:
    await connection.execute(
        insert(sessions).values(hash=hash, user_id=user_id, org_id=org_id, expires_at=expires_at)
    )


async def session_member(connection: AsyncConnection, hash: bytes, now: datetime) -> Membership | None:
    """Who a session belongs to, as long as it lasts, the user is enabled and still a member."""
    found = await connection.execute(
        _memberships()
        .join(sessions, (sessions.c.user_id == users.c.id) & (sessions.c.org_id == memberships.c.org_id))
        .where(sessions.c.hash == hash, sessions.c.expires_at > now)
    )
    row = found.first()
    return Membership(*row) if row else None


async def drop_session(connection: AsyncConnection, hash: bytes) -> None:
    await connection.execute(sessions.delete().where(sessions.c.hash == hash))


async def drop_expired_sessions(connection: AsyncConnection, now: datetime) -> int:
    """How many there were."""
    gone = await connection.execute(sessions.delete().where(sessions.c.expires_at <= now))
    return gone.rowcount


async def key_by_hash(connection: AsyncConnection, hash: bytes) -> KeyRow | None:
    """The key of that SHA-256, unless revoked."""
    found = await connection.execute(
        select(
            api_keys.c.id,
            api_keys.c.org_id,
            api_keys.c.name,
            api_keys.c.hint,
            api_keys.c.scopes,
            api_keys.c.expires_at,
            orgs.c.partition,
        )
        .join(orgs, orgs.c.id == api_keys.c.org_id)
        .where(api_keys.c.hash == hash, api_keys.c.revoked_at.is_(None))
    )
    row = found.first()
    return KeyRow(*row[:4], tuple(row[4]), *row[5:]) if row else None


async def add_key(connection: AsyncConnection, **values: Any) -> None:
    """Needs the organisation's transaction (or the owner's)."""
    await connection.execute(insert(api_keys).values(**values))


async def keys_of(connection: AsyncConnection, org_id: UUID) -> list[ListedKey]:
    """Every key of the organisation, newest first, revoked ones included."""
    return [_listed(row) for row in await connection.execute(_keys(org_id))]


async def key_page(
    connection: AsyncConnection,
    org_id: UUID,
    states: Collection[str],
    now: datetime,
    *,
    limit: int,
    before: tuple[datetime, UUID] | None,
) -> list[ListedKey]:
    """Those in these `KEY_STATES`; `before` is the (created_at, id) of the last one on the page before."""
    column = api_keys.c
    revoked, expired = column.revoked_at.is_not(None), func.coalesce(column.expires_at <= now, False)
    state = case((revoked, "revoked"), (expired, "expired"), else_="active")
    query = _keys(org_id).where(state.in_(states)).limit(limit)
    if before is not None:
        query = query.where(tuple_(column.created_at, column.id) < before)
    return [_listed(row) for row in await connection.execute(query)]


def _keys(org_id: UUID) -> Select[Any]:
    query = select(*(api_keys.c[name] for name in ListedKey._fields)).where(api_keys.c.org_id == org_id)
    return query.order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc())


async def revoke_key(connection: AsyncConnection, org_id: UUID, key_id: UUID, now: datetime) -> bytes | None:
    """The SHA-256 of the key that is now revoked; None when the organisation has no such key.

    To revoke a revoked key again changes nothing.
    """
    found = await connection.execute(
        update(api_keys)
        .where(api_keys.c.org_id == org_id, api_keys.c.id == key_id)
        .values(revoked_at=func.coalesce(api_keys.c.revoked_at, now))
        .returning(api_keys.c.hash)
    )
    hashed: bytes | None = found.scalar_one_or_none()
    return hashed


async def touch_keys(connection: AsyncConnection, seen: dict[UUID, datetime]) -> None:
    """Note when keys were last used."""
    for key_id, moment in seen.items():
        await connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(last_used_at=moment))


def _memberships() -> Any:
    return (
        select(
            users.c.id,
            users.c.email,
            users.c.name,
            memberships.c.role,
            orgs.c.id,
            orgs.c.slug,
            orgs.c.name,
            orgs.c.plan,
            orgs.c.partition,
        )
        .select_from(users)
        .join(memberships, memberships.c.user_id == users.c.id)
        .join(orgs, orgs.c.id == memberships.c.org_id)
        .where(users.c.disabled_at.is_(None))
    )


def _listed(row: Row[Any]) -> ListedKey:
    return ListedKey(**{**row._mapping, "scopes": tuple(row._mapping["scopes"])})


async def _insert(connection: AsyncConnection, table: Any, values: dict[str, Any], taken: FieldError) -> None:
    """Insert, or say what was taken already without spoiling the transaction."""
    statement = postgresql.insert(table).values(**values).on_conflict_do_nothing().returning(table.c.id)
    if (await connection.execute(statement)).first() is None:
        raise Conflict(taken.message, errors=[taken])
