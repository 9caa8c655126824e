"""Events: sent in, and read back."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from signaldesk import filters
from signaldesk.clock import to_us
from signaldesk.intake.intake import Delivery, Sender
from signaldesk.store.eventlog import EventRecord
from signaldesk.web import paging
from signaldesk.web.api.shapes import Shape
from signaldesk.web.call import Answer, Call

TYPES_SINCE = timedelta(days=30)
LOOKED_AT = 10_000
"""Events that a request with a filter looks at: its page ends there, and `next` goes on."""
_STEP = 1_000


class EventIn(Shape):
    """An event as it is sent. Without a timestamp it happened now; without an id it gets one."""

    type: str
    payload: Annotated[dict[str, Any], Field(default_factory=dict)]
    timestamp: datetime | float | None = None
    source: str | None = None
    id: str | None = None


class Accepted(Shape):
    """What was taken. `ids` follow the order of the events that were; `rejected` names the others."""

    accepted: int
    ids: list[UUID]
    rejected: list[dict[str, Any]]


class EventOut(Shape):
    """A stored event. `clock_skewed`: its timestamp lay in the future and was set back."""

    id: UUID
    type: str
    timestamp: datetime
    received_at: datetime
    source: str | None
    payload: dict[str, Any]
    clock_skewed: bool


class TypeOut(Shape):
    """An event type of the last 30 days; `matched` counts events that some rule's filter let through."""

    type: str
    events: int
    matched: int
    last_seen: datetime


async def send(call: Call) -> Answer:
    headers = call.headers
    delivery = Delivery(
        body=call.raw,
        content_type=headers.get("Content-Type", ""),
        encoding=headers.get("Content-Encoding", ""),
        idempotency_key=headers.get("Idempotency-Key", ""),
        replay=headers.get("X-SignalDesk-Replay", ""),
        notify=headers.get("X-SignalDesk-Notify", "").lower() == "true",
    )
    sender = Sender(call.org_id, call.principal.partition)
    return Answer(await call.services.intake.accept(sender, delivery), 202)


async def list_events(call: Call) -> Answer:
    limit, before, where = call.limit(), call.cursor(), call.one("where")
    ask = partial(
        call.services.events.page,
        call.org_id,
        type=call.one("type"),
        since=call.moment("from"),
        until=call.moment("to"),
        lane=call.one("replay") or "",
    )
    if where is None:
        return Answer(paging.page(await ask(limit=limit + 1, before=before), limit, _out, _place))
    holds = filters.parse(where).predicate
    found: list[EventRecord] = []
    looked, more = 0, True
    while more and len(found) <= limit and looked < LOOKED_AT:
        some = await ask(limit=_STEP, before=before)
        found += [one for one in some if holds(one.payload, one.type, one.source, to_us(one.timestamp))]
        looked, more = looked + len(some), len(some) == _STEP
        before = _place(some[-1]) if some else before
    answer = paging.page(found, limit, _out, _place)
    if more and before is not None and len(found) <= limit:
        answer["next"] = paging.cursor(*before)
    return Answer(answer)


def _place(event: EventRecord) -> tuple[datetime, UUID]:
    return event.timestamp, event.id


async def get_event(call: Call) -> EventOut:
    return _out(await call.services.events.get(call.org_id, call.id))


async def list_types(call: Call) -> Answer:
    limit = call.limit(default=500)
    found = await call.services.events.types(
        call.org_id,
        since=call.moment("from") or call.now - TYPES_SINCE,
        limit=limit + 1,
        type=call.one("type"),
        after=call.count_cursor(),
    )
    return Answer(
        paging.name_page(
            found, limit, lambda one: TypeOut(**one._asdict()), lambda one: f"{one.events} {one.type}"
        )
    )


def _out(event: EventRecord) -> EventOut:
    return EventOut(**event._asdict())
