"""Many at once at the moment in which a threshold is crossed: one firing, one alert, one message."""

from __future__ import annotations

import asyncio

from tests.support.lab import Lab

SENDERS = 64
"""Each sends one of the events that it takes."""
OWNERS = 16
"""So many processors take the partition from each other meanwhile."""


async def test_sixty_four_senders_and_sixteen_owners_make_one_alert(lab: Lab) -> None:
    org_id = await lab.org()
    when = {"kind": "count", "at_least": SENDERS, "within": "1m"}
    await lab.save_rule(org_id, {"name": "All", "event": "paid", "when": when, "notify": "hook"})
    lab.clock.advance(2)
    sending = [lab.send(org_id, [{"type": "paid", "payload": {"n": n}}]) for n in range(SENDERS)]
    sent = asyncio.gather(*sending)
    owners = await asyncio.gather(*(lab.owner() for _ in range(OWNERS)))
    await sent
    last = await lab.owner()
    assert await last.work_off()
    await last.end()
    for owner in owners:
        await owner.cut_off()
        owner.fault()
    assert len(lab.rows("SELECT FROM events")) == SENDERS
    assert [len(row["evidence"]) for row in lab.rows("SELECT evidence FROM firings")] == [SENDERS]
    assert len(lab.rows("SELECT FROM alerts")) == len(lab.rows("SELECT FROM notifications")) == 1
