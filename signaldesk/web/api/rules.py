"""Rules: what to watch."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from signaldesk.store.rules import StoredRule
from signaldesk.web.api.shapes import Page, Shape
from signaldesk.web.call import Answer, Call


class RuleOut(Shape):
    """A rule: `rule` is what people write, as YAML or JSON, and what PUT takes."""

    id: UUID
    name: str
    version: int
    since_version: int
    fingerprint: str
    rule: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class VersionOut(Shape):
    """One version of a rule, immutable."""

    version: int
    fingerprint: str
    rule: dict[str, Any]
    created_at: datetime
    created_by: UUID | None


async def list_rules(call: Call) -> Page[RuleOut]:
    rules = await call.services.rules.all(call.org_id)
    return Page(items=[_out(rule) for rule in rules])


async def create_rule(call: Call) -> Answer:
    rule = await call.services.rules.create(call.org_id, call.json(), by=call.principal.user_id)
    return Answer(_out(rule), 201, {"Location": f"/api/v1/rules/{rule.id}"})


async def get_rule(call: Call) -> RuleOut:
    return _out(await call.services.rules.get(call.org_id, call.id))


async def put_rule(call: Call) -> RuleOut:
    rule, _ = await call.services.rules.update(call.org_id, call.id, call.json(), by=call.principal.user_id)
    return _out(rule)


async def delete_rule(call: Call) -> Answer:
    await call.services.rules.delete(call.org_id, call.id)
    return Answer(status=204)


async def list_versions(call: Call) -> Page[VersionOut]:
    versions = await call.services.rules.versions(call.org_id, call.id)
    return Page(items=[VersionOut(rule=found.pop("body"), **found) for found in versions])


def _out(rule: StoredRule) -> RuleOut:
    return RuleOut(
        id=rule.id,
        name=rule.name,
        version=rule.version,
        since_version=rule.since_version,
        fingerprint=rule.fingerprint,
        rule=rule.body,
        created_at=rule.created_at,
        updated_at=rule.updated_at,
    )
