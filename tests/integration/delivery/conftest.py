"""A dispatcher with everything around it real, except the time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network
from random import Random
from typing import Any
from uuid import UUID

import pytest

from signaldesk.channels.kinds import Means
from signaldesk.channels.outbound import Outbound
from signaldesk.clock import ManualClock
from signaldesk.delivery.dispatcher import Dispatcher
from signaldesk.store.database import Database
from signaldesk.store.outbox import Outbox
from tests.support import eventually
from tests.support.endpoint import Endpoint, endpoint
from tests.support.messages import NOW_US
from tests.support.tenants import make_channel, make_org, put_notifications, statuses


class Post:
    """Makes dispatchers and what they deliver; `told` is what open pages would hear."""

    def __init__(self, database: Database, server: Endpoint, outbound: Outbound) -> None:
        self.database, self.server, self.outbound = database, server, outbound
        self.clock = ManualClock(NOW_US)
        self.told: list[tuple[UUID, dict[str, Any]]] = []
        self.redis_hangs = False
        self.tasks: dict[Dispatcher, asyncio.Task[None]] = {}
        self.org_id = self.channel_id = UUID(int=0)

    async def publish(self, org_id: UUID, message: dict[str, Any]) -> None:
        if self.redis_hangs:
            await asyncio.Event().wait()
        self.told.append((org_id, message))

    def dispatcher(self, *, seed: int = 1, database: Database | None = None, **options: Any) -> Dispatcher:
        means = Means(outbound=self.outbound, clock=self.clock, publish=self.publish)
        outbox = Outbox(database or self.database)
        return Dispatcher(outbox=outbox, means=means, random=Random(seed), **{"poll": 0.02, **options})

    def start(self, **options: Any) -> Dispatcher:
        dispatcher = self.dispatcher(**options)
        self.tasks[dispatcher] = asyncio.ensure_future(dispatcher.run())
        return dispatcher

    async def stop(self, dispatcher: Dispatcher) -> None:
        dispatcher.stop()
        await self.tasks.pop(dispatcher)

    async def crash(self, dispatcher: Dispatcher) -> None:
        """End it as kill -9 would: nothing is written down or given back any more."""
        task = self.tasks.pop(dispatcher)
        task.cancel()
        await asyncio.wait([task])

    async def put(self, count: int = 1, *, channel_id: UUID | None = None) -> list[UUID]:
        """Notifications that are due now, for the channel of this fixture or another of its organisation."""
        return await put_notifications(
            self.database, self.org_id, channel_id or self.channel_id, count, due_us=self.clock.now_us()
        )

    async def all_are(self, status: str, timeout: float = 20) -> None:
        """Wait until every notification has this status."""

        async def so() -> bool:
            found = await statuses(self.database)
            assert set(found) == {status}, found
            return True

        await eventually(so, timeout)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
async def server() -> AsyncIterator[Endpoint]:
    async with endpoint() as served:
        yield served


@pytest.fixture
async def post(database: Database, server: Endpoint) -> AsyncIterator[Post]:
    """One organisation with one webhook that leads to `post.server`."""
    outbound = Outbound.guarded(allow=[ip_network("127.0.0.0/8")], total=5)
    made = Post(database, server, outbound)
    made.org_id = await make_org(database)
    made.channel_id = await make_channel(database, made.org_id, config={"url": server.url})
    yield made
    for dispatcher in list(made.tasks):
        await made.crash(dispatcher)
    await outbound.close()
