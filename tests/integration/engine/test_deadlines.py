"""Deadlines are met once, at their own time, whoever is there to meet them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from signaldesk.clock import MICROS, to_us
from tests.support.lab import Lab

SILENCE = {
    "name": "silence",
    "event": "beat",
    "when": {"kind": "absence", "within": "10s"},
    "cooldown": "1m",
}


async def live(lab: Lab) -> None:
    """One owner's life: it works off what there is, and ends in good order."""
    owner = await lab.owner()
    assert await owner.work_off()
    await owner.end()


def count(lab: Lab, table: str, org_id: UUID) -> int:
    return int(lab.rows(f"SELECT count(*) FROM {table} WHERE org_id = %(org)s", org=org_id)[0]["count"])


@pytest.mark.parametrize("lost", [False, True], ids=["windows kept", "windows lost"])
async def test_a_rule_that_never_saw_an_event_fires_once_however_often_it_is_restored(
    lab: Lab, lost: bool
) -> None:
    org_id = await lab.org()
    await lab.save_rule(org_id, SILENCE)
    begun = lab.clock.now_us()
    await lab.pass_time(20)
    await live(lab)
    for _ in range(2):
        if lost:
            await lab.empty_windows()
        await lab.pass_time(5)
        await live(lab)
    (fired,) = lab.rows("SELECT timestamp FROM firings WHERE org_id = %(org)s", org=org_id)
    assert to_us(fired["timestamp"]) == begun + 10 * MICROS
    assert count(lab, "suppressions", org_id) == 0
    await lab.forget([org_id])


@pytest.mark.parametrize("lost", [False, True], ids=["windows kept", "windows lost"])
async def test_a_deadline_that_passes_while_nobody_works_is_met_at_its_own_time(lab: Lab, lost: bool) -> None:
    org_id = await lab.org()
    await lab.save_rule(org_id, SILENCE)
    await lab.send(org_id, [{"type": "beat", "payload": {}}])
    beat = lab.clock.now_us()
    await live(lab)
    if lost:
        await lab.empty_windows()
    lab.clock.advance(3600)
    owner = await lab.owner()
    fired: list[dict[str, Any]] = []
    while not fired:  # nothing is sent: the owner itself says in the stream how far time is
        await owner.work_off()
        fired = lab.rows("SELECT timestamp FROM firings WHERE org_id = %(org)s", org=org_id)
    await owner.end()
    assert [to_us(row["timestamp"]) for row in fired] == [beat + 10 * MICROS]
    await lab.forget([org_id])


async def test_the_event_that_comes_back_ends_the_alert(lab: Lab) -> None:
    org_id = await lab.org()
    await lab.save_rule(org_id, SILENCE)
    await lab.pass_time(20)
    await lab.send(org_id, [{"type": "beat", "payload": {}}])
    await live(lab)
    (alert,) = lab.rows("SELECT state, resolved_at FROM alerts WHERE org_id = %(org)s", org=org_id)
    assert (alert["state"], to_us(alert["resolved_at"])) == ("resolved", lab.clock.now_us())
    await lab.forget([org_id])


@pytest.mark.parametrize("lost", [False, True], ids=["windows kept", "windows lost"])
async def test_a_rule_waits_from_its_beginning_on_although_an_event_from_before_it_came_late(
    lab: Lab, lost: bool
) -> None:
    org_id = await lab.org()
    await lab.save_rule(org_id, SILENCE)
    begun = lab.clock.now_us()
    await lab.send(org_id, [{"type": "beat", "payload": {}, "timestamp": (begun - 4 * MICROS) / MICROS}])
    await live(lab)
    if lost:
        await lab.empty_windows()
    await lab.pass_time(20)
    await live(lab)
    fired = lab.rows("SELECT timestamp FROM firings WHERE org_id = %(org)s", org=org_id)
    assert [to_us(row["timestamp"]) for row in fired] == [begun + 10 * MICROS]
    await lab.forget([org_id])


@pytest.mark.parametrize("lost", [False, True], ids=["windows kept", "windows lost"])
async def test_a_deadline_that_lay_behind_the_watermark_from_its_beginning_on_is_met_after_a_restart(
    lab: Lab, lost: bool
) -> None:
    org_id = await lab.org()
    ahead = (lab.clock.now_us() + 60 * MICROS) / MICROS
    await lab.send(org_id, [{"type": "other", "payload": {}, "timestamp": ahead}])
    await lab.save_rule(org_id, SILENCE)
    begun = lab.clock.now_us()
    await live(lab)
    if lost:
        await lab.empty_windows()
    await live(lab)
    assert count(lab, "firings", org_id) == 0, "nothing came after the rule's beginning yet"
    await lab.send(org_id, [{"type": "other", "payload": {}}])
    await live(lab)
    fired = lab.rows("SELECT timestamp FROM firings WHERE org_id = %(org)s", org=org_id)
    assert [to_us(row["timestamp"]) for row in fired] == [begun + 10 * MICROS]
    await lab.forget([org_id])
