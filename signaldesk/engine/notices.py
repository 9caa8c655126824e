"""From what people are to be told to outbox rows: one message for each channel of the rule.

Ids are derived, so that a repeated commit cannot tell people twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson

from signaldesk.ids import derived_id
from signaldesk.model import message
from signaldesk.model.life import Alert, Gathered, Over, Told
from signaldesk.model.message import Message
from signaldesk.model.outcome import Firing, Notice, Resolution
from signaldesk.store.alert_book import Compose, storm_message


def composer(base_url: str) -> Compose:
    """A function that writes the messages of one thing that people are to be told."""
    return lambda telling: list(_notices(telling, base_url))


def firing_message(firing_id: UUID, channel_id: UUID) -> UUID:
    """The id of the message about a firing through a channel."""
    return derived_id("notification", str(firing_id), str(channel_id))


def _notices(telling: Told | Over | Gathered, base_url: str) -> Iterator[Notice]:
    match telling:
        case Told(firing, alert, reason):
            for channel in firing.channels:
                id_ = firing_message(firing.id, channel)
                text = _fired(id_, firing, alert, reason, base_url)
                yield _notice(text, alert.id, channel, firing.received_at)
        case Over(resolution, alert):
            for channel in resolution.channels:
                id_ = derived_id("notification", str(alert.id), "resolved", str(resolution.at), str(channel))
                yield _notice(
                    _over(id_, resolution, alert, base_url), alert.id, channel, resolution.received_at
                )
        case Gathered(storm, firing, numbers):
            for channel, number in numbers.items():
                id_ = storm_message(storm.id, channel, number)
                text = message.for_storm(
                    _plain(id_, firing, None, base_url), alerts=storm.alerts, groups=storm.groups
                )
                yield _notice(text, None, channel, firing.received_at)


def _notice(text: Message, alert_id: UUID | None, channel: UUID, received_at: int) -> Notice:
    return Notice(text.id, text.org_id, alert_id, channel, message.to_json(text), received_at)


def _fired(id_: UUID, firing: Firing, alert: Alert, reason: str, base_url: str) -> Message:
    found = _plain(id_, firing, alert.id, base_url)
    return message.flapping(found) if reason == "flapping" else found


def _plain(id_: UUID, firing: Firing, alert_id: UUID | None, base_url: str) -> Message:
    return message.for_firing(
        **_rule(firing, base_url),
        id=id_,
        group=firing.values,
        value=firing.value,
        at_least=firing.at_least,
        margin=firing.margin,
        threshold=firing.threshold,
        window_us=firing.window_to - firing.window_from,
        event_id=UUID(bytes=firing.event.id),
        event_type=firing.event.type,
        event_at_us=firing.event.timestamp,
        payload=orjson.loads(firing.event.payload),
        evidence=firing.evidence,
        alert_id=alert_id,
        words=firing.words,
    )


def _over(id_: UUID, resolution: Resolution, alert: Alert, base_url: str) -> Message:
    found = message.for_firing(
        **_rule(resolution, base_url),
        id=id_,
        group=alert.values,
        value=alert.value,
        at_least=alert.at_least,
        margin=alert.margin,
        threshold=alert.threshold,
        window_us=alert.window,
        event_id=alert.event_id,
        event_type=resolution.saved.rule.name,
        event_at_us=alert.opened_at,
        payload={},
        alert_id=alert.id,
    )
    return message.resolved(
        found,
        reason=resolution.reason,
        at_us=resolution.at,
        lasted_us=resolution.at - alert.opened_at,
        firings=alert.firings,
    )


def _rule(one: Firing | Resolution, base_url: str) -> dict[str, Any]:
    rule = one.saved.rule
    return {
        "org_id": one.saved.org_id,
        "org": one.org_name,
        "rule_id": one.saved.id,
        "rule_name": rule.name,
        "rule_version": one.saved.version,
        "severity": rule.severity,
        "labels": rule.labels,
        "runbook": rule.runbook,
        "base_url": base_url,
    }
