"""Who was told of a firing, or why nobody was: read from the outbox and from what was held back."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from signaldesk.clock import iso, to_us
from signaldesk.engine.notices import firing_message
from signaldesk.errors import NotFound
from signaldesk.model.active import Active
from signaldesk.model.rule import Rule
from signaldesk.model.silence import FOREVER, stretch
from signaldesk.store import channels
from signaldesk.store.alert_story import AlertStory
from signaldesk.store.database import Database
from signaldesk.store.notifications import NotificationStore
from signaldesk.store.rule_history import FiringRecord, RuleHistory, SuppressionRecord, Wanted
from signaldesk.store.silences import SilenceRecord, SilenceStore

REASONS = ("silence", "maintenance", "snoozed", "flapping", "storm", "repeat", "acknowledged")
"""Why a message alone is held back while the rule fires."""
_WORDS = {
    "snoozed": "nobody was told, for the alert was snoozed",
    "flapping": "nobody was told again, for the alert was flapping and people knew",
    "storm": "it was told of in one message together with other alerts of the rule",
    "acknowledged": "nobody was told again, for somebody had acknowledged the alert",
}


class Audience(NamedTuple):
    """`told`: names of channels. `reason` why nobody was, and `until` when (µs) that goes on, where known."""

    text: str
    told: tuple[str, ...] = ()
    reason: str | None = None
    until: int | None = None


class Audiences:
    """Works as the organisation that comes first."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._history = RuleHistory(database=database)
        self._notifications = NotificationStore(database=database)
        self._silences = SilenceStore(database=database)
        self._story = AlertStory(database=database)

    async def of(self, org_id: UUID, rule_id: UUID, rule: Rule, firing: FiringRecord, group: str) -> Audience:
        """`group` is the text of the firing's group."""
        if firing.shadow:
            return Audience(", and was only recorded, for the rule was a shadow", reason="shadow")
        async with self._database.tenant(org_id) as connection:
            every = await channels.listed(connection, org_id)
        names = {firing_message(firing.id, one.id): one.name for one in every}
        told = tuple(sorted(names[id_] for id_ in await self._notifications.among(org_id, names)))
        if told:
            return Audience(f", and told {', '.join(told)}", told)
        at = firing.timestamp
        moment = Wanted(firing.lane, group, at, at + timedelta(microseconds=1))
        held = await self._history.suppressions(org_id, rule_id, moment, reasons=REASONS, limit=20)
        exact = (one for one in held if firing.event_id in (one.first_event, one.last_event))
        why = next(exact, held[0] if held else None)
        if why is not None:
            return await self._held(org_id, rule, why)
        if not rule.notify:
            return Audience("; the rule names nobody to tell")
        off = await self._story.switched_off(org_id, firing.alert_id) if firing.alert_id else []
        off = off or [one.name for one in every if one.name in rule.notify and not one.enabled]
        if off:
            text = f", but nobody was told: switched off was {' and '.join(off)}"
            return Audience(text, reason="switched_off")
        return Audience(", and told whom the rule names")

    async def _held(self, org_id: UUID, rule: Rule, held: SuppressionRecord) -> Audience:
        if held.silence_id is not None:
            try:
                silence = await self._silences.get(org_id, held.silence_id)
            except NotFound:
                return Audience(f", but nobody was told: {held.reason}, deleted since", reason=held.reason)
            until = _until(silence, to_us(held.until))
            return Audience(f", but nobody was told: {_described(silence, until)}", (), held.reason, until)
        repeat = rule.document().get("repeat")
        words = _WORDS.get(held.reason, f"nobody was told again, for the rule's `repeat` is {repeat}")
        return Audience(f", but {words}", reason=held.reason)


def _until(silence: SilenceRecord, at: int) -> int | None:
    """The end of the stretch of time in which the silence held."""
    hours = Active.model_validate(silence.hours) if silence.hours else None
    found = stretch(to_us(silence.starts_at), to_us(silence.ends_at), hours, at)
    return found[1] if found and found[1] < to_us(FOREVER) else None


def _described(silence: SilenceRecord, until: int | None) -> str:
    what = "a maintenance window" if silence.kind == "maintenance" else "a silence"
    comment = f" ({silence.comment[:200]})" if silence.comment else ""
    return f"{what} of {silence.author}{comment}" + (f" held until {iso(until)}" if until else " held")
