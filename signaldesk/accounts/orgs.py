"""Organisations, for the operator: which there are, and which one is meant."""

from __future__ import annotations

from difflib import get_close_matches
from typing import NamedTuple
from uuid import UUID

from signaldesk.errors import FieldError, NotFound
from signaldesk.store import identity
from signaldesk.store.database import Database


class Org(NamedTuple):
    """An organisation; its events go to `partition`."""

    id: UUID
    slug: str
    name: str
    partition: int


class Orgs:
    """Looks organisations up, past the borders between them: never on behalf of a tenant."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Org]:
        """Every organisation, oldest first."""
        async with self._database.system() as connection:
            return [Org(*row) for row in await identity.orgs_by_age(connection)]

    async def choose(self, slug: str | None) -> Org:
        """The organisation of that slug; without one, the only one that there is. Raises NotFound."""
        found = {org.slug: org for org in await self.all()}
        if not found:
            raise NotFound("there is no organisation yet; make the first one with `signaldesk init`")
        if slug is None and len(found) == 1:
            return next(iter(found.values()))
        known = ", ".join([*found][:10]) + (", …" if len(found) > 10 else "")
        if slug is None:
            raise NotFound(f"there are several organisations; say which one with --org: {known}")
        if slug not in found:
            near = get_close_matches(slug, found, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {known}"
            raise NotFound(
                f"there is no organisation {slug[:60]!r}; {hint}", errors=[FieldError("org", "unknown")]
            )
        return found[slug]
