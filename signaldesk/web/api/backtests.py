"""Rules judged over the past: asked for, watched, read, ended."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from signaldesk.backtest.jobs.jobs import Wanted
from signaldesk.errors import FieldError, Invalid
from signaldesk.model.label import MOST, Label
from signaldesk.store.backtests import BacktestRecord
from signaldesk.web import paging
from signaldesk.web.api.labels import LabelIn
from signaldesk.web.api.shapes import Ask, Moment, Shape
from signaldesk.web.call import Answer, Call

State = Literal["running", "done", "failed"]
_LOST = {
    "title": "Something went wrong on our side",
    "status": 500,
    "code": "internal_error",
    "detail": "the process that ran this backtest is gone; ask for it again",
}


class BacktestIn(Ask):
    """A rule over the events from `from` on and before `to` (now). With `sweep` at every point of a grid.

    `rule` is a document, or the name or id of a saved rule, of which `version` names an older one. With
    `replay` the events are those of the import of that name, else the live ones. With
    `against`, another such rule, the two are compared: who would have been told more often, and of what one
    would have missed. `labels` are known incidents that a sweep is compared with: `stored` for those of the
    organisation, or a list.
    """

    rule: str | dict[str, Any]
    version: Annotated[int, Field(ge=1)] | None = None
    from_: Annotated[Moment, Field(alias="from")]
    to: Moment | None = None
    replay: Annotated[str, Field(max_length=100)] = ""
    against: str | dict[str, Any] | None = None
    sweep: Annotated[dict[str, list[Any]], Field(min_length=1, max_length=5)] | None = None
    labels: Annotated[tuple[LabelIn, ...], Field(max_length=MOST, strict=False)] | Literal["stored"] = ()


class ProgressOut(Shape):
    """In events, or in points of a sweep; `total` is 0 until it is known."""

    done: int
    total: int


class BacktestOut(Shape):
    """A backtest under way or done; results are kept for a week.

    A plain one comes to `summary`, `alerts`, `suppressed` (1,000 at most) and its firings, a sweep to
    `points`, the parameters that are `recommended` and `notes`, one `against` another rule to a `comparison`.
    `missing` are damaged files of history: their events are not among those judged. `kept_since` is from
    when on there are stored events, when that is later than `from`: figures a week count from then on.
    `problem` says why it `failed`, as a problem document.
    """

    id: UUID
    state: State
    rule: str
    from_: Annotated[datetime, Field(serialization_alias="from")]
    to: datetime
    progress: ProgressOut
    created_by: UUID | None
    created_at: datetime
    summary: dict[str, Any] | None = None
    alerts: list[dict[str, Any]] | None = None
    suppressed: list[dict[str, Any]] | None = None
    points: list[dict[str, Any]] | None = None
    recommended: list[dict[str, Any]] | None = None
    notes: tuple[str, ...] = ()
    comparison: dict[str, Any] | None = None
    missing: tuple[str, ...] = ()
    kept_since: datetime | None = None
    problem: dict[str, Any] | None = None


class FiringOut(Shape):
    """A moment at which the rule would have fired. `at_least` and `margin` say how exact `value` is."""

    group: dict[str, Any]
    at: datetime
    value: Any
    at_least: bool
    margin: float | None


async def start(call: Call) -> Answer:
    given = call.body(BacktestIn)
    if given.labels and given.sweep is None:
        raise Invalid(errors=[FieldError("labels", "are what a sweep is compared with; add `sweep`")])
    if given.against is not None and given.sweep is not None:
        raise Invalid(errors=[FieldError("against", "is for one rule; leave out `sweep`, or this")])
    labels = given.labels
    wanted = Wanted(
        rule=given.rule,
        version=given.version,
        since=given.from_,
        until=given.to or call.now,
        against=given.against,
        sweep=given.sweep,
        labels=labels if isinstance(labels, str) else [_label(one) for one in labels],
        replay=given.replay,
    )
    job = await call.services.backtests.start(call.org_id, wanted, by=call.principal.user_id)
    return Answer(_out(job), 202, {"Location": f"/api/v1/backtests/{job.id}"})


async def get(call: Call) -> Answer:
    return Answer(_out(await call.services.backtests.get(call.org_id, call.id)))


async def list_firings(call: Call) -> Answer:
    limit, after = call.limit(default=500, most=5000), _place(call)
    found = await call.services.backtests.firings(call.org_id, call.id, after=after, limit=limit + 1)
    more = paging.name_cursor(str(after + limit)) if len(found) > limit else None
    return Answer({"items": found[:limit], "next": more})


async def remove(call: Call) -> Answer:
    await call.services.backtests.remove(call.org_id, call.id)
    return Answer(status=204)


def _place(call: Call) -> int:
    given = call.name_cursor() or "0"
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        raise paging.no_cursor()
    return int(given)


def _label(given: LabelIn) -> Label:
    return Label(given.name, given.starts_at, given.ends_at, given.group, given.comment)


def _out(job: BacktestRecord) -> dict[str, Any]:
    problem = {"type": "about:blank", **_LOST, "errors": []} if job.lost else job.problem
    shown = BacktestOut(
        id=job.id,
        state="failed" if job.lost else job.state,
        rule=job.rule,
        from_=job.since,
        to=job.until,
        progress=ProgressOut(done=job.done, total=job.total),
        created_by=job.created_by,
        created_at=job.created_at,
        problem=problem,
        **(job.answer or {}),
    )
    return shown.model_dump(mode="json", by_alias=True)
