"""Who may send how much at once."""

from __future__ import annotations

from uuid import UUID

from signaldesk.clock import MICROS
from signaldesk.delivery.capacity import FORGET_US, LONGEST_PAUSE_US, SLOW_US, Capacity, Limits
from signaldesk.ids import new_id
from signaldesk.model.delivery import Attempt, Rooms

ORG, OTHER_ORG, CHANNEL, OTHER = (new_id() for _ in range(4))
SENT, RETRY, REFUSED = Attempt("sent", 0, 0), Attempt("retry", 0, 0), Attempt("failed", 0, 0)


def capacity(total: int = 100, per_org: int = 10, per_channel: int = 5) -> Capacity:
    return Capacity(Limits(total, per_org, per_channel))


def begin(
    kept: Capacity, count: int = 1, org: UUID = ORG, channel: UUID = CHANNEL, now: int = 0
) -> list[UUID]:
    ids = [new_id() for _ in range(count)]
    for id in ids:
        kept.begin(org, channel, id, now)
    return ids


def sent_through(kept: Capacity, attempt: Attempt | None, now: int = 0) -> None:
    (id,) = begin(kept, now=now)
    kept.end(ORG, CHANNEL, id, attempt, now)


def room(kept: Capacity, now: int = 0, channel: UUID = CHANNEL) -> int:
    rooms = kept.rooms(now)
    return rooms.channels.get(channel, rooms.per_channel)


def test_everybody_has_the_same_room_while_nothing_is_under_way() -> None:
    assert capacity().rooms(0) == Rooms(total=100, per_org=10, per_channel=5)


def test_what_is_under_way_takes_room_of_its_channel_its_organisation_and_all() -> None:
    kept = capacity()
    ids = begin(kept, 3)
    rooms = kept.rooms(0)
    assert (rooms.total, rooms.orgs[ORG], rooms.channels[CHANNEL]) == (97, 7, 2)
    for id in ids:
        kept.end(ORG, CHANNEL, id, SENT, 0)
    assert kept.rooms(0) == Rooms(total=100, per_org=10, per_channel=5)


def test_nobody_gets_more_than_half_of_what_is_free() -> None:
    kept = capacity(total=10, per_org=8, per_channel=8)
    begin(kept, 4)
    rooms = kept.rooms(0)
    assert (rooms.total, rooms.per_org, rooms.per_channel, rooms.orgs[ORG]) == (6, 3, 3, 3)


def test_there_is_room_for_another_organisation_however_many_hang() -> None:
    kept = capacity(total=64, per_org=64, per_channel=64)
    for _ in range(6):
        begin(kept, kept.rooms(0).per_org, org=new_id(), channel=new_id())
    assert kept.rooms(0).per_org >= 1


def test_a_channel_that_leaves_a_message_unanswered_for_long_gets_no_more() -> None:
    kept = capacity()
    begin(kept)
    assert room(kept, SLOW_US) == 4
    assert room(kept, SLOW_US + 1) == 0
    assert room(kept, SLOW_US + 1, OTHER) == 5


def test_a_channel_whose_last_message_failed_is_tried_with_one_at_a_time() -> None:
    kept = capacity()
    sent_through(kept, RETRY)
    assert room(kept) == 1
    begin(kept)
    assert room(kept) == 0


def test_the_first_message_that_arrives_opens_the_channel_again() -> None:
    kept = capacity()
    for _ in range(10):
        sent_through(kept, RETRY)
    sent_through(kept, SENT)
    assert room(kept) == 5


def test_a_channel_that_goes_on_failing_is_tried_after_pauses_that_double() -> None:
    kept, now, pauses = capacity(), 0, []
    for _ in range(12):
        sent_through(kept, RETRY, now)
        later = next(us for us in range(now, now + 2 * LONGEST_PAUSE_US, MICROS // 20) if room(kept, us))
        pauses.append((later - now) / MICROS)
        now = later
    assert pauses == [0, 0, 0.25, 0.5, 1, 2, 4, 8, 10, 10, 10, 10]


def test_a_channel_that_asked_to_be_left_alone_is_left_alone() -> None:
    kept = capacity()
    sent_through(kept, RETRY._replace(retry_after=60.0))
    assert room(kept, 60 * MICROS - 1) == 0
    assert room(kept, 60 * MICROS) == 1


def test_a_message_that_was_refused_or_broken_off_says_nothing_about_the_next() -> None:
    kept = capacity()
    sent_through(kept, REFUSED)
    sent_through(kept, None)
    sent_through(kept, RETRY._replace(counts=False))
    assert room(kept) == 5


def test_a_channel_that_was_not_heard_of_for_long_is_thought_well_of_again() -> None:
    kept = capacity()
    sent_through(kept, RETRY)
    assert room(kept, FORGET_US) == 1
    assert room(kept, FORGET_US + 1) == 5
    assert kept.rooms(FORGET_US + 1).channels == {}
