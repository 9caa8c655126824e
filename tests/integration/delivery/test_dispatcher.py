"""The dispatcher from the outbox to the destination and back into the books."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from signaldesk.clock import MICROS
from signaldesk.delivery.backoff import ATTEMPTS, JITTER, WAITS
from signaldesk.embedded import EmbeddedPostgres
from signaldesk.errors import Unavailable
from signaldesk.store import migrate
from signaldesk.store.database import Database
from tests.integration.delivery.conftest import Post
from tests.support import eventually
from tests.support.endpoint import answers, drops, hangs
from tests.support.tenants import (
    attempts,
    change_channel,
    channel,
    make_channel,
    make_org,
    notification,
    statuses,
    system_alerts,
)


async def status(post: Post, id: Any) -> str:
    return str((await notification(post.database, id)).status)


async def becomes(post: Post, id: Any, wanted: str) -> None:
    async def so() -> bool:
        return await status(post, id) == wanted

    await eventually(so)


async def written(post: Post, id: Any, count: int) -> None:
    """Wait until so many attempts are in the books."""

    async def so() -> bool:
        return len(await attempts(post.database, id)) == count

    await eventually(so)


# --- the ordinary way --------------------------------------------------------------------------------------


async def test_a_notification_is_sent_written_down_and_told(post: Post) -> None:
    (id,) = await post.put()
    post.start()
    await post.all_are("sent")
    (request,) = post.server.received
    assert request.json()["data"]["id"] == request.headers["webhook-id"] == str(id)
    (tried,) = await attempts(post.database, id)
    assert (tried.outcome, tried.status_code, tried.response) == ("sent", 200, "ok")
    ((org_id, told),) = await eventually(lambda: post.told)
    assert org_id == post.org_id
    assert (told["kind"], told["id"], told["status"], told["via"]) == (
        "notification",
        str(id),
        "sent",
        "webhook",
    )


async def test_an_in_app_notification_is_published(post: Post) -> None:
    in_app = await make_channel(post.database, post.org_id, kind="in_app", config={}, name="everybody")
    await post.put(channel_id=in_app)
    post.start()
    await post.all_are("sent")
    await eventually(lambda: len(post.told) == 2)
    assert {told["via"] for _, told in post.told} == {"in_app"}
    assert ["message" in told for _, told in post.told] == [True, False]


async def test_a_signal_wakes_it_at_once(post: Post) -> None:
    signals: asyncio.Queue[str] = asyncio.Queue()

    async def listen() -> AsyncIterator[str]:
        while True:
            yield await signals.get()

    await post.put()
    post.start(listen=listen, poll=3600)
    await post.all_are("sent")
    for _ in range(3):
        await post.put()
        signals.put_nowait("something was put into the outbox")
        await post.all_are("sent")


async def test_it_goes_on_by_the_clock_when_there_are_no_signals(post: Post) -> None:
    asked: list[str] = []

    async def listen() -> AsyncIterator[str]:
        asked.append("again")
        for lost in asked:
            raise Unavailable(f"redis is away, {lost}")
        yield ""

    post.start(listen=listen)
    await post.put()
    await post.all_are("sent")
    await eventually(lambda: len(asked) >= 2)


async def test_everything_that_is_due_is_sent_once(post: Post) -> None:
    put = await post.put(300)
    post.start()
    post.start()
    await post.all_are("sent")
    assert sorted(request.headers["webhook-id"] for request in post.server.received) == sorted(map(str, put))


async def test_open_pages_that_cannot_be_told_hold_up_nothing(post: Post) -> None:
    post.redis_hangs = True
    await post.put(100)
    dispatcher = post.start()
    await post.all_are("sent")
    await post.put(100)
    await post.all_are("sent")
    await post.stop(dispatcher)


# --- trying again ------------------------------------------------------------------------------------------


async def test_a_failing_notification_is_tried_eight_times_over_hours_and_then_has_failed(post: Post) -> None:
    post.server.behaviour = answers(503, b"down")
    (id,) = await post.put()
    post.start()
    for number, seconds in enumerate(WAITS, start=1):
        await written(post, id, number)
        row = await notification(post.database, id)
        waited = (row.next_attempt_at.timestamp() * MICROS - post.clock.now_us()) / MICROS
        assert seconds * (1 - JITTER) <= waited + 0.001
        assert waited - 0.001 <= seconds * (1 + JITTER)
        assert row.last_error == "127.0.0.1 answered 503: down"
        post.clock.advance(waited + 0.001)
    await becomes(post, id, "failed")
    tried = await attempts(post.database, id)
    assert [row.number for row in tried] == list(range(1, ATTEMPTS + 1))
    assert [row.outcome for row in tried] == ["retry"] * 7 + ["failed"]
    assert {request.headers["webhook-id"] for request in post.server.received} == {str(id)}
    assert [told["status"] for _, told in post.told] == ["retrying"] * 7 + ["failed"]


async def test_a_destination_that_says_when_is_not_asked_before(post: Post) -> None:
    post.server.behaviour = answers(429, retry_after="120")
    (id,) = await post.put()
    post.start()
    await becomes(post, id, "retrying")
    due = (await notification(post.database, id)).next_attempt_at
    assert due.timestamp() * MICROS == pytest.approx(post.clock.now_us() + 120 * MICROS, abs=1000)
    post.server.behaviour = answers()
    await post.put()  # another one of the same channel waits as well
    post.clock.advance(119)
    assert len(post.server.received) == 1
    post.clock.advance(2)
    await post.all_are("sent")


async def test_a_refused_notification_has_failed_at_once(post: Post) -> None:
    post.server.behaviour = answers(400, b"bad")
    (id,) = await post.put()
    post.start()
    await becomes(post, id, "failed")
    assert len(post.server.received) == 1


async def test_a_destination_that_is_gone_is_switched_off_and_what_waits_for_it_fails(post: Post) -> None:
    post.server.behaviour = answers(410)
    await post.put()
    post.start()
    await post.all_are("failed")
    (alert,) = await system_alerts(post.database, post.org_id)
    assert alert.kind == "channel_disabled"
    assert not (await channel(post.database, post.channel_id)).enabled
    (id,) = await post.put()
    await post.all_are("failed")
    assert (
        "switched off (the destination says that it is gone)"
        in (await notification(post.database, id)).last_error
    )
    assert len(post.server.received) == 1
    assert any(told["kind"] == "system" for _, told in post.told)


async def test_a_channel_that_is_mended_delivers_again(post: Post) -> None:
    post.server.behaviour = drops
    await post.put(20)
    post.start()
    await eventually(lambda: len(post.server.received) >= 3)
    post.server.behaviour = answers()

    async def drained() -> bool:
        post.clock.advance(10)
        return set(await statuses(post.database)) == {"sent"}

    await eventually(drained, 20)
    assert (await channel(post.database, post.channel_id)).failures == 0


async def test_one_bad_row_does_not_hold_up_the_others(post: Post) -> None:
    async with post.database.system() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO notifications (id, org_id, channel_id, message, next_attempt_at)"
            " VALUES (gen_random_uuid(), %s, %s, '{}', '2020-01-01')",
            (post.org_id, post.channel_id),
        )
    await post.put(10)
    post.start()

    async def done() -> bool:
        return await statuses(post.database) == {"sent": 10, "failed": 1}

    await eventually(done)


async def test_a_channel_whose_configuration_is_not_valid_any_more_is_a_failure_with_a_reason(
    post: Post,
) -> None:
    await change_channel(post.database, post.channel_id, config={"url": "nonsense"})
    (id,) = await post.put()
    post.start()
    await becomes(post, id, "failed")
    assert "configuration is not valid" in (await notification(post.database, id)).last_error


# --- ending and beginning again ----------------------------------------------------------------------------


async def test_a_graceful_stop_finishes_what_is_under_way(post: Post) -> None:
    release = asyncio.Event()

    async def slowly(request: Any, writer: Any) -> bool:
        await release.wait()
        return await answers()(request, writer)

    post.server.behaviour = slowly
    await post.put(5)
    dispatcher = post.start()
    await eventually(lambda: len(post.server.received) == 5)
    stopping = asyncio.ensure_future(post.stop(dispatcher))
    release.set()
    await stopping
    assert await statuses(post.database) == {"sent": 5}


async def test_a_graceful_stop_gives_back_what_takes_too_long(post: Post) -> None:
    post.server.behaviour = hangs()
    (id,) = await post.put()
    dispatcher = post.start(grace=0.05)
    await eventually(lambda: post.server.received)
    await post.stop(dispatcher)
    row = await notification(post.database, id)
    assert (row.status, row.lease_token, row.attempts) == ("pending", None, 1)
    post.server.behaviour = answers()
    post.start()
    await post.all_are("sent")


async def test_after_a_crash_a_message_is_sent_at_most_once_more_under_the_same_id(post: Post) -> None:
    post.server.behaviour = hangs()
    (id,) = await post.put()
    first = post.start(lease=15)
    await eventually(lambda: post.server.received)
    await post.crash(first)
    post.server.behaviour = answers()
    post.start()
    assert await status(post, id) == "pending"
    post.clock.advance(15)
    await post.all_are("sent")
    assert [request.headers["webhook-id"] for request in post.server.received] == [str(id)] * 2
    assert [row.number for row in await attempts(post.database, id)] == [2]


async def test_a_message_that_takes_long_keeps_its_lease(post: Post) -> None:
    release = asyncio.Event()

    async def slowly(request: Any, writer: Any) -> bool:
        await release.wait()
        return await answers()(request, writer)

    post.server.behaviour = slowly
    (id,) = await post.put()
    post.start(lease=0.15)
    await eventually(lambda: post.server.received)
    first = (await notification(post.database, id)).lease_until
    for _ in range(5):
        post.clock.advance(0.1)
        await eventually(lambda: _renewed(post, id))
    assert (await notification(post.database, id)).lease_until > first
    post.start()
    release.set()
    await post.all_are("sent")
    assert len(post.server.received) == 1


async def _renewed(post: Post, id: Any) -> bool:
    """Whether the lease lasts from now on, by its full length."""
    until = (await notification(post.database, id)).lease_until
    return bool(until.timestamp() * MICROS > post.clock.now_us() + 140_000)


async def test_postgres_may_restart_while_messages_are_under_way(
    own_postgres: EmbeddedPostgres, post: Post
) -> None:
    migrate.upgrade(own_postgres.url)
    database = Database(own_postgres.url)
    post.database = database
    post.org_id = await make_org(database)
    post.channel_id = await make_channel(database, post.org_id, config={"url": post.server.url})
    release = asyncio.Event()

    async def slowly(request: Any, writer: Any) -> bool:
        await release.wait()
        return await answers()(request, writer)

    post.server.behaviour = slowly
    put = await post.put(5)
    dispatcher = post.start()
    await eventually(lambda: len(post.server.received) == 5)
    await asyncio.to_thread(own_postgres.stop)
    release.set()
    await asyncio.to_thread(own_postgres.start)
    post.server.behaviour = answers()
    await eventually(lambda: _put_again(post))
    await post.all_are("sent")
    await post.stop(dispatcher)
    assert len(post.server.received) == len(put) + 1
    await database.close()


async def _put_again(post: Post) -> bool:
    try:
        await post.put()
    except Unavailable:
        return False
    return True
