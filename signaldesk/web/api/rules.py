"""Rules: what to watch. Answers with one rule carry its version as `ETag`; writes obey `If-Match`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, RootModel

from signaldesk.catalog.changes import RuleChanged
from signaldesk.catalog.yaml_text import canonical
from signaldesk.errors import FieldError, Invalid
from signaldesk.model.rule import SEVERITIES, Mode
from signaldesk.rules.document import kinds, parse
from signaldesk.store.rules import RuleFilter, StoredRule
from signaldesk.web import paging
from signaldesk.web.api.shapes import Ask, Shape
from signaldesk.web.call import Answer, Call, actor, label

MERGE_PATCH = "application/merge-patch+json"


class SetAsideOut(Shape):
    """A rule that failed while it judged is not judged any more since then, until it is saved again."""

    at: datetime
    error: str


class RuleOut(Shape):
    """A rule: `rule` is what people write, as YAML or JSON, and what PUT takes.

    `since_version` introduced its condition: windows are as old as that version. `set_aside` is null for a
    rule that is judged.
    """

    id: UUID
    name: str
    version: int
    since_version: int
    fingerprint: str
    rule: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    set_aside: SetAsideOut | None


class RulePatch(RootModel[dict[str, Any]]):
    """JSON Merge Patch (RFC 7396) of a rule: objects are merged, null takes a field away."""


class FieldChanged(Shape):
    """One field that is different; null where it is not set."""

    field: str
    before: Any
    after: Any


class Checked(Shape):
    """What saving this rule would come to.

    `begins_anew`: its condition changes, so windows would begin empty and open alerts be resolved.
    """

    change: Literal["created", "updated", "unchanged"]
    version: int
    rule: Annotated[dict[str, Any], Field(description="As it would be shown: defaults left out")]
    condition: Annotated[str, Field(description="The condition in a few words")]
    fields: list[FieldChanged]
    begins_anew: bool


class Bulk(Ask):
    """Rules that have all of these labels, or these ids, or both."""

    action: Literal["pause", "resume"]
    labels: Annotated[dict[str, str], Field(default_factory=dict, max_length=30)]
    ids: Annotated[list[Annotated[UUID, Field(strict=False)]], Field(default_factory=list, max_length=1000)]


class Switched(Shape):
    """A rule, and whether it was not in that mode already."""

    id: UUID
    name: str
    change: Literal["updated", "unchanged"]
    version: int


class Bulked(Shape):
    """Every rule that was meant."""

    items: list[Switched]


async def list_rules(call: Call) -> Answer:
    wanted = RuleFilter(
        labels=[label(text) for text in call.many("label")],
        modes=call.choice("mode", [mode.value for mode in Mode], ()),
        severities=call.choice("severity", SEVERITIES, ()),
        kinds=call.choice("kind", sorted(kinds()), ()),
        text=call.one("q") or "",
    )
    limit = call.limit(default=500)
    found = await call.services.rules.page(call.org_id, wanted, limit=limit + 1, after=call.name_cursor())
    return Answer(paging.name_page(found, limit, _out, lambda rule: rule.name))


async def create_rule(call: Call) -> Answer:
    rule = await call.services.rules.create(call.org_id, call.json(), by=actor(call))
    return _answer(rule, 201, {"Location": f"/api/v1/rules/{rule.id}"})


async def validate_rule(call: Call) -> Checked:
    return _checked(await call.services.rules.check(call.org_id, call.json()))


async def get_rule(call: Call) -> Answer:
    return _answer(await call.services.rules.get(call.org_id, call.id))


async def put_rule(call: Call) -> Answer:
    rules, by = call.services.rules, actor(call)
    return _answer(await rules.update(call.org_id, call.id, call.json(), by=by, expected=call.expected))


async def patch_rule(call: Call) -> Answer:
    patch = call.json(also=MERGE_PATCH)
    rules, by = call.services.rules, actor(call)
    return _answer(await rules.patch(call.org_id, call.id, patch, by=by, expected=call.expected))


async def delete_rule(call: Call) -> Answer:
    await call.services.rules.delete(call.org_id, call.id, expected=call.expected)
    return Answer(status=204)


async def switch_rules(call: Call) -> Bulked:
    bulk = call.body(Bulk)
    if not bulk.labels and not bulk.ids:
        raise Invalid(errors=[FieldError("labels", "say which rules: by `labels`, by `ids`, or both")])
    wanted = RuleFilter(ids=bulk.ids, labels=list(bulk.labels.items()))
    done = await call.services.rules.switch(call.org_id, bulk.action, wanted, by=actor(call))
    return Bulked(items=[Switched(**_switched(one)) for one in done])


def answer(rule: StoredRule) -> Answer:
    """A rule with its version as ETag."""
    return _answer(rule)


def _answer(rule: StoredRule, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(_out(rule), status, {"ETag": f'"{rule.version}"', **(headers or {})})


def _out(rule: StoredRule) -> RuleOut:
    return RuleOut(
        id=rule.id,
        name=rule.name,
        version=rule.version,
        since_version=rule.since_version,
        fingerprint=rule.fingerprint,
        rule=canonical(rule.body),
        created_at=rule.created_at,
        updated_at=rule.updated_at,
        set_aside=set_aside(rule),
    )


def set_aside(rule: StoredRule) -> SetAsideOut | None:
    """Since when, and why, it is not judged any more."""
    return SetAsideOut(at=rule.failed_at, error=rule.error or "") if rule.failed_at is not None else None


def _checked(done: RuleChanged) -> Checked:
    rule = parse(dict(done.after or {}))
    return Checked(
        change=done.change,
        version=done.version,
        rule=dict(done.after or {}),
        condition=kinds()[rule.when.kind].sentence(rule.when),
        fields=[FieldChanged(**field._asdict()) for field in done.fields],
        begins_anew=done.begins_anew,
    )


def _switched(one: RuleChanged) -> dict[str, Any]:
    return {"id": one.id, "name": one.name, "change": one.change, "version": one.version}
