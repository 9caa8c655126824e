"""A message that cannot be composed is set aside alone: its alert stands, and everything else goes on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from signaldesk.model import message
from signaldesk.model.message import Message
from tests.support.lab import Lab, Life

RULE = {
    "name": "Paid",
    "event": "paid",
    "by": "user",
    "when": {"kind": "each"},
    "resolve": {"quiet_for": "1m"},
    "notify": "hook",
}
SPEECHLESS = "nobody knows what to say"
"""The user of whom no message can be made."""


@pytest.fixture
def speechless(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Composing fails for one group, with words that PostgreSQL cannot keep as they are."""
    compose = message.for_firing

    def fails(**values: Any) -> Message:
        if values["group"] == {"user": SPEECHLESS}:
            raise ValueError("what? \0 \ud800")
        return compose(**values)

    monkeypatch.setattr(message, "for_firing", fails)
    return monkeypatch


async def pay(lab: Lab, org_id: UUID, *users: str) -> None:
    await lab.send(org_id, [{"type": "paid", "payload": {"user": user}} for user in users])


async def live(lab: Lab, *, storm_after: int = 1_000) -> None:
    owner = await lab.owner(Life(storm_after=storm_after))
    assert await owner.work_off()
    await owner.end()


def alerted(lab: Lab, state: str) -> list[str]:
    rows = lab.rows("""SELECT "group" FROM alerts WHERE state = %(state)s ORDER BY id""", state=state)
    return sorted(row["group"]["user"] for row in rows)


def told(lab: Lab, kind: str) -> list[str]:
    messages = [row["message"] for row in lab.rows("SELECT message FROM notifications")]
    return sorted(one["group"].get("user", "many") for one in messages if one["kind"] == kind)


def warnings(lab: Lab) -> list[tuple[str, bool]]:
    """What the system alerts say, and whether they are over."""
    rows = lab.rows("SELECT detail, resolved_at IS NOT NULL AS over FROM system_alerts ORDER BY created_at")
    return [(row["detail"], row["over"]) for row in rows]


async def test_it_is_set_aside_with_a_system_alert_and_nothing_else_is_lost(
    lab: Lab, speechless: pytest.MonkeyPatch
) -> None:
    org_id, other_id = await lab.org(), await lab.org()
    saved = await lab.save_rule(org_id, RULE)
    await lab.save_rule(other_id, RULE)
    await pay(lab, org_id, "a", SPEECHLESS, "b")
    await pay(lab, other_id, "c")
    await live(lab)
    assert alerted(lab, "open") == ["a", "b", "c", SPEECHLESS]
    assert told(lab, "firing") == ["a", "b", "c"]
    ((said, over),) = warnings(lab)
    (row,) = lab.rows("""SELECT id FROM alerts WHERE "group" ->> 'user' = %(user)s""", user=SPEECHLESS)
    assert f"message of the rule Paid could not be composed, and nobody was told of alert {row['id']}" in said
    assert "ValueError: what?" in said
    assert not over
    assert len(lab.rows("SELECT FROM events")) == 4
    assert lab.rows("SELECT FROM poison_events") == []

    await lab.pass_time(120)
    await live(lab)
    assert alerted(lab, "resolved") == ["a", "b", "c", SPEECHLESS]
    assert told(lab, "resolved") == ["a", "b", "c"]
    assert len(warnings(lab)) == 1  # one for each rule is enough

    speechless.undo()
    await lab.save_rule(org_id, RULE | {"severity": "critical"}, before=saved)
    await pay(lab, org_id, SPEECHLESS)
    await live(lab)
    assert told(lab, "firing") == ["a", "b", "c", SPEECHLESS]
    assert [over for _, over in warnings(lab)] == [True]


async def test_the_message_about_a_storm_is_written_as_soon_as_it_can_be(
    lab: Lab, speechless: pytest.MonkeyPatch
) -> None:
    org_id = await lab.org()
    await lab.save_rule(org_id, RULE)
    await pay(lab, org_id, "a", SPEECHLESS)
    await live(lab, storm_after=1)
    assert (told(lab, "firing"), told(lab, "storm")) == (["a"], [])
    ((said, _),) = warnings(lab)
    assert "nobody was told: ValueError" in said
    await pay(lab, org_id, "b")
    await live(lab, storm_after=1)
    assert (told(lab, "firing"), told(lab, "storm")) == (["a"], ["many"])
    assert alerted(lab, "open") == ["a", "b", SPEECHLESS]
