"""Events that cannot be processed: set aside after five tries, visible, and everything else goes on."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest

from signaldesk.ids import new_id
from signaldesk.model.event import Event
from signaldesk.stream import keys
from tests.support import eventually
from tests.support.lab import Lab

PATIENCE_S = 60.0
COUNT = {"name": "Two", "event": "paid", "when": {"kind": "count", "at_least": 2, "within": "1m"}}


async def put(lab: Lab, org_id: UUID, events: bytes) -> None:
    """An entry as another program, or an earlier version of this one, might have written it."""
    fields = {"o": org_id.bytes, "r": lab.clock.now_us(), "e": events}
    await lab.redis.xadd(keys.events(lab.partition), fields)  # type: ignore[arg-type]


def event(lab: Lab, payload: bytes) -> Event:
    return Event(new_id().bytes, "paid", lab.clock.now_us(), payload)


@pytest.mark.parametrize("dies", [False, True], ids=["it fails", "it kills its processor"])
async def test_a_poison_event_is_set_aside_and_everything_else_goes_on(lab: Lab, dies: bool) -> None:
    org_id = await lab.org()
    await lab.save_rule(org_id, COUNT)
    good, bad = event(lab, b'{"n": 1}'), event(lab, b'{"n": ')  # nothing that PostgreSQL takes
    await put(lab, org_id, msgspec.msgpack.encode([good, bad]))
    await put(lab, org_id, b"\x93 no msgpack at all")
    await lab.send(org_id, [{"type": "paid", "payload": {"n": 2}}])
    owner = await lab.owner()
    for _ in range(6 if dies else 0):
        await owner.cut_off()
        owner = await lab.owner()
    last = await lab.stream.last(lab.partition)
    await eventually(lambda: owner.partition.committed >= last, PATIENCE_S)
    await owner.end()
    aside = lab.rows("SELECT * FROM poison_events ORDER BY position")
    assert [(row["org_id"], row["idx"]) for row in aside] == [(org_id, 1), (org_id, -1)]
    assert all(row["tries"] >= 5 and row["error"] for row in aside)
    assert msgspec.msgpack.decode(bytes(aside[0]["body"]), type=Event) == bad
    stored = {row["id"] for row in lab.rows("SELECT id FROM events")}
    assert len(stored) == 2 and UUID(bytes=good.id) in stored
    (firing,) = lab.rows("SELECT evidence FROM firings")
    assert set(firing["evidence"]) == stored  # at the same time, and so in no order but that of their ids
