"""Messages to send in tests."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from signaldesk.ids import new_id
from signaldesk.model.message import Message, for_firing

NOW_US = 1_760_000_000_000_000


def firing_message(**changes: Any) -> Message:
    """An ordinary firing; anything about it may be changed by the arguments of `for_firing`."""
    id: UUID = changes.pop("id", None) or new_id()
    plain: dict[str, Any] = {
        "id": id,
        "org_id": new_id(),
        "org": "Acme",
        "rule_id": new_id(),
        "rule_name": "Checkout failures by country",
        "rule_version": 4,
        "severity": "critical",
        "group": {"country": "DE"},
        "value": 3.0,
        "at_least": True,
        "threshold": 3.0,
        "window_us": 60_000_000,
        "event_id": new_id(),
        "event_type": "checkout_failed",
        "event_at_us": NOW_US,
        "payload": {"amount": 25.5, "country": "DE"},
        "evidence": [new_id(), new_id(), new_id()],
        "labels": {"team": "shop"},
        "runbook": "https://example.com/runbooks/checkout",
        "alert_id": new_id(),
        "base_url": "https://desk.example.com",
    }
    return for_firing(**{**plain, **changes})
