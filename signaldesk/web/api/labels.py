"""Known incidents: spans of time in which something was wrong, to compare rules with."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, model_validator

from signaldesk.errors import Malformed, UnsupportedMediaType
from signaldesk.model.label import LONGEST_NAME, Label, read_csv
from signaldesk.store.labels import LabelRecord
from signaldesk.web import paging
from signaldesk.web.api.shapes import Ask, Moment, Shape
from signaldesk.web.call import Answer, Call, actor

Value = str | int | float | bool | None


class LabelIn(Ask):
    """From `starts_at` on and before `ends_at`, in event time; without a `group`, about all of them."""

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    starts_at: Moment
    ends_at: Moment
    group: Annotated[dict[str, Value], Field(default_factory=dict, max_length=5)]
    comment: Annotated[str, Field(max_length=2000)] = ""

    @model_validator(mode="after")
    def _in_order(self) -> LabelIn:
        if not self.name.strip():
            raise ValueError("`name` must not be blank")
        if not all(name.strip() for name in self.group):
            raise ValueError("`group` has a field without a name")
        if self.ends_at <= self.starts_at:
            raise ValueError("`ends_at` must come after `starts_at`")
        return self


class LabelOut(Shape):
    """A known incident."""

    id: UUID
    name: str
    starts_at: datetime
    ends_at: datetime
    group: dict[str, Any]
    comment: str
    created_by: UUID | None
    author: str
    created_at: datetime


class Imported(Shape):
    """How many labels of a file were taken, and how many were known before, or stand in it twice."""

    imported: int
    known: int


async def list_labels(call: Call) -> Answer:
    limit = call.limit()
    found = await call.services.labels.page(
        call.org_id,
        limit=limit + 1,
        since=call.moment("from"),
        until=call.moment("to"),
        before=call.cursor(),
    )
    return Answer(paging.page(found, limit, _out, lambda one: (one.starts_at, one.id)))


async def create_label(call: Call) -> Answer:
    given = call.body(LabelIn)
    draft = Label(given.name, given.starts_at, given.ends_at, given.group, given.comment)
    made = await call.services.labels.add(call.org_id, draft, by=actor(call), at=call.now)
    return Answer(_out(made), 201, {"Location": f"/api/v1/labels/{made.id}"})


async def import_labels(call: Call) -> Answer:
    kind = call.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "text/csv":
        raise UnsupportedMediaType(f"Content-Type must be text/csv, found {kind[:60] or 'nothing'!r}")
    try:
        text = call.raw.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"the file is not UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
    drafts = read_csv(text)
    taken = await call.services.labels.take(call.org_id, drafts, by=actor(call), at=call.now)
    return Answer(Imported(**taken._asdict()), 201)


async def get_label(call: Call) -> LabelOut:
    return _out(await call.services.labels.get(call.org_id, call.id))


async def delete_label(call: Call) -> Answer:
    await call.services.labels.remove(call.org_id, call.id, by=actor(call), at=call.now)
    return Answer(status=204)


def _out(label: LabelRecord) -> LabelOut:
    return LabelOut(**label._asdict())
