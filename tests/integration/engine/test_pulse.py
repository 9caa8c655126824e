"""The pulse of an organisation: what open pages hear of it, and what is left unsaid while nobody listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from signaldesk.clock import SystemClock
from signaldesk.engine.pulse import Pulse
from signaldesk.ids import new_id
from signaldesk.model.event import Event
from signaldesk.model.life import Alert
from signaldesk.model.outcome import GroupRef, Stored
from signaldesk.stream import client
from signaldesk.stream.live import LiveFeed
from signaldesk.stream.news import News
from tests.support import eventually

WATCHED, ALONE = new_id(), new_id()


class Published(News):
    """News that notes what was published to whom."""

    def __init__(self, redis: client.Redis) -> None:
        super().__init__(redis)
        self.said: list[tuple[UUID, dict[str, Any]]] = []

    async def publish(self, org_id: UUID, message: dict[str, Any]) -> None:
        self.said.append((org_id, message))
        await super().publish(org_id, message)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[client.Redis]:
    redis = client.connect(redis_url)
    yield redis
    await redis.aclose()


def stored(org_id: UUID, *types: str) -> Stored:
    events = [Event(new_id().bytes, type_, 1_000_000, b'{"n":1}') for type_ in types]
    return Stored(org_id.bytes, "", 1, 1_000_000, events, {})


async def test_only_organisations_that_somebody_watches_are_told_what_happens(redis: client.Redis) -> None:
    news, feed = Published(redis), LiveFeed(redis)
    pulse = Pulse(news, SystemClock())
    await feed.follow(WATCHED)
    messages = feed.messages()
    waiting = asyncio.ensure_future(anext(messages))
    await eventually(lambda: WATCHED in feed.heard)

    pulse.committed([stored(WATCHED, "a", "b", "a"), stored(ALONE, "c")], [])
    await pulse.flush()
    org_id, message = await waiting
    assert (org_id, message["n"], message["types"]) == (WATCHED, 3, {"a": 2, "b": 1})
    assert [event["type"] for event in message["latest"]] == ["a", "b", "a"]
    assert [org for org, _ in news.said] == [WATCHED]
    await messages.aclose()


async def test_an_alert_comes_behind_the_events_that_made_it(redis: client.Redis) -> None:
    news, feed = Published(redis), LiveFeed(redis)
    pulse = Pulse(news, SystemClock())
    await feed.follow(WATCHED)
    messages = feed.messages()
    waiting = asyncio.ensure_future(anext(messages))
    await eventually(lambda: WATCHED in feed.heard)
    group = GroupRef(new_id(), "", '["DE"]')
    alert = Alert(
        id=new_id(), org_id=WATCHED, group=group, values={"country": "DE"}, title="Loud", severity="error",
        labels={}, version=1, event_id=new_id(), opened_at=1_000_000, last_fired_at=1_000_000, value=1,
        at_least=False, threshold=1, window=0, new=True,
    )  # fmt: skip
    pulse.committed([stored(WATCHED, "loud")], [alert])
    await pulse.flush()
    await waiting
    assert [message["kind"] for _, message in news.said] == ["events", "alert"]
    await messages.aclose()


async def test_nobody_is_asked_about_when_nothing_happened(redis: client.Redis) -> None:
    news = Published(redis)
    await Pulse(news, SystemClock()).flush()
    assert news.said == [] and await news.watched([]) == set()
