"""Silences and maintenance windows: fire, but tell nobody."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, model_validator

from signaldesk.clock import from_us, to_us
from signaldesk.errors import Conflict, FieldError, Invalid
from signaldesk.model.active import Active
from signaldesk.model.silence import FOREVER, KINDS, Matcher, Operator, pattern, stretch
from signaldesk.store.silences import Match, SilenceDraft, SilenceRecord
from signaldesk.web import paging
from signaldesk.web.api.shapes import Ask, Moment, Shape
from signaldesk.web.call import Answer, Call, actor

_STATES = ("active", "pending", "expired")
_SHOWN = 50
"""Alerts and rules that a preview names."""

Name = Annotated[str, Field(min_length=1, max_length=200)]


class MatcherIn(Ask):
    """`name` is a label of the rule, a field of its groups, `rule` (its name) or `severity`.

    `=~` and `!~` take an RE2 expression that must fit the whole value. What is missing counts as empty.
    """

    name: Name
    operator: Annotated[Operator, Field(description="`=`, `!=`, `=~` or `!~`")] = "="
    value: Annotated[str, Field(max_length=1000)]

    @model_validator(mode="after")
    def _readable(self) -> MatcherIn:
        if "\0" in self.name + self.value:
            raise ValueError("the NUL character cannot be stored")
        if self.operator in ("=~", "!~"):
            try:
                pattern(self.value)
            except ValueError as error:
                raise ValueError(f"the expression cannot be read: {error}") from None
        return self


Matchers = Annotated[list[MatcherIn], Field(min_length=1, max_length=20)]


class SilenceIn(Ask):
    """From `starts_at` (now, when left out) on and before `ends_at`, in event time.

    One with `hours` comes again and again, in these hours of the week; it may go without `ends_at`.
    """

    kind: Literal["silence", "maintenance"] = "silence"
    matchers: Matchers
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    hours: Annotated[Active | None, Field(strict=False)] = None
    comment: Annotated[str, Field(max_length=2000)] = ""

    @model_validator(mode="after")
    def _in_order(self) -> SilenceIn:
        if self.ends_at is None and self.hours is None:
            raise ValueError("`ends_at` is missing; only one with `hours` can go without")
        if self.starts_at is not None and self.end <= self.starts_at:
            raise ValueError("`ends_at` must come after `starts_at`")
        return self

    @property
    def end(self) -> datetime:
        return FOREVER if self.ends_at is None else self.ends_at


class PreviewIn(Ask):
    """Matchers to try out."""

    matchers: Matchers


class SilenceOut(Shape):
    """A silence or a maintenance window. `state`: `active`, `pending`, `expired`.

    `holds_from` to `holds_until`: the stretch of time in which it holds messages back, this one or the next.
    """

    id: UUID
    kind: str
    state: str
    matchers: list[dict[str, str]]
    starts_at: datetime
    ends_at: datetime | None
    hours: Active | None
    holds_from: datetime | None
    holds_until: datetime | None
    comment: str
    created_by: UUID | None
    author: str
    created_at: datetime
    updated_at: datetime


class MatchOut(Shape):
    """A rule, or an alert that is not resolved."""

    id: UUID
    name: str
    severity: str
    group: dict[str, Any]


class PreviewOut(Shape):
    """How many match now, and the first of them."""

    alerts: int
    rules: int
    first_alerts: list[MatchOut]
    first_rules: list[MatchOut]


async def list_silences(call: Call) -> Answer:
    limit = call.limit()
    states = call.choice("state", _STATES, ("active", "pending"))
    found = await call.services.silences.page(
        call.org_id,
        states=states,
        kinds=call.choice("kind", KINDS, KINDS),
        now=call.now,
        limit=limit + 1,
        before=call.cursor(),
    )
    return Answer(
        paging.page(found, limit, lambda one: _out(one, call.now), lambda one: (one.ends_at, one.id))
    )


async def create_silence(call: Call) -> Answer:
    draft, given = _draft(call), call.body(SilenceIn)
    if given.starts_at is None and given.end <= call.now:
        raise Invalid(errors=[FieldError("ends_at", "is over already; name a time to come")])
    made = await call.services.silences.create(call.org_id, draft, by=actor(call), at=call.now)
    return Answer(_out(made, call.now), 201, {"Location": f"/api/v1/silences/{made.id}"})


async def get_silence(call: Call) -> SilenceOut:
    return _out(await call.services.silences.get(call.org_id, call.id), call.now)


async def put_silence(call: Call) -> SilenceOut:
    store, values = call.services.silences, _draft(call)._asdict()
    before = await store.get(call.org_id, call.id)
    if call.body(SilenceIn).starts_at is None:
        values["starts_at"] = before.starts_at
    return _out(await store.change(call.org_id, call.id, values, by=actor(call), at=call.now), call.now)


async def expire_silence(call: Call) -> SilenceOut:
    store, now = call.services.silences, call.now
    before = await store.get(call.org_id, call.id)
    if before.ends_at <= now:
        raise Conflict("this is over already")
    values = {"ends_at": now, "starts_at": min(before.starts_at, now)}
    return _out(await store.change(call.org_id, call.id, values, by=actor(call), at=now), now)


async def delete_silence(call: Call) -> Answer:
    await call.services.silences.remove(call.org_id, call.id, by=actor(call), at=call.now)
    return Answer(status=204)


async def preview(call: Call) -> PreviewOut:
    found = await call.services.silences.matching(call.org_id, _matchers(call.body(PreviewIn).matchers))
    return PreviewOut(
        alerts=len(found.alerts),
        rules=len(found.rules),
        first_alerts=_shown(found.alerts),
        first_rules=_shown(found.rules),
    )


def _draft(call: Call) -> SilenceDraft:
    given = call.body(SilenceIn)
    starts_at = given.starts_at or min(call.now, given.end)
    hours = given.hours.model_dump(mode="json") if given.hours else None
    return SilenceDraft(given.kind, _matchers(given.matchers), starts_at, given.end, given.comment, hours)


def _matchers(given: list[MatcherIn]) -> tuple[Matcher, ...]:
    return tuple(Matcher(one.name, one.operator, one.value) for one in given)


def _shown(matches: list[Match]) -> list[MatchOut]:
    return [MatchOut(**match._asdict()) for match in matches[:_SHOWN]]


def _out(silence: SilenceRecord, now: datetime) -> SilenceOut:
    values = silence._asdict()
    names = ("name", "operator", "value")
    values["matchers"] = [dict(zip(names, one, strict=True)) for one in silence.matchers]
    over, begun = silence.ends_at <= now, silence.starts_at <= now
    hours = values["hours"] = Active.model_validate(silence.hours) if silence.hours else None
    holds = stretch(to_us(silence.starts_at), to_us(silence.ends_at), hours, to_us(now))
    if silence.ends_at == FOREVER:
        values["ends_at"] = None
    return SilenceOut(
        **values,
        state="expired" if over else "active" if begun else "pending",
        holds_from=from_us(holds[0]) if holds else None,
        holds_until=from_us(holds[1]) if holds else None,
    )
