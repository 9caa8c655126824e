"""What a rule was, how it stands, and what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from signaldesk.catalog.yaml_text import canonical
from signaldesk.clock import MICROS, from_us, to_us
from signaldesk.errors import NotFound
from signaldesk.ids import of_event
from signaldesk.rules.document import kinds, parse
from signaldesk.store.rule_history import FiringRecord, GroupState, SuppressionRecord, Wanted
from signaldesk.store.rule_versions import RuleVersion
from signaldesk.store.tables.outcomes import SUPPRESSED
from signaldesk.web import paging
from signaldesk.web.api.channels import Tried
from signaldesk.web.api.rules import FieldChanged, SetAsideOut, answer, set_aside
from signaldesk.web.api.shapes import Ask, Shape
from signaldesk.web.call import Answer, Call, actor

_MOST = 2**31 - 1
"""The highest version that PostgreSQL can hold."""


class VersionOut(Shape):
    """One version of a rule, immutable. `created_by` is a person's id.

    `author`: their name, or which API key it was; empty for what was not written down.
    """

    version: int
    fingerprint: str
    rule: dict[str, Any]
    created_at: datetime
    created_by: UUID | None
    author: str


class VersionDetail(VersionOut):
    """A version, and how it differs from the one before."""

    changes: list[FieldChanged]


class Rollback(Ask):
    """Which version to go back to."""

    version: Annotated[int, Field(ge=1, le=_MOST)]


class HeldOut(Shape):
    """What was held back last: why, until when (event time), how often."""

    reason: str
    at: datetime
    times: int


class OpenAlert(Shape):
    """The alert of a group that is not resolved."""

    id: UUID
    state: str
    opened_at: datetime
    firings: int


class GroupOut(Shape):
    """One group: its latest firing and until when that holds the next one back, its alert."""

    group: dict[str, Any]
    last_fired_at: datetime | None
    cooldown_until: datetime | None
    value: float | None
    at_least: bool | None
    margin: float | None
    threshold: float | None
    held: HeldOut | None
    alert: OpenAlert | None


class StateOut(Shape):
    """How a rule stands. `live_version` is the one that judges now; null until the engine has come to it.

    `late` counts events that came too late for the present condition; `set_aside` says since when, and why,
    it is not judged any more. `groups` are those that ever fired or were held back; `next` is the `cursor` of
    the following ones.
    """

    id: UUID
    version: int
    since_version: int
    live_version: int | None
    condition: str
    window_seconds: float
    late: int
    set_aside: SetAsideOut | None
    groups: list[GroupOut]
    next: str | None


class FiringOut(Shape):
    """A moment at which the condition held and was not held back. `evidence` are event ids, oldest first.

    `at_least`: `value` is a lower bound. `margin`: how far off it may be, as a share of it; 0: the edges of
    its window were rounded, null: it is exact, or a lower bound. `event_id` is null when no event ever came.
    """

    id: UUID
    rule_version: int
    replay: str | None
    group: dict[str, Any]
    alert_id: UUID | None
    event_id: UUID | None
    timestamp: datetime
    value: float
    at_least: bool
    margin: float | None
    threshold: float
    window_from: datetime
    window_to: datetime
    evidence: list[UUID]
    shadow: bool


class SuppressionOut(Shape):
    """Firings of a group that one reason held back, from the first to the last of them."""

    replay: str | None
    group: dict[str, Any]
    reason: str
    since: datetime
    until: datetime
    times: int
    first_event: UUID | None
    last_event: UUID | None
    silence_id: UUID | None


class ChannelTried(Tried):
    """What came of a test message at one of the rule's channels."""

    channel: str
    channel_id: UUID
    kind: str


class RuleTried(Shape):
    """What came of it, channel by channel."""

    items: list[ChannelTried]


# --- versions ------------------------------------------------------------------------------------------


async def list_versions(call: Call) -> Answer:
    limit, cursor = call.limit(), call.cursor()
    before = min(cursor[1].int, _MOST) if cursor else None
    found = await call.services.rules.versions(call.org_id, call.id, limit=limit + 1, before=before)
    return Answer(paging.page(found, limit, _version, lambda one: (one.created_at, UUID(int=one.version))))


async def get_version(call: Call) -> VersionDetail:
    number = call.params["n"]
    if not number.isascii() or not number.isdigit() or len(number) > 9:
        raise NotFound
    found, changes = await call.services.rules.version(call.org_id, call.id, int(number))
    shown = [FieldChanged(**change._asdict()) for change in changes]
    return VersionDetail(**_version(found).model_dump(), changes=shown)


async def roll_back(call: Call) -> Answer:
    wanted = call.body(Rollback).version
    rules, by = call.services.rules, actor(call)
    return answer(await rules.roll_back(call.org_id, call.id, wanted, by=by, expected=call.expected))


# --- what came of it -----------------------------------------------------------------------------------


async def show_state(call: Call) -> StateOut:
    limit, lane = call.limit(), call.one("replay") or ""
    found = await call.services.rule_history.state(
        call.org_id, call.id, lane=lane, limit=limit + 1, after=call.name_cursor()
    )
    rule = parse(found.rule.body)
    kind = kinds()[rule.when.kind]
    groups = paging.name_page(
        found.groups, limit, lambda one: _group(one, rule.cooldown), lambda one: one.group_key
    )
    return StateOut(
        id=found.rule.id,
        version=found.rule.version,
        since_version=found.rule.since_version,
        live_version=found.live_version,
        condition=kind.sentence(rule.when),
        window_seconds=kind.judge(rule).span / MICROS,
        late=found.late,
        set_aside=set_aside(found.rule),
        groups=groups["items"],
        next=groups["next"],
    )


async def list_firings(call: Call) -> Answer:
    limit = call.limit()
    found = await call.services.rule_history.firings(
        call.org_id, call.id, _wanted(call), limit=limit + 1, before=call.cursor()
    )
    return Answer(paging.page(found, limit, _firing, lambda one: (one.timestamp, one.id)))


async def list_suppressions(call: Call) -> Answer:
    limit = call.limit()
    found = await call.services.rule_history.suppressions(
        call.org_id,
        call.id,
        _wanted(call),
        reasons=call.choice("reason", SUPPRESSED, SUPPRESSED),
        limit=limit + 1,
        before=call.cursor(),
    )
    return Answer(paging.page(found, limit, _suppression, lambda one: (one.until, one.last_event)))


async def test_notification(call: Call) -> RuleTried:
    found = await call.services.channels.test_rule(call.org_id, call.id)
    return RuleTried(
        items=[
            ChannelTried(**one.tried._asdict(), channel=one.channel, channel_id=one.channel_id, kind=one.kind)
            for one in found
        ]
    )


def _wanted(call: Call) -> Wanted:
    return Wanted(
        lane=call.one("replay") or "",
        group=call.group(),
        since=call.moment("from"),
        until=call.moment("to"),
    )


def _version(found: RuleVersion) -> VersionOut:
    values = found._asdict()
    return VersionOut(rule=canonical(values.pop("body")), **values)


def _firing(found: FiringRecord) -> FiringOut:
    values = found._asdict()
    values["event_id"] = of_event(found.event_id)
    return FiringOut(replay=values.pop("lane") or None, **values)


def _suppression(found: SuppressionRecord) -> SuppressionOut:
    values = found._asdict()
    values |= {"first_event": of_event(found.first_event), "last_event": of_event(found.last_event)}
    return SuppressionOut(replay=values.pop("lane") or None, **values)


def _group(found: GroupState, cooldown: int) -> GroupOut:
    fired = found.last_fired_at
    return GroupOut(
        group=found.group,
        last_fired_at=fired,
        cooldown_until=from_us(to_us(fired) + cooldown) if fired and cooldown else None,
        value=found.value,
        at_least=found.at_least,
        margin=found.margin,
        threshold=found.threshold,
        held=_held(found),
        alert=_alert(found),
    )


def _held(found: GroupState) -> HeldOut | None:
    if found.held_reason is None or found.held_at is None or found.held_count is None:
        return None
    return HeldOut(reason=found.held_reason, at=found.held_at, times=found.held_count)


def _alert(found: GroupState) -> OpenAlert | None:
    if found.alert_id is None:
        return None
    values = {name: getattr(found, f"alert_{name}") for name in OpenAlert.model_fields}
    return OpenAlert(**values)
