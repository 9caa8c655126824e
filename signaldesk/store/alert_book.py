"""The alerts of a batch: read under lock, and written back, inside the transaction that commits the batch.

What becomes of them in between is decided by `model.life`, which knows no database.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from signaldesk import statements
from signaldesk.clock import from_us, to_us
from signaldesk.ids import derived_id, new_id
from signaldesk.model.active import Active
from signaldesk.model.life import Alert, Gathered, Ground, Lives, Opening, Over, Step, Storm, Told
from signaldesk.model.outcome import Batch, Firing, GroupRef, Held, Notice, Resolution
from signaldesk.model.silence import Matcher, Silence
from signaldesk.model.telling import CROWD_WITHIN, HOUR

Compose = Callable[[list[Told | Over | Gathered]], list[Notice]]
"""Makes the outbox rows of what people are to be told."""

GATHER_FIRST, GATHER_LATER = 10.0, 60.0
"""Seconds that a message about a storm waits for more alerts: the first one, and those after it."""

Cursor = psycopg.Cursor[Any]


class AlertBook:
    """Holds statements only; every method works in the transaction of the cursor it is given."""

    def __init__(self, *, storm_after: int) -> None:
        self._sql = statements.named("postgres/alert_book.sql")
        self._storm_after = storm_after

    def live(self, cursor: Cursor, batch: Batch, compose: Compose) -> Lives:
        """Carry a batch's firings and resolutions into the alerts and the outbox."""
        lives = Lives(self._ground(cursor, batch), storm_after=self._storm_after)
        lives.run(batch.firings, batch.resolutions)
        changed = [_row(alert) for alert in lives.alerts if not alert.new]
        opened = [_row(alert) for alert in lives.alerts if alert.new]
        if changed:
            cursor.execute(self._sql["change"], {"rows": Jsonb(changed)})
        if opened:
            cursor.execute(self._sql["open"], {"rows": Jsonb(opened)})
        self._note(cursor, lives.steps)
        notices = compose(list(lives.tellings))
        if notices:
            self._put_notices(cursor, notices)
        for storm in lives.storms.values():
            self._tell_of_storm(cursor, storm, compose)
        return lives

    def note(self, cursor: Cursor, changes: list[tuple[UUID, UUID, str, datetime, dict[str, Any]]]) -> None:
        """Write changes (organisation, alert, kind, time, detail) into timelines."""
        self._copy_changes(
            cursor, [(org, alert, kind, at, at, 1, detail) for org, alert, kind, at, detail in changes]
        )

    # --- before ----------------------------------------------------------------------------------------

    def _ground(self, cursor: Cursor, batch: Batch) -> Ground:
        firings = [firing for firing in batch.firings if not firing.saved.rule.shadow]
        coming: list[Firing | Resolution] = [*firings, *batch.resolutions]
        groups = list({one.group for one in coming})
        ground = Ground()
        if not groups:
            return ground
        rules, lanes, keys = (list(part) for part in zip(*groups, strict=True))
        place = {"rules": rules, "lanes": lanes, "keys": keys}
        times = [firing.time for firing in firings] + [over.at for over in batch.resolutions]
        since, until = min(times), max(times)
        for row in cursor.execute(self._sql["unresolved"], place):
            alert = _alert(row)
            ground.alerts[alert.group] = alert
        for row in cursor.execute(self._sql["earlier"], {**place, "since": from_us(since - HOUR)}):
            group = GroupRef(row.rule_id, row.lane, row.group_key)
            opening = Opening(to_us(row.at), row.flapping, _us(row.notified_at))
            ground.earlier.setdefault(group, []).append(opening)
        telling = {one.saved.org_id for one in coming if one.channels}
        if telling:
            self._told_lately(cursor, ground, list({one.group.rule_id for one in firings}), since)
            bounds = {"orgs": list(telling), "since": from_us(since), "until": from_us(until)}
            for row in cursor.execute(self._sql["silences"], bounds):
                ground.silences.setdefault(row.org_id, []).append(_silence(row))
        return ground

    def _told_lately(self, cursor: Cursor, ground: Ground, rules: list[UUID], since: int) -> None:
        values = {"rules": rules, "since": from_us(since - CROWD_WITHIN), "most": self._storm_after + 1}
        for row in cursor.execute(self._sql["told"], values):
            ground.told.setdefault(row.rule_id, {})[row.id] = to_us(row.at)
        for row in cursor.execute(self._sql["storms"], values):
            ground.storms[row.rule_id] = Storm(
                id=row.id,
                org_id=row.org_id,
                rule_id=row.rule_id,
                since=to_us(row.since),
                until=to_us(row.until),
                alerts=row.alerts,
                groups=row.groups,
                messages=row.messages,
            )

    # --- after -----------------------------------------------------------------------------------------

    def _note(self, cursor: Cursor, steps: list[Step]) -> None:
        """Write the steps down. The first of an alert, if it is a mere `fired`, extends one that is there."""
        first: dict[UUID, Step] = {}
        for step in steps:
            first.setdefault(step.alert.id, step)
        again = [
            {"alert_id": str(id_), "count": step.times, "until": from_us(step.until).isoformat()}
            for id_, step in first.items()
            if step.kind == "fired"
        ]
        extended: set[UUID] = set()
        if again:
            found = cursor.execute(self._sql["extend_changes"], {"rows": Jsonb(again)})
            extended = {row.alert_id for row in found}
        rows = [
            (
                *(step.alert.org_id, step.alert.id, step.kind, from_us(step.at), from_us(step.until)),
                *(step.times, step.detail),
            )
            for step in steps
            if not (step.alert.id in extended and first[step.alert.id] is step)
        ]
        self._copy_changes(cursor, rows)

    def _copy_changes(self, cursor: Cursor, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            with cursor.copy(self._sql["copy_changes"]) as copy:
                for *values, detail in rows:
                    copy.write_row((new_id(), *values, Jsonb(detail)))

    def _put_notices(self, cursor: Cursor, notices: list[Notice]) -> None:
        with cursor.copy(self._sql["copy_notifications"]) as copy:
            for notice in notices:
                copy.write_row((*notice[:5], from_us(notice.received_at)))

    def _tell_of_storm(self, cursor: Cursor, storm: Storm, compose: Compose) -> None:
        """One message for each channel: it grows while it waits; what was begun is followed by another."""
        firing = storm.firing
        assert firing is not None
        known = {channel: storm.messages.get(str(channel), 0) for channel in firing.channels}
        ids = {
            storm_message(storm.id, channel, number): channel for channel, number in known.items() if number
        }
        found = cursor.execute(self._sql["waiting"], {"ids": list(ids)}) if ids else ()
        waiting = {ids[row.id] for row in found}
        numbers = {channel: number + (channel not in waiting) for channel, number in known.items()}
        for notice in compose([Gathered(storm, firing, numbers)]):
            wait = GATHER_FIRST if numbers[notice.channel_id] == 1 else GATHER_LATER
            values = notice._asdict() | {"received_at": from_us(notice.received_at), "wait": wait}
            cursor.execute(self._sql["gather"], values)
        storm.messages |= {str(channel): number for channel, number in numbers.items()}
        cursor.execute(
            self._sql["keep_storm"],
            {
                "id": storm.id,
                "org_id": storm.org_id,
                "rule_id": storm.rule_id,
                "since": from_us(storm.since),
                "until": from_us(storm.until),
                "alerts": storm.alerts,
                "groups": Jsonb(storm.groups),
                "messages": Jsonb(storm.messages),
            },
        )


def storm_message(storm_id: UUID, channel_id: UUID, number: int) -> UUID:
    """The id of the so-manieth message about a storm through a channel."""
    return derived_id("notification", str(storm_id), str(channel_id), str(number))


def suppression(held: Held) -> tuple[Any, ...]:
    """The row of firings that were held back."""
    times = (from_us(held.since), from_us(held.until), held.times)
    ids = (UUID(bytes=held.first_event), UUID(bytes=held.last_event), held.silence_id)
    return (held.org_id, *held.group, Jsonb(held.values), held.reason, *times, *ids)


def _row(alert: Alert) -> dict[str, Any]:
    """What `open` writes of a new alert; `change` takes what may have changed."""
    moments = ("opened_at", "last_fired_at", "notified_at", "snoozed_until", "resolved_at")
    times = {name: getattr(alert, name) for name in moments}
    return {
        "id": str(alert.id),
        "org_id": str(alert.org_id),
        "rule_id": str(alert.group.rule_id),
        "lane": alert.group.lane,
        "group_key": alert.group.key,
        "group": alert.values,
        "title": alert.title,
        "severity": alert.severity,
        "labels": alert.labels,
        "rule_version": alert.version,
        "state": alert.state,
        "event_id": str(alert.event_id),
        "firings": alert.firings,
        "value": alert.value,
        "at_least": alert.at_least,
        "threshold": alert.threshold,
        "window": alert.window,
        "snoozed_value": alert.snoozed_value,
        "snoozed_firings": alert.snoozed_firings,
        "flapping": alert.flapping,
        "storm_id": str(alert.storm_id) if alert.storm_id else None,
        "resolved_reason": alert.resolved_reason,
        **{name: None if at is None else from_us(at).isoformat() for name, at in times.items()},
    }


def _alert(row: Any) -> Alert:
    return Alert(
        id=row.id,
        org_id=row.org_id,
        group=GroupRef(row.rule_id, row.lane, row.group_key),
        values=row.group,
        title=row.title,
        severity=row.severity,
        labels=row.labels,
        version=row.rule_version,
        event_id=row.event_id,
        opened_at=to_us(row.opened_at),
        last_fired_at=to_us(row.last_fired_at),
        value=row.value,
        at_least=row.at_least,
        threshold=row.threshold,
        window=row.window,
        firings=row.firings,
        state=row.state,
        notified_at=_us(row.notified_at),
        snoozed_until=_us(row.snoozed_until),
        snoozed_value=row.snoozed_value,
        snoozed_firings=row.snoozed_firings,
        flapping=row.flapping,
        storm_id=row.storm_id,
    )


def _silence(row: Any) -> Silence:
    matchers = tuple(Matcher(*one) for one in row.matchers)
    hours = None if row.hours is None else Active.model_validate(row.hours)
    return Silence(row.id, row.kind, matchers, to_us(row.starts_at), to_us(row.ends_at), hours)


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else to_us(moment)
