"""Claimed notifications without a database."""

from __future__ import annotations

from typing import Any

from signaldesk.ids import new_id
from signaldesk.model.delivery import Claimed
from signaldesk.model.message import to_json
from tests.support.messages import NOW_US, firing_message


def claimed(**changes: Any) -> Claimed:
    """A claim of an ordinary notification for an in-app channel."""
    plain: dict[str, Any] = {
        "id": new_id(),
        "org_id": new_id(),
        "alert_id": None,
        "channel_id": new_id(),
        "number": 1,
        "message": to_json(firing_message()),
        "kind": "in_app",
        "channel": "everybody",
        "config": "{}",
        "enabled": True,
        "disabled_reason": None,
        "token": new_id(),
        "leased_us": NOW_US,
    }
    return Claimed(**{**plain, **changes})
