"""Alerts: what people handle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, model_validator

from signaldesk.clock import MICROS
from signaldesk.errors import Conflict, FieldError, Invalid, NotFound
from signaldesk.ids import of_event
from signaldesk.model.rule import SEVERITIES
from signaldesk.store.alert_story import KINDS, Entry
from signaldesk.store.alerts import STATES, AlertFilter, AlertRecord, Changed, Snooze
from signaldesk.web import paging
from signaldesk.web.api.shapes import Ask, Moment, Page, Shape
from signaldesk.web.call import Answer, Call, actor, label

_Id = Annotated[UUID, Field(strict=False)]


class AlertOut(Shape):
    """An alert: one that is not resolved per rule and group. `at_least` says that `value` is a lower bound,
    `margin` how far off it may be, as a share of it; null: it is exact, or a lower bound. `event_id` is null
    when it opened because no event ever came.

    `resolved_reason`: `person`, `quiet`, `threshold`, `returned`, or `rule` (its condition was changed).
    """

    id: UUID
    rule_id: UUID
    rule_version: int
    title: str
    severity: str
    state: str
    group: dict[str, Any]
    labels: dict[str, str]
    value: float
    at_least: bool
    margin: float | None
    threshold: float
    window_seconds: float
    event_id: UUID | None
    opened_at: datetime
    last_fired_at: datetime
    firings: int
    replay: str | None
    acknowledged_by: UUID | None
    acknowledged_at: datetime | None
    assigned_to: UUID | None
    snoozed_by: UUID | None
    snoozed_until: datetime | None
    snoozed_value: float | None
    snoozed_firings: int | None
    flapping: bool
    storm_id: UUID | None
    notified_at: datetime | None
    resolved_by: UUID | None
    resolved_at: datetime | None
    resolved_reason: str | None


class SnoozeIn(Ask):
    """Until a time, or until it grows: a higher `value`, more `firings`, or `grows` beyond what it is now."""

    until: Moment | None = None
    value: Annotated[float | None, Field(allow_inf_nan=False, strict=False)] = None
    firings: Annotated[int | None, Field(ge=1, le=1 << 60)] = None
    grows: bool = False

    @model_validator(mode="after")
    def _something(self) -> SnoozeIn:
        given = (self.until, self.value, self.firings)
        if not self.grows and all(one is None for one in given):
            raise ValueError("say `until`, `value`, `firings` or `grows`")
        if self.grows and any(one is not None for one in given):
            raise ValueError("`grows` stands alone")
        return self


class AssignIn(Ask):
    """A member's id; null: nobody's."""

    to: _Id | None


class CommentIn(Ask):
    """What there is to say."""

    text: Annotated[str, Field(min_length=1, max_length=4000)]


class BulkIn(Ask):
    """The same for many alerts. Those that are missing, or cannot be changed so, are left out and named."""

    action: Literal["acknowledge", "resolve", "reopen", "unsnooze", "snooze", "assign", "comment"]
    ids: Annotated[list[_Id], Field(min_length=1, max_length=500)]
    snooze: SnoozeIn | None = None
    to: _Id | None = None
    text: Annotated[str | None, Field(min_length=1, max_length=4000)] = None


class NotDone(Shape):
    """An alert that was left as it is, and why."""

    id: UUID
    code: str
    detail: str


class BulkOut(Shape):
    """What was asked for, alert by alert."""

    items: list[AlertOut]
    failed: list[NotDone]


class EntryOut(Shape):
    """Something that happened, `count` times from `at` to `until`."""

    at: datetime
    until: datetime
    kind: str
    count: int
    user_id: UUID | None
    actor: str
    detail: dict[str, Any]


async def list_alerts(call: Call) -> Answer:
    limit = call.limit()
    assignee = call.one("assignee")
    wanted = AlertFilter(
        states=call.choice("state", STATES, ("open", "acknowledged", "snoozed")),
        lane=call.one("replay") or "",
        rule_id=call.uuid("rule_id"),
        severities=call.choice("severity", SEVERITIES, ()),
        labels=[label(text) for text in call.many("label")],
        assignee=None if assignee == "nobody" else call.uuid("assignee"),
        unassigned=assignee == "nobody",
        group=call.group(),
        fields=[label(text, "field") for text in call.many("field")],
        since=call.moment("from"),
        until=call.moment("to"),
        text=call.one("q") or "",
    )
    found = await call.services.alerts.page(call.org_id, wanted, limit=limit + 1, before=call.cursor())
    return Answer(paging.page(found, limit, _out, lambda alert: (alert.last_fired_at, alert.id)))


async def get_alert(call: Call) -> AlertOut:
    return _out(await call.services.alerts.get(call.org_id, call.id))


async def show_timeline(call: Call) -> Answer:
    limit, after = call.limit(default=500), call.cursor()
    kinds = call.choice("kind", KINDS, KINDS)
    found = await call.services.alert_story.timeline(call.org_id, call.id, kinds=kinds)
    placed = [(entry, place) for entry, place in zip(found, _places(found), strict=True)]
    coming = [one for one in placed if after is None or one[1] > after]
    return Answer(paging.page(coming, limit, lambda one: _entry(one[0]), lambda one: one[1]))


def _places(entries: Sequence[Entry]) -> list[tuple[datetime, UUID]]:
    """The place of each in the timeline: its time, and its number among those of one moment."""
    numbers = Counter[datetime]()
    places = []
    for entry in entries:
        numbers[entry.at] += 1
        places.append((entry.at, UUID(int=numbers[entry.at])))
    return places


def _entry(found: Entry) -> EntryOut:
    values = found._asdict()
    return EntryOut(count=values.pop("times"), **values)


async def acknowledge(call: Call) -> AlertOut:
    store = call.services.alerts
    return await _told(call, await store.acknowledge(call.org_id, call.id, by=actor(call), at=call.now))


async def resolve(call: Call) -> AlertOut:
    store = call.services.alerts
    return await _told(call, await store.resolve(call.org_id, call.id, by=actor(call), at=call.now))


async def reopen(call: Call) -> AlertOut:
    store = call.services.alerts
    return await _told(call, await store.reopen(call.org_id, call.id, by=actor(call), at=call.now))


async def unsnooze(call: Call) -> AlertOut:
    store = call.services.alerts
    return await _told(call, await store.unsnooze(call.org_id, call.id, by=actor(call), at=call.now))


async def snooze(call: Call) -> AlertOut:
    quiet = _quiet(call, call.body(SnoozeIn))
    store = call.services.alerts
    return await _told(call, await store.snooze(call.org_id, call.id, quiet, by=actor(call), at=call.now))


async def assign(call: Call) -> AlertOut:
    to, store = call.body(AssignIn).to, call.services.alerts
    return await _told(call, await store.assign(call.org_id, call.id, to, by=actor(call), at=call.now))


async def comment(call: Call) -> AlertOut:
    text, store = call.body(CommentIn).text, call.services.alerts
    return await _told(call, await store.comment(call.org_id, call.id, text, by=actor(call), at=call.now))


async def change_many(call: Call) -> BulkOut:
    act = _each(call, call.body(BulkIn))
    done: list[AlertOut] = []
    failed: list[NotDone] = []
    for id_ in dict.fromkeys(call.body(BulkIn).ids):
        try:
            done.append(await _told(call, await act(id_)))
        except (NotFound, Conflict) as error:
            failed.append(NotDone(id=id_, code=error.code, detail=error.detail))
    return BulkOut(items=done, failed=failed)


def _each(call: Call, bulk: BulkIn) -> Callable[[UUID], Awaitable[Changed]]:
    """What is done with each alert. Raises Invalid when the action lacks its part."""
    store, org, now, by = call.services.alerts, call.org_id, call.now, actor(call)
    match bulk.action:
        case "acknowledge":
            return lambda id_: store.acknowledge(org, id_, by=by, at=now)
        case "resolve":
            return lambda id_: store.resolve(org, id_, by=by, at=now)
        case "reopen":
            return lambda id_: store.reopen(org, id_, by=by, at=now)
        case "unsnooze":
            return lambda id_: store.unsnooze(org, id_, by=by, at=now)
        case "assign":
            return lambda id_: store.assign(org, id_, bulk.to, by=by, at=now)
        case "snooze":
            if bulk.snooze is None:
                raise Invalid(errors=[FieldError("snooze", "is missing; say until when")])
            quiet = _quiet(call, bulk.snooze)
            return lambda id_: store.snooze(org, id_, quiet, by=by, at=now)
        case "comment":
            if bulk.text is None:
                raise Invalid(errors=[FieldError("text", "is missing; say what there is to say")])
            said = bulk.text
            return lambda id_: store.comment(org, id_, said, by=by, at=now)


def _quiet(call: Call, given: SnoozeIn) -> Snooze | None:
    if given.until is not None and given.until <= call.now:
        raise Invalid(errors=[FieldError("until", "is over already; name a time to come")])
    return None if given.grows else Snooze(given.until, given.value, given.firings)


async def _told(call: Call, done: Changed) -> AlertOut:
    """Open pages hear of a change that a person made, as they do of the engine's."""
    alert, changed = done
    if changed:
        await call.tell(alert.news(call.now))
    return _out(alert)


def _out(alert: AlertRecord) -> AlertOut:
    values = alert._asdict()
    lane, window = values.pop("lane"), values.pop("window")
    values["event_id"] = of_event(alert.event_id)
    return AlertOut(**values, replay=lane or None, window_seconds=window / MICROS)


__all__ = ["AlertOut", "Page", "acknowledge", "get_alert", "list_alerts", "resolve"]
