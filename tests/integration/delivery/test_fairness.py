"""One tenant's hanging endpoint slows no other tenant's delivery by more than a tenth."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest

from signaldesk.channels.outbound import Outbound
from signaldesk.store.database import Database
from tests.integration.delivery.conftest import Post
from tests.support import eventually
from tests.support.databases import Databases
from tests.support.endpoint import Endpoint, Received, answers, endpoint, hangs
from tests.support.tenants import make_channel, make_org, put_notifications

MESSAGES = 160
ROUNDS, MOST_ROUNDS = 6, 24
LIMIT = 1.1
LATENCY = 0.05
"""Seconds the healthy endpoint takes: what is measured is the waiting, not this machine's cores."""


@pytest.mark.undisturbed
async def test_a_hanging_tenant_slows_nobody_else(databases: Databases, server: Endpoint) -> None:
    server.behaviour = after_a_while
    with databases.fresh(migrated=True) as calm_url, databases.fresh(migrated=True) as troubled_url:
        async with (
            desk(calm_url, server) as calm,
            desk(troubled_url, server) as troubled,
            endpoint() as broken,
        ):
            broken.behaviour = hangs()
            await add_hanging_tenant(troubled, broken)
            calm.start()
            troubled.start()
            await eventually(lambda: len(broken.received) >= 50)
            # In turns, so that whatever else this machine does happens to both.
            times = [(await seconds(calm), await seconds(troubled)) for _ in range(ROUNDS)]
            while slower(times) > LIMIT and len(times) < MOST_ROUNDS:  # the machine may have been busy
                times.append((await seconds(calm), await seconds(troubled)))
    alone, beside = best(times)
    print(
        f"{MESSAGES} messages alone: {alone * 1000:.0f} ms, beside a hanging tenant: {beside * 1000:.0f} ms"
    )
    assert slower(times) <= LIMIT


def best(times: list[tuple[float, float]]) -> tuple[float, float]:
    """The best of each, of those alone and of those beside the other tenant: noise only ever adds."""
    alone, beside = map(min, zip(*times, strict=True))
    return alone, beside


def slower(times: list[tuple[float, float]]) -> float:
    """By how many times."""
    alone, beside = best(times)
    return beside / alone


async def after_a_while(request: Received, writer: asyncio.StreamWriter) -> bool:
    await asyncio.sleep(LATENCY)
    return await answers()(request, writer)


@asynccontextmanager
async def desk(url: str, server: Endpoint) -> AsyncIterator[Post]:
    """A database and a healthy tenant."""
    database, outbound = Database(url), Outbound.guarded(allow=[ip_network("127.0.0.0/8")])
    made = Post(database, server, outbound)
    made.org_id = await make_org(database)
    made.channel_id = await make_channel(database, made.org_id, config={"url": server.url})
    yield made
    for dispatcher in list(made.tasks):
        await made.crash(dispatcher)
    await outbound.close()
    await database.close()


async def add_hanging_tenant(post: Post, broken: Endpoint) -> None:
    """Ten channels that take connections and never answer, with a backlog of thousands."""
    org_id = await make_org(post.database, "hanging")
    for number in range(10):
        channel_id = await make_channel(
            post.database, org_id, config={"url": broken.url}, name=f"hook {number}"
        )
        await put_notifications(post.database, org_id, channel_id, 500)


async def seconds(post: Post) -> float:
    """How long it takes until the last of the healthy tenant's messages has arrived."""
    wanted = len(post.server.received) + MESSAGES
    await post.put(MESSAGES)
    began = time.perf_counter()
    await eventually(lambda: len(post.server.received) >= wanted, every=0.001)
    took = time.perf_counter() - began
    await eventually(lambda: all_written(post))  # what is left to do is not the next one's burden
    return took


async def all_written(post: Post) -> bool:
    async with post.database.system() as connection:
        result = await connection.exec_driver_sql(
            "SELECT count(*) FROM notifications WHERE org_id = %s AND status <> 'sent'", (post.org_id,)
        )
        return result.scalar() == 0
