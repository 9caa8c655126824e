"""Saving rules inside a tenant's transaction: checked with every fault at once, then a new version each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from signaldesk.catalog import changes, grouping, parts, targets
from signaldesk.catalog.changes import RuleChanged
from signaldesk.catalog.yaml_text import canonical
from signaldesk.errors import Conflict, FieldError, Invalid
from signaldesk.ids import new_id
from signaldesk.model.actor import Actor
from signaldesk.model.rule import Rule, SavedRule
from signaldesk.rules import document
from signaldesk.rules._kind import Kind
from signaldesk.rules.document import kinds
from signaldesk.store import channels
from signaldesk.store import rules as store
from signaldesk.store.database import AsyncConnection
from signaldesk.store.rules import ALL, RuleFilter, StoredRule


async def checked(connection: AsyncConnection, org_id: UUID, body: Any) -> Rule:
    """The rule of a document. Raises Invalid with the faults of the document and of the channels it names."""
    known = await channels.names(connection, org_id)
    faults = _named(body, known)
    rule = None
    try:
        rule = document.parse(body)
    except Invalid as error:
        faults = [*error.errors, *faults]
    if parts.named(body):
        there = await _known(connection, org_id, [rule] if rule else [])
        faults += _new(parts.faults(body, there), faults)
    if faults or rule is None:
        raise Invalid(_counted(len(faults), "the rule has {}"), errors=faults)
    return rule


async def all_checked(connection: AsyncConnection, org_id: UUID, bodies: Sequence[Any]) -> list[Rule]:
    """The rules of many documents. Raises Invalid with the faults of all of them, as `rules[3].when.kind`."""
    known = await channels.names(connection, org_id)
    faults = [
        FieldError(f"rules[{index}].{fault.field}", fault.message)
        for index, body in enumerate(bodies)
        for fault in _named(body, known)
    ]
    parsed: list[Rule] = []
    try:
        parsed = document.parse_all(list(bodies))
    except Invalid as error:
        faults = [*error.errors, *faults]
    if any(map(parts.named, bodies)):
        there = await _known(connection, org_id, parsed or _sound(bodies))
        names = [body.get("name") for body in bodies if isinstance(body, dict)]
        together = {name for name in names if isinstance(name, str)}
        coming = [
            FieldError(f"rules[{index}].{fault.field}", fault.message)
            for index, body in enumerate(bodies)
            for fault in parts.faults(body, there, spared=together)
        ]
        faults += _new(coming, faults)
    if faults:
        raise Invalid(_counted(len(faults), "{} in these rules"), errors=faults)
    return parsed


async def must_fit(connection: AsyncConnection, org_id: UUID) -> None:
    """Raises Conflict when a composite rule is made of one that is gone now, or does not fit any more."""
    wholes = [name for name, kind in kinds().items() if type(kind).parts is not Kind.parts]
    made = await store.page(connection, org_id, RuleFilter(kinds=wholes), limit=ALL)
    known = await _known(connection, org_id, []) if made else {}
    for stored in made:
        whole = known.get(stored.name)
        if whole is None or not (faults := parts.faults(stored.body, known)):
            continue
        gone = [name for name in kinds()[whole.when.kind].parts(whole.when) if name not in known]
        why = f"of {gone[0]!r}" if gone else f"of other rules, and {faults[0].message}"
        raise Conflict(f"{stored.name!r} is made {why}; change it first")


async def _known(connection: AsyncConnection, org_id: UUID, rules: Sequence[Rule]) -> dict[str, Rule]:
    """The organisation's rules by name, with these in place of their older versions."""
    known = {}
    for stored in await store.listed(connection, org_id):
        with suppress(Invalid):
            known[stored.name] = document.parse(stored.body)
    return known | {rule.name: rule for rule in rules}


def _named(body: Any, known: Collection[str]) -> list[FieldError]:
    """Faults of the channels and the groups that a document names, however wrong the rest of it may be."""
    return [*grouping.faults(body), *targets.faults(targets.named(body), known)]


def _new(coming: Sequence[FieldError], faults: Sequence[FieldError]) -> list[FieldError]:
    """Those of fields of which nothing is said yet."""
    said = {fault.field for fault in faults}
    return [fault for fault in coming if fault.field not in said]


def _sound(bodies: Sequence[Any]) -> list[Rule]:
    """The rules of those documents that have no faults."""
    found = []
    for body in bodies:
        with suppress(Invalid):
            found.append(document.parse(body))
    return found


async def add(connection: AsyncConnection, org_id: UUID, rule: Rule, by: Actor | None) -> StoredRule:
    """Save a new rule. Raises Conflict when its name is taken."""
    await targets.ensure_targets(connection, org_id, rule.notify)
    judged = document.fingerprint(rule)
    saved = SavedRule(org_id=org_id, id=new_id(), version=1, since_version=1, fingerprint=judged, rule=rule)
    return await store.add(connection, saved, by)


async def replace(
    connection: AsyncConnection, before: StoredRule, org_id: UUID, rule: Rule, by: Actor | None
) -> StoredRule:
    """Save the next version, unless nothing changed: then the rule as it was comes back.

    Its windows go on from the version that introduced the condition, if that stays. A rule that was set aside
    begins anew with whatever is saved. Raises Conflict when its new name is taken.
    """
    if before.failed_at is None and canonical(before.body) == canonical(rule.document()):
        return before
    await targets.ensure_targets(connection, org_id, rule.notify)
    judged, version = document.fingerprint(rule), before.version + 1
    same = judged == before.fingerprint and before.failed_at is None
    since = before.since_version if same else version
    saved = SavedRule(
        org_id=org_id, id=before.id, version=version, since_version=since, fingerprint=judged, rule=rule
    )
    return await store.replace(connection, saved, by)


async def apply(
    connection: AsyncConnection, org_id: UUID, rules: Sequence[Rule], by: Actor | None, *, prune: bool
) -> list[RuleChanged]:
    """Create or update rules by name; `prune` deletes all others. What was done, in the order given."""
    there = {rule.name: rule for rule in await store.listed(connection, org_id)}
    done = []
    for rule in rules:
        before = there.pop(rule.name, None)
        if before is None:
            done.append(changed(None, await add(connection, org_id, rule, by)))
        else:
            done.append(changed(before, await replace(connection, before, org_id, rule, by)))
    if prune:
        for gone in there.values():
            await store.remove(connection, org_id, gone.id)
            done.append(changed(gone, None))
    return done


def changed(before: StoredRule | None, after: StoredRule | None) -> RuleChanged:
    """What became of a rule; at least one of the two is there."""
    one = after or before
    assert one is not None
    kind: changes.Kind = "created" if before is None else "deleted" if after is None else "updated"
    return RuleChanged(
        name=one.name,
        change="unchanged" if before == after else kind,
        id=one.id,
        version=after.version if after else 0,
        since_version=after.since_version if after else 0,
        before=canonical(before.body) if before else None,
        after=canonical(after.body) if after else None,
    )


def _counted(count: int, words: str) -> str:
    return words.format(f"{count} fault{'s' if count > 1 else ''}")
