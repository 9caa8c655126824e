"""New entries come after what is committed, whatever Redis lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from signaldesk.ids import new_id
from signaldesk.stream import client, keys
from signaldesk.stream.events import Append, EventStream

P = 3
SEQ_BITS = 20
AN_EVENT = Append(new_id().bytes, 0, b"\x90")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[client.Redis]:
    redis = client.connect(redis_url)
    yield redis
    await redis.aclose()


@pytest.fixture
def stream(redis: client.Redis) -> EventStream:
    return EventStream(redis)


def at(millis: float, sequence: int = 0) -> int:
    """The position of an entry of that moment."""
    return int(millis) << SEQ_BITS | sequence


async def positions(stream: EventStream) -> list[int]:
    return [entry.position for entry in await stream.read(P, 0, 100, 1)]


async def test_nothing_is_added_where_nothing_was_lost(redis: client.Redis, stream: EventStream) -> None:
    await stream.ensure_after(P, 0)
    assert not await redis.exists(keys.events(P))
    await stream.append(P, [AN_EVENT])
    (committed,) = before = await positions(stream)
    for upto in (0, committed - 1, committed):
        await stream.ensure_after(P, upto)
    await stream.trim(P, committed)
    await stream.ensure_after(P, committed)
    assert set(await positions(stream)) <= set(before)


@pytest.mark.parametrize("sequence", [0, 7, (1 << SEQ_BITS) - 1])
async def test_after_a_loss_new_entries_come_behind_what_a_faster_clock_had_committed(
    stream: EventStream, sequence: int
) -> None:
    committed = at((time.time() + 3600) * 1000, sequence)
    await stream.ensure_after(P, committed)
    await stream.append(P, [AN_EVENT])
    marker, event = await positions(stream)
    assert committed < marker < event
    await stream.ensure_after(P, committed)
    assert await positions(stream) == [marker, event]


async def test_somebody_may_append_at_that_very_moment(redis: client.Redis, stream: EventStream) -> None:
    for _ in range(20):
        await redis.flushdb()
        committed = at(time.time() * 1000) - 1
        await asyncio.gather(stream.ensure_after(P, committed), stream.append(P, [AN_EVENT]))
        assert (await positions(stream))[-1] > committed
