"""Claiming, leasing and settling, in the database."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from signaldesk.clock import MICROS
from signaldesk.ids import new_id
from signaldesk.model.delivery import Attempt, Claimed, Rooms, Settled
from signaldesk.store.database import Database
from signaldesk.store.outbox import DAYS_TO_SWITCH_OFF, FAILURES_TO_SWITCH_OFF, Outbox
from tests.support.messages import NOW_US
from tests.support.tenants import (
    at,
    attempts,
    change_channel,
    channel,
    make_channel,
    make_org,
    notification,
    put_notifications,
    system_alerts,
)

UNTIL = NOW_US + 15 * MICROS
WIDE = Rooms(total=1000, per_org=1000, per_channel=1000)
SENT = Attempt("sent", NOW_US, 12.5, status_code=200, response="ok")
RETRY = Attempt("retry", NOW_US, 3.0, status_code=503, error="busy")


@pytest.fixture
async def outbox(database: Database) -> AsyncIterator[Outbox]:
    outbox = Outbox(database)
    yield outbox
    await outbox.close()


@pytest.fixture
async def org_id(database: Database) -> UUID:
    return await make_org(database)


@pytest.fixture
async def channel_id(database: Database, org_id: UUID) -> UUID:
    return await make_channel(database, org_id, config={"url": "https://example.com"})


async def claim(outbox: Outbox, rooms: Rooms = WIDE, now_us: int = NOW_US, **more: Any) -> list[Claimed]:
    held = more.pop("held", ())
    return await outbox.claim(rooms, held=held, now_us=now_us, until_us=now_us + 15 * MICROS)


async def ids(outbox: Outbox, rooms: Rooms = WIDE, **more: Any) -> set[UUID]:
    return {claimed.id for claimed in await claim(outbox, rooms, **more)}


# --- claiming ----------------------------------------------------------------------------------------------


async def test_a_claim_brings_everything_needed_to_send(
    database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    (id,) = await put_notifications(database, org_id, channel_id)
    (claimed,) = await claim(outbox)
    assert (claimed.id, claimed.org_id, claimed.channel_id, claimed.number) == (id, org_id, channel_id, 1)
    assert (claimed.kind, claimed.channel, claimed.enabled) == ("webhook", "hook", True)
    assert claimed.config == '{"url": "https://example.com"}'
    assert str(id) in claimed.message


async def test_what_is_claimed_is_not_claimed_again_until_its_lease_ends(
    database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    (id,) = await put_notifications(database, org_id, channel_id)
    assert await ids(outbox) == {id}
    assert await ids(outbox, now_us=UNTIL - 1) == set()
    (again,) = await claim(outbox, now_us=UNTIL)
    assert (again.id, again.number) == (id, 2)


async def test_what_this_process_holds_is_not_claimed_again_even_when_its_lease_ended(
    database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    (id,) = await put_notifications(database, org_id, channel_id)
    await claim(outbox)
    assert await ids(outbox, now_us=UNTIL, held=[id]) == set()


async def test_what_is_not_due_is_left(
    database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    (later,) = await put_notifications(database, org_id, channel_id, due_us=NOW_US + 1)
    (now,) = await put_notifications(database, org_id, channel_id)
    assert await ids(outbox) == {now}
    assert await ids(outbox, now_us=NOW_US + 1) == {later}


async def test_two_dispatchers_never_claim_the_same(
    database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    put = await put_notifications(database, org_id, channel_id, 200)
    claims = await asyncio.gather(*(ids(outbox) for _ in range(6)))
    taken = Counter(id for claimed in claims for id in claimed)
    assert set(taken.values()) <= {1}
    while more := await ids(outbox):
        taken.update(more)
    assert taken == Counter(put)


async def test_the_oldest_of_a_channel_goes_first(
    database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    young = await put_notifications(database, org_id, channel_id, 3, due_us=NOW_US - 1)
    old = await put_notifications(database, org_id, channel_id, 3, due_us=NOW_US - 2)
    assert await ids(outbox, Rooms(total=9, per_org=9, per_channel=3)) == set(old)
    assert await ids(outbox, Rooms(total=9, per_org=9, per_channel=3)) == set(young)


async def test_a_claim_is_shared_among_organisations_and_channels(database: Database, outbox: Outbox) -> None:
    big, small = await make_org(database, "big"), await make_org(database, "small")
    flood, calm, other = [
        await make_channel(database, org, config={}, name=name)
        for org, name in ((big, "flood"), (big, "calm"), (small, "other"))
    ]
    await put_notifications(database, big, flood, 500, due_us=NOW_US - 10)
    await put_notifications(database, big, calm, 500)
    await put_notifications(database, small, other, 500)

    def counted(claims: list[Claimed]) -> list[int]:
        found = Counter(claimed.channel_id for claimed in claims)
        return [found[flood], found[calm], found[other]]

    assert counted(await claim(outbox, Rooms(total=100, per_org=40, per_channel=30))) == [20, 20, 30]
    assert counted(await claim(outbox, Rooms(total=12, per_org=40, per_channel=30))) == [3, 3, 6]
    rooms = Rooms(total=100, per_org=40, per_channel=30, orgs={small: 4}, channels={flood: 0})
    assert counted(await claim(outbox, rooms)) == [0, 30, 4]


# --- settling ----------------------------------------------------------------------------------------------


async def test_a_sent_message_is_written_down_with_its_attempt(
    database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    (id,) = await put_notifications(database, org_id, channel_id)
    (claimed,) = await claim(outbox)
    kept, off = await outbox.settle([Settled(claimed, SENT, "sent", None)], now_us=NOW_US)
    assert (kept, off) == ({id}, [])
    row, (tried,) = await notification(database, id), await attempts(database, id)
    assert (row.status, row.sent_at, row.lease_token, row.last_error) == (
        "sent",
        at(NOW_US + 12_500),
        None,
        None,
    )
    assert (tried.org_id, tried.number, tried.outcome) == (org_id, 1, "sent")
    assert (tried.started_at, tried.duration_ms, tried.status_code, tried.response) == (
        at(NOW_US),
        12.5,
        200,
        "ok",
    )
    assert await ids(outbox, now_us=NOW_US + 10**12) == set()


async def test_a_failed_attempt_is_written_down_with_its_error_and_tried_again_when_due(
    database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    (id,) = await put_notifications(database, org_id, channel_id)
    (claimed,) = await claim(outbox)
    await outbox.settle([Settled(claimed, RETRY, "retrying", NOW_US + 5 * MICROS)], now_us=NOW_US)
    row = await notification(database, id)
    assert (row.status, row.last_error, row.attempts) == ("retrying", "busy", 1)
    assert await ids(outbox, now_us=NOW_US + 5 * MICROS - 1) == set()
    (again,) = await claim(outbox, now_us=NOW_US + 5 * MICROS)
    assert again.number == 2


async def test_a_result_that_comes_after_the_lease_was_lost_changes_nothing(
    database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    (id,) = await put_notifications(database, org_id, channel_id)
    (late,) = await claim(outbox)
    (second,) = await claim(outbox, now_us=UNTIL)
    kept, _ = await outbox.settle([Settled(late, RETRY, "failed", None)], now_us=UNTIL)
    assert kept == set()
    assert (await notification(database, id)).lease_token == second.token
    kept, _ = await outbox.settle([Settled(second, SENT, "sent", None)], now_us=UNTIL)
    assert kept == {id}
    assert [row.number for row in await attempts(database, id)] == [2]


async def test_an_answer_with_a_nul_in_it_can_be_written_down(
    database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    (id,) = await put_notifications(database, org_id, channel_id)
    (claimed,) = await claim(outbox)
    strange = RETRY._replace(error="a\0b", response="\0\ud800")
    await outbox.settle([Settled(claimed, strange, "failed", None)], now_us=NOW_US)
    assert (await attempts(database, id))[0].error == "a\ufffdb"


async def test_a_notification_whose_channel_was_deleted_meanwhile_is_no_trouble(
    database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    other = await make_channel(database, org_id, config={}, name="other")
    await put_notifications(database, org_id, channel_id)
    (stays,) = await put_notifications(database, org_id, other)
    claims = await claim(outbox)
    async with database.system() as connection:
        await connection.exec_driver_sql("DELETE FROM channels WHERE id = %s", (channel_id,))
    kept, _ = await outbox.settle([Settled(one, SENT, "sent", None) for one in claims], now_us=NOW_US)
    assert kept == {stays}


# --- leases ------------------------------------------------------------------------------------------------


async def test_a_renewed_lease_lasts_longer_and_a_lost_one_cannot_be_renewed(
    database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    (id,) = await put_notifications(database, org_id, channel_id)
    (first,) = await claim(outbox)
    assert await outbox.renew([first], until_us=UNTIL + MICROS) == {id}
    assert await ids(outbox, now_us=UNTIL) == set()
    await claim(outbox, now_us=UNTIL + MICROS)
    assert await outbox.renew([first], until_us=UNTIL + 9 * MICROS) == set()


@pytest.mark.parametrize(("begun", "number"), [(True, 2), (False, 1)])
async def test_a_released_message_is_free_at_once_and_counts_an_attempt_if_it_was_begun(
    begun: bool, number: int, database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    await put_notifications(database, org_id, channel_id)
    await outbox.release(await claim(outbox), begun=begun)
    assert [claimed.number for claimed in await claim(outbox)] == [number]


# --- health of channels ------------------------------------------------------------------------------------


async def settle_one(
    database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID, attempt: Attempt, now_us: int = NOW_US
) -> Any:
    await put_notifications(database, org_id, channel_id, due_us=now_us)
    (claimed,) = await claim(outbox, now_us=now_us)
    _, off = await outbox.settle([Settled(claimed, attempt, "failed", None)], now_us=now_us)
    return off


async def test_failures_in_a_row_are_counted_until_something_arrives(
    database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    for _ in range(3):
        await settle_one(database, outbox, org_id, channel_id, RETRY)
    row = await channel(database, channel_id)
    assert (row.failures, row.failing_since) == (3, at(NOW_US))
    await settle_one(database, outbox, org_id, channel_id, SENT)
    row = await channel(database, channel_id)
    assert (row.failures, row.failing_since, row.enabled) == (0, None, True)


async def test_a_channel_that_failed_for_days_is_switched_off_with_a_system_alert(
    database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    days = DAYS_TO_SWITCH_OFF * 86_400 * MICROS
    await change_channel(
        database, channel_id, failures=FAILURES_TO_SWITCH_OFF - 1, failing_since=at(NOW_US - days)
    )
    (off,) = await settle_one(database, outbox, org_id, channel_id, RETRY)
    row, (alert,) = await channel(database, channel_id), await system_alerts(database, org_id)
    assert (off.channel_id, row.enabled) == (channel_id, False)
    assert row.disabled_reason == "20 attempts in a row failed since 2025-10-06 08:53 UTC"
    assert (alert.kind, alert.subject, alert.resolved_at) == ("channel_disabled", str(channel_id), None)
    assert "The channel hook was switched off: 20 attempts" in alert.detail
    assert await settle_one(database, outbox, org_id, channel_id, RETRY) == []


@pytest.mark.parametrize(
    ("failures", "days"), [(FAILURES_TO_SWITCH_OFF - 2, 30), (1000, DAYS_TO_SWITCH_OFF - 1)]
)
async def test_many_failures_in_a_short_time_or_few_in_a_long_one_switch_nothing_off(
    failures: int, days: int, database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    since = at(NOW_US - days * 86_400 * MICROS)
    await change_channel(database, channel_id, failures=failures, failing_since=since)
    assert await settle_one(database, outbox, org_id, channel_id, RETRY) == []
    assert (await channel(database, channel_id)).enabled


async def test_a_channel_whose_destination_is_gone_is_switched_off_at_once(
    database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    gone = Attempt("failed", NOW_US, 1.0, status_code=410, gone=True)
    (off,) = await settle_one(database, outbox, org_id, channel_id, gone)
    assert off.reason == "the destination says that it is gone"
    assert not (await channel(database, channel_id)).enabled


async def test_what_says_nothing_about_the_destination_is_not_held_against_it(
    database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    await settle_one(database, outbox, org_id, channel_id, RETRY._replace(counts=False))
    assert (await channel(database, channel_id)).failures == 0


async def test_only_channels_that_are_named_are_looked_at(
    database: Database, outbox: Outbox, org_id: UUID, channel_id: UUID
) -> None:
    other = await make_channel(database, org_id, config={}, name="other")
    await change_channel(database, other, failures=1000, failing_since=at(0))
    await settle_one(database, outbox, org_id, channel_id, RETRY)
    assert (await channel(database, other)).enabled
    assert new_id() not in await ids(outbox)
