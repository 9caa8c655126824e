"""A rule by its name or id."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING
from uuid import UUID

from signaldesk.errors import NotFound

if TYPE_CHECKING:
    from signaldesk.desk import Desk
    from signaldesk.store.rules import StoredRule


async def find(desk: Desk, org: str | None, name: str) -> tuple[UUID, StoredRule]:
    """(organisation, rule). Raises NotFound with the nearest name."""
    org_id = (await desk.orgs.choose(org)).id
    rules = await desk.rules.all(org_id)
    for rule in rules:
        if name in (rule.name, str(rule.id)):
            return org_id, rule
    near = get_close_matches(name, [rule.name for rule in rules], n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else "`signaldesk rules list` shows what there is"
    raise NotFound(f"there is no rule {name[:100]!r}; {hint}")
