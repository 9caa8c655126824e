"""An outbox among broken endpoints and crashes: everything ends, and nothing arrives oftener than it must."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from random import Random

from signaldesk.channels.outbound import Outbound
from signaldesk.clock import MICROS, to_us
from signaldesk.store.database import Database
from tests.integration.delivery.conftest import Post
from tests.support.endpoint import Endpoint, Received, answers, drops, endpoint, floods, hangs, says
from tests.support.tenants import make_channel, make_org, put_notifications, statuses

FAULTS = (
    answers(500), answers(503, b"busy", retry_after="2"), answers(429, retry_after="1"), drops, hangs(),
    says(b"HTTP/1.1 2"), says(b"garbage\r\n\r\n"), says(b"", stay=False),
    hangs(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"),
    floods(b"HTTP/1.1 502 Bad\r\ncontent-length: 99999999\r\n\r\n", b"x" * 65536),
)  # fmt: skip
NOTIFICATIONS = 12
"""Per channel, of which there are six."""
CRASHES = 6


class Moody:
    """Behaves in three of ten requests in one of many wrong ways; counts what it took with a 200."""

    def __init__(self, server: Endpoint, random: Random) -> None:
        self._random = random
        self.taken: Counter[str] = Counter()
        server.behaviour = self

    async def __call__(self, request: Received, writer: asyncio.StreamWriter) -> bool:
        if self._random.random() < 0.3:
            return await self._random.choice(FAULTS)(request, writer)
        self.taken[request.headers["webhook-id"]] += 1
        return await answers()(request, writer)


async def test_every_notification_ends_and_nothing_is_taken_twice(database: Database) -> None:
    async with broken_desk(database, seed=1) as (post, moody):
        put = await fill(post)
        dispatcher = post.start()
        async with asyncio.timeout(60):
            while not await ended(post):
                await pass_time(post)
        await post.stop(dispatcher)
    assert set(await statuses(database)) <= {"sent", "failed"}
    assert set(moody.taken) <= set(put)
    assert set(moody.taken.values()) == {1}


async def test_a_crash_costs_at_most_one_more_send_of_what_was_under_way(database: Database) -> None:
    crashes: list[set[str]] = []
    async with broken_desk(database, seed=2) as (post, moody):
        put = await fill(post)
        dispatcher = post.start()
        async with asyncio.timeout(60):
            while not await ended(post):
                await pass_time(post)
                if len(crashes) < CRASHES and len(post.server.received) > 10 * (len(crashes) + 1):
                    await post.crash(dispatcher)
                    crashes.append(await under_way(post))
                    dispatcher = post.start(seed=len(crashes))
        await post.stop(dispatcher)
    assert len(crashes) == CRASHES
    assert set(await statuses(database)) <= {"sent", "failed"}
    for id in put:
        assert moody.taken[id] <= 1 + sum(id in crash for crash in crashes)


@asynccontextmanager
async def broken_desk(database: Database, seed: int) -> AsyncIterator[tuple[Post, Moody]]:
    # Time enough for a busy machine to answer in, so that only what is meant to hang does.
    outbound = Outbound.guarded(allow=[ip_network("127.0.0.0/8")], total=1.0)
    async with endpoint() as server:
        yield Post(database, server, outbound), Moody(server, Random(seed))
        await outbound.close()


async def fill(post: Post) -> list[str]:
    put = []
    for name in ("one", "two", "three"):
        org_id = await make_org(post.database, name)
        for number in range(2):
            config = {"url": post.server.url}
            channel = await make_channel(post.database, org_id, config=config, name=f"hook {number}")
            put += await put_notifications(post.database, org_id, channel, NOTIFICATIONS)
    return [str(id) for id in put]


async def ended(post: Post) -> bool:
    await asyncio.sleep(0.02)  # real time for real sockets
    return set(await statuses(post.database)) <= {"sent", "failed"}


async def pass_time(post: Post) -> None:
    """Five seconds, or as many hours as until the next attempt when nothing is under way."""
    async with post.database.system() as connection:
        rows = await connection.exec_driver_sql(
            "SELECT min(next_attempt_at) FROM notifications WHERE status IN ('pending', 'retrying')"
            " HAVING bool_and(lease_token IS NULL)"
        )
        due = rows.scalar()
    in_five_seconds = post.clock.now_us() + 5 * MICROS
    post.clock.set(max(in_five_seconds, to_us(due)) if due else in_five_seconds)


async def under_way(post: Post) -> set[str]:
    """What is leased: what a dispatcher that just crashed was sending or had not written down."""
    async with post.database.system() as connection:
        rows = await connection.exec_driver_sql(
            "SELECT id::text FROM notifications WHERE lease_token IS NOT NULL"
        )
        return {row[0] for row in rows}
