"""Pausing and resuming many rules at once, inside a tenant's transaction."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from signaldesk.catalog import saving
from signaldesk.catalog.changes import RuleChanged
from signaldesk.errors import FieldError, Invalid
from signaldesk.model.actor import Actor
from signaldesk.model.rule import Mode
from signaldesk.store import rule_versions
from signaldesk.store import rules as store
from signaldesk.store.database import AsyncConnection
from signaldesk.store.rules import ALL, RuleFilter, StoredRule

Action = Literal["pause", "resume"]


async def switch(
    connection: AsyncConnection, org_id: UUID, action: Action, wanted: RuleFilter, by: Actor | None
) -> list[RuleChanged]:
    """Save every wanted rule in its new mode; one that was set aside begins anew with it.

    Raises Invalid for ids of no rule, and for rules that are not
    valid any more."""
    found = await store.page(connection, org_id, wanted, limit=ALL)
    if missing := set(wanted.ids) - {rule.id for rule in found} if not wanted.labels else set():
        raise Invalid(errors=[FieldError("ids", f"there is no rule {one}") for one in sorted(missing)])
    before = await rule_versions.modes_before_pause(connection, org_id, [rule.id for rule in found])
    done = []
    for rule in found:
        paused = rule.body.get("mode") == Mode.PAUSED.value
        mode = Mode.PAUSED.value if action == "pause" else before.get(rule.id, Mode.LIVE.value)
        same = paused == (action == "pause") and rule.failed_at is None
        after = rule if same else await _in_mode(connection, org_id, rule, mode, by)
        done.append(saving.changed(rule, after))
    return done


async def _in_mode(
    connection: AsyncConnection, org_id: UUID, rule: StoredRule, mode: str, by: Actor | None
) -> StoredRule:
    try:
        parsed = await saving.checked(connection, org_id, {**rule.body, "mode": mode})
    except Invalid as error:
        faults = [FieldError(f"{rule.name}: {fault.field}", fault.message) for fault in error.errors]
        raise Invalid(f"{rule.name} is not valid any more; change it first", errors=faults) from None
    return await saving.replace(connection, rule, org_id, parsed, by)
