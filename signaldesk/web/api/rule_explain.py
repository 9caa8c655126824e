"""Why a rule fired, or did not, at a moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from signaldesk.clock import from_us, to_us
from signaldesk.model.explanation import Answer
from signaldesk.web.api.shapes import Shape
from signaldesk.web.call import Call


class ClauseOut(Shape):
    """One condition of the filter, and whether it is true for the event; null: it is NULL."""

    text: str
    holds: bool | None


class ExplanationOut(Shape):
    """The answer for one rule, group and moment, in a word, in a sentence, and with what decided it.

    `at` is now, when it was left out. `version` judged then, `newest` is the rule's version now. `told` are
    the channels that a firing was sent to; when there are none, `reason` says why: `silence`, `maintenance`,
    `snoozed`, `flapping`, `storm`, `repeat`, `acknowledged`, `switched_off` or `shadow`.
    `at_least` and `margin` say how exact `value` is, as with firings.
    """

    answer: Answer
    text: str
    at: datetime
    version: int
    newest: int
    condition: str
    group: dict[str, Any]
    event_id: UUID | None
    event_at: datetime | None
    value: float | None
    at_least: bool
    margin: float | None
    reason: str | None
    until: datetime | None
    firing_id: UUID | None
    alert_id: UUID | None
    told: list[str]
    clauses: list[ClauseOut]


async def explain(call: Call) -> ExplanationOut:
    at = call.moment("at") or call.now
    call.group()  # refuses what is no JSON object
    given = call.one("group")
    values = orjson.loads(given) if given is not None else None
    found = await call.services.explainer.explain(call.org_id, call.id, to_us(at), values)
    return ExplanationOut(
        **{
            **found._asdict(),
            "at": from_us(found.at),
            "event_at": from_us(found.event_at) if found.event_at is not None else None,
            "until": from_us(found.until) if found.until is not None else None,
            "told": list(found.told),
            "clauses": [ClauseOut(**clause._asdict()) for clause in found.clauses],
        }
    )
