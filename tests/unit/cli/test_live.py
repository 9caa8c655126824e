"""Live messages become lines, as far as somebody wants to see them."""

from __future__ import annotations

from typing import Any

import pytest

from signaldesk.cli import _live
from signaldesk.errors import Invalid

AT = "2026-01-31T12:00:00.123456Z"


def event(type: str, **payload: Any) -> dict[str, Any]:
    return {"id": "1", "type": type, "timestamp": AT, "received_at": AT, "source": None, "payload": payload}


def message(*events: dict[str, Any], left: int = 0) -> dict[str, Any]:
    return {"kind": "events", "at": AT, "n": len(events) + left, "types": {}, "latest": list(events)}


def shown(message: dict[str, Any], glob: str | None = None, where: str | None = None) -> list[str]:
    everything = glob is None and where is None
    return [line.text for line in _live.lines(message, _live.wanted(glob, where), everything=everything)]


def test_an_event_is_its_time_type_and_payload() -> None:
    assert shown(message(event("checkout_failed", country="DE"))) == [
        '12:00:00.123  checkout_failed  {"country": "DE"}'
    ]


def test_a_glob_chooses_types_and_only_its_star_is_special() -> None:
    found = shown(message(event("a.b_1"), event("aXb_2"), event("c")), glob="a.b_*")
    assert [line.split()[1] for line in found] == ["a.b_1"]


def test_an_expression_chooses_events() -> None:
    many = message(event("sale", amount=10), event("sale", amount=30), event("sale"))
    assert [line.split("  ")[2] for line in shown(many, where="amount > 20")] == ['{"amount": 30}']


def test_a_wrong_expression_is_refused_with_its_place() -> None:
    with pytest.raises(Invalid):
        _live.wanted(None, "amount >")


def test_events_that_were_too_many_to_be_sent_are_counted() -> None:
    assert shown(message(event("a"), left=3))[-1].strip() == "… and 3 more"


def test_an_alert_says_what_for_whom_and_how_often() -> None:
    alert = {
        "kind": "alert", "state": "again", "title": "Failures", "severity": "critical", "firings": 4,
        "group": {"country": "DE"}, "at": AT,
    }  # fmt: skip
    assert shown(alert) == ["12:00:00.123  CRITICAL  Failures for country = DE (firing 4)"]
    assert shown({**alert, "state": "open", "group": {}}) == ["12:00:00.123  CRITICAL  Failures"]


def test_a_notification_that_failed_says_why() -> None:
    failed = {"kind": "notification", "status": "failed", "channel": "ops", "error": "404", "at": AT}
    assert shown(failed) == ["12:00:00.123  failed through ops: 404"]
