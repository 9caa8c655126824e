"""Whether a claim took everything it had room for."""

from __future__ import annotations

from uuid import UUID

import pytest

from signaldesk.ids import new_id
from signaldesk.model.delivery import Claimed, Rooms
from tests.support.claims import claimed

ORG, CHANNEL, OTHER = new_id(), new_id(), new_id()
ROOMS = Rooms(total=10, per_org=5, per_channel=3)


def claims(count: int, channel: UUID = CHANNEL) -> list[Claimed]:
    return [claimed(org_id=ORG, channel_id=channel) for _ in range(count)]


@pytest.mark.parametrize(
    ("rooms", "taken", "more"),
    [
        (ROOMS, [], False),
        (ROOMS, claims(2), False),
        (ROOMS, claims(3), True),
        (ROOMS, claims(2) + claims(2, OTHER), False),
        (Rooms(total=10, per_org=4, per_channel=3), claims(2) + claims(2, OTHER), True),
        (Rooms(total=2, per_org=5, per_channel=3), claims(2), True),
        (Rooms(total=10, per_org=5, per_channel=3, channels={CHANNEL: 1}), claims(1), True),
        (Rooms(total=10, per_org=5, per_channel=3, channels={OTHER: 0}), [], True),
        (Rooms(total=10, per_org=5, per_channel=3, orgs={ORG: 0}), [], True),
    ],
)
def test_more_may_be_due_when_a_limit_was_met(rooms: Rooms, taken: list[Claimed], more: bool) -> None:
    assert rooms.all_used(taken) is more
