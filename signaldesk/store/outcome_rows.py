"""Outcomes as rows: what statements are given (`store.rows.put`), and what they answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from signaldesk.clock import from_us, to_us
from signaldesk.ids import new_id
from signaldesk.model.active import Active
from signaldesk.model.life import Alert, Storm
from signaldesk.model.outcome import Firing, GroupRef, Held, Notice, Tallies
from signaldesk.model.silence import Matcher, Silence


def group_columns(group: GroupRef) -> dict[str, Any]:
    """The columns that name a group in every table."""
    return {"rule_id": group.rule_id, "lane": group.lane, "group_key": group.key}


def firing_row(partition: int, firing: Firing, alert: Alert | None) -> dict[str, Any]:
    """A firing, and the alert that it is part of; None for one in the shadow."""
    return {
        "id": firing.id,
        "org_id": firing.saved.org_id,
        "rule_version": firing.saved.version,
        **group_columns(firing.group),
        "group": firing.values,
        "alert_id": alert.id if alert else None,
        "event_id": firing.event.id.hex(),
        "timestamp": from_us(firing.time),
        "value": firing.value,
        "at_least": firing.at_least,
        "margin": firing.margin,
        "threshold": firing.threshold,
        "window_from": from_us(firing.window_from),
        "window_to": from_us(firing.window_to),
        "evidence": [member.hex() for member in firing.evidence],
        "shadow": alert is None,
        "partition": partition,
        "position": firing.position,
    }


def suppression_row(held: Held) -> dict[str, Any]:
    """The row of firings that were held back."""
    return {
        "org_id": held.org_id,
        **group_columns(held.group),
        "group": held.values,
        "reason": held.reason,
        "since": from_us(held.since),
        "until": from_us(held.until),
        "count": held.times,
        "first_event": held.first_event.hex(),
        "last_event": held.last_event.hex(),
        "silence_id": held.silence_id,
    }


def change_row(
    org_id: UUID, alert_id: UUID, kind: str, at: datetime, until: datetime, count: int, detail: dict[str, Any]
) -> dict[str, Any]:
    """One step in the life of an alert."""
    return {
        "id": new_id(),
        "org_id": org_id,
        "alert_id": alert_id,
        "kind": kind,
        "at": at,
        "until": until,
        "count": count,
        "detail": detail,
    }


def alert_row(alert: Alert) -> dict[str, Any]:
    """What `open` writes of a new alert; `change` takes what may have changed."""
    moments = ("opened_at", "last_fired_at", "notified_at", "snoozed_until", "resolved_at")
    times = {name: getattr(alert, name) for name in moments}
    return {
        "id": alert.id,
        "org_id": alert.org_id,
        **group_columns(alert.group),
        "group": alert.values,
        "title": alert.title,
        "severity": alert.severity,
        "labels": alert.labels,
        "rule_version": alert.version,
        "state": alert.state,
        "event_id": alert.event_id,
        "firings": alert.firings,
        "value": alert.value,
        "at_least": alert.at_least,
        "margin": alert.margin,
        "threshold": alert.threshold,
        "window": alert.window,
        "snoozed_value": alert.snoozed_value,
        "snoozed_firings": alert.snoozed_firings,
        "flapping": alert.flapping,
        "storm_id": alert.storm_id,
        "resolved_reason": alert.resolved_reason,
        **{name: None if at is None else from_us(at) for name, at in times.items()},
    }


def notice_row(notice: Notice) -> dict[str, Any]:
    message, received_at = orjson.Fragment(notice.message), from_us(notice.received_at)
    return notice._asdict() | {"message": message, "received_at": received_at}


def storm_row(storm: Storm) -> dict[str, Any]:
    return {
        "id": storm.id,
        "org_id": storm.org_id,
        "rule_id": storm.rule_id,
        "since": from_us(storm.since),
        "until": from_us(storm.until),
        "alerts": storm.alerts,
        "groups": storm.groups,
        "messages": storm.messages,
    }


def tally_rows(tallies: Tallies, living: set[UUID]) -> dict[str, list[tuple[Any, ...]]]:
    """Statement name -> parameter rows; sorted, so that processors never wait for each other in a ring."""
    return {
        "count_minute": sorted(
            (org, from_us(minute), type_, *counts)
            for (org, minute, type_), counts in tallies.minutes.items()
            if org in living
        ),
        "count_progress": sorted(
            (org, lane, *counts) for (org, lane), counts in tallies.progress.items() if org in living
        ),
        "count_late": sorted((late, rule, since) for (rule, since), late in tallies.late.items()),
        "count_usage": sorted(
            (org, from_us(day), events) for (org, day), events in tallies.received.items() if org in living
        ),
    }


def alert_of(row: Any) -> Alert:
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
        margin=row.margin,
        threshold=row.threshold,
        window=row.window,
        firings=row.firings,
        state=row.state,
        notified_at=moment_of(row.notified_at),
        snoozed_until=moment_of(row.snoozed_until),
        snoozed_value=row.snoozed_value,
        snoozed_firings=row.snoozed_firings,
        flapping=row.flapping,
        storm_id=row.storm_id,
    )


def storm_of(row: Any) -> Storm:
    return Storm(
        id=row.id,
        org_id=row.org_id,
        rule_id=row.rule_id,
        since=to_us(row.since),
        until=to_us(row.until),
        alerts=row.alerts,
        groups=row.groups,
        messages=row.messages,
    )


def silence_of(row: Any) -> Silence:
    matchers = tuple(Matcher(*one) for one in row.matchers)
    hours = None if row.hours is None else Active.model_validate(row.hours)
    return Silence(row.id, row.kind, matchers, to_us(row.starts_at), to_us(row.ends_at), hours)


def moment_of(moment: datetime | None) -> int | None:
    """A column's time in µs."""
    return None if moment is None else to_us(moment)
