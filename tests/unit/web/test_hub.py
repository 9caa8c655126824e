from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import UUID, uuid4

import pytest

from signaldesk.web.hub import IDLE_TURNS, QUEUE, Hub, Message, Watcher
from tests.support import eventually

ACME, OTHER = uuid4(), uuid4()


class ListFeed:
    """A feed whose messages the test puts in by hand."""

    def __init__(self) -> None:
        self.followed: list[str] = []
        self._queue: asyncio.Queue[tuple[UUID, Message]] = asyncio.Queue()

    async def follow(self, org_id: UUID) -> None:
        self.followed.append("follow")

    async def leave(self, org_id: UUID) -> None:
        self.followed.append("leave")

    async def messages(self) -> AsyncIterator[tuple[UUID, Message]]:
        while True:
            yield await self._queue.get()

    def say(self, org_id: UUID, n: int) -> None:
        self._queue.put_nowait((org_id, {"kind": "events", "n": n}))


@pytest.fixture
def feed() -> ListFeed:
    return ListFeed()


@pytest.fixture
async def hub(feed: ListFeed) -> AsyncIterator[Hub]:
    async with Hub(feed=feed, flush_s=0.01) as hub:
        yield hub


async def test_a_watcher_hears_its_own_organisation_in_order_and_nobody_elses(
    hub: Hub, feed: ListFeed
) -> None:
    heard: list[Message] = []
    hub.watch(ACME, heard.extend)
    for n in range(5):
        feed.say(ACME, n)
        feed.say(OTHER, 666)
    await eventually(lambda: len(heard) == 5)
    assert [message["n"] for message in heard] == [0, 1, 2, 3, 4]


async def test_however_many_watch_the_channel_is_followed_once(hub: Hub, feed: ListFeed) -> None:
    watchers = [hub.watch(ACME, lambda _: None) for _ in range(3)]
    await eventually(lambda: feed.followed == ["follow"])
    for watcher in watchers:
        hub.forget(watcher)
        hub.forget(watcher)
    await eventually(lambda: feed.followed == ["follow", "leave"])
    assert hub.watching == 0


async def test_coming_back_at_once_ends_in_following(hub: Hub, feed: ListFeed) -> None:
    hub.forget(hub.watch(ACME, lambda _: None))
    heard: list[Message] = []
    hub.watch(ACME, heard.extend)
    feed.say(ACME, 1)
    await eventually(lambda: heard)
    assert feed.followed.count("follow") == feed.followed.count("leave") + 1


async def test_one_watchers_fault_stops_no_other(hub: Hub, feed: ListFeed) -> None:
    def broken(_: Sequence[Message]) -> None:
        raise RuntimeError("this page is gone")

    heard: list[Message] = []
    hub.watch(ACME, broken)
    hub.watch(ACME, heard.extend)
    feed.say(ACME, 1)
    await eventually(lambda: heard)
    await eventually(lambda: hub.watching == 1)


def test_a_slow_watcher_loses_the_oldest_messages_and_counts_them() -> None:
    bundles: list[Sequence[Message]] = []
    watcher = Watcher(ACME, bundles.append)
    for n in range(QUEUE + 10):
        watcher.put({"n": n})
    watcher.turn()
    (bundle,) = bundles
    assert (len(bundle), bundle[0]["n"], watcher.missed) == (QUEUE, 10, 10)


def test_when_nothing_happens_a_watcher_is_called_now_and_then_with_nothing() -> None:
    bundles: list[Sequence[Message]] = []
    watcher = Watcher(ACME, bundles.append)
    for _ in range(3 * IDLE_TURNS):
        watcher.turn()
    assert bundles == [(), (), ()]
