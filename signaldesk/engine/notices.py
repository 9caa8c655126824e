"""From firings to outbox rows: one message for each channel of the rule."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import orjson

from signaldesk.ids import derived_id
from signaldesk.model import message
from signaldesk.model.outcome import AlertRow, Firing, GroupRef, Notice


def composer(base_url: str) -> Callable[[list[Firing], dict[GroupRef, AlertRow]], list[Notice]]:
    """A function that writes the messages of firings whose alerts are known."""

    def compose(firings: list[Firing], alerts: dict[GroupRef, AlertRow]) -> list[Notice]:
        return [
            _notice(firing, alerts[firing.group], channel, base_url)
            for firing in firings
            if firing.group in alerts
            for channel in firing.channels
        ]

    return compose


def _notice(firing: Firing, alert: AlertRow, channel: UUID, base_url: str) -> Notice:
    rule = firing.saved.rule
    # Derived, so that a repeated commit cannot tell people twice.
    id_ = derived_id("notification", str(firing.id), str(channel))
    text = message.for_firing(
        id=id_,
        org_id=firing.saved.org_id,
        org=firing.org_name,
        rule_id=firing.saved.id,
        rule_name=rule.name,
        rule_version=firing.saved.version,
        severity=rule.severity,
        group=firing.values,
        value=firing.value,
        at_least=firing.at_least,
        threshold=firing.threshold,
        window_us=firing.window_to - firing.window_from,
        event_id=UUID(bytes=firing.event.id),
        event_type=firing.event.type,
        event_at_us=firing.event.timestamp,
        payload=orjson.loads(firing.event.payload),
        evidence=firing.evidence,
        labels=rule.labels,
        runbook=rule.runbook,
        alert_id=alert.id,
        base_url=base_url,
        words=firing.words,
    )
    received = firing.received_at
    return Notice(id_, firing.saved.org_id, alert.id, channel, message.to_json(text), received)
