"""Users and organisations: how the first ones are made, and who somebody is by e-mail and password."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from signaldesk.accounts.passwords import Passwords
from signaldesk.errors import FieldError, Invalid, NotFound, Unauthenticated
from signaldesk.ids import new_id
from signaldesk.store import identity
from signaldesk.store.database import Database
from signaldesk.store.identity import Membership
from signaldesk.stream.events import PARTITIONS

_EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f.]+(\.[^@\s\x00-\x1f.]+)*")
_NOT_SLUG = re.compile(r"[^a-z0-9]+")

WRONG = "the e-mail address or the password is wrong"


@dataclass(frozen=True, slots=True)
class Founded:
    """A new organisation and its owner."""

    org_id: UUID
    org_slug: str
    user_id: UUID


class Users:
    """Founding and recognising."""

    def __init__(self, *, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    async def found(self, *, org: str, email: str, password: str, name: str = "") -> Founded:
        """Make an organisation and its first owner.

        Raises Invalid (with every fault) or Conflict (organisation or address exist already); then nothing
        was made.
        """
        email, slug = clean_email(email), slug_of(org)
        hashed = await self._passwords.hash(password)
        founded = Founded(org_id=new_id(), org_slug=slug, user_id=new_id())
        async with self._database.system() as connection:
            await identity.add_org(
                connection,
                id=founded.org_id,
                slug=slug,
                name=org.strip(),
                partition=founded.org_id.int % PARTITIONS,
            )
            await identity.add_user(
                connection, id=founded.user_id, email=email, name=name.strip(), password_hash=hashed
            )
            await identity.add_membership(connection, founded.org_id, founded.user_id, "owner")
        return founded

    async def set_password(self, email: str, password: str) -> None:
        """Give the user of that address a new password. Raises Invalid, NotFound."""
        hashed = await self._passwords.hash(password)
        async with self._database.system() as connection:
            user = await identity.user_by_email(connection, clean_email(email))
            if user is None:
                raise NotFound
            await identity.set_password_hash(connection, user.id, hashed)

    async def authenticate(self, email: str, password: str) -> Membership:
        """The member of that address and password, in the organisation joined first.

        Raises Unauthenticated with one and the same text, after the same work, for an unknown address, a
        wrong password, and a user without any organisation.
        """
        async with self._database.system() as connection:
            user = await identity.user_by_email(connection, email.strip().lower())
        right, renewed = await self._passwords.check(password, user.password_hash if user else None)
        if user is None or not right:
            raise Unauthenticated(WRONG)
        async with self._database.system() as connection:
            if renewed:
                await identity.set_password_hash(connection, user.id, renewed)
            memberships = await identity.memberships_of(connection, user.id)
        if not memberships:
            raise Unauthenticated(WRONG)
        return memberships[0]


def clean_email(email: str) -> str:
    """The address in lower case, without surrounding space. Raises Invalid for what is none."""
    cleaned = email.strip().lower()
    if len(cleaned) > 254 or not _EMAIL.fullmatch(cleaned):
        message = "is not an e-mail address; write it like you@example.com"
        raise Invalid(f"the e-mail address {message}", errors=[FieldError("email", message)])
    return cleaned


def slug_of(org: str) -> str:
    """`Acme Shop` → `acme-shop`. Raises Invalid for a name without letters or digits, or over 100 long."""
    slug = _NOT_SLUG.sub("-", org.lower()).strip("-")
    if not slug or len(org.strip()) > 100 or "\x00" in org:
        message = "needs at least one letter or digit (a-z, 0-9) and at most 100 characters"
        raise Invalid(f"the organisation's name {message}", errors=[FieldError("org", message)])
    return slug
