"""In-app notifications go out through whatever publishes to open pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from signaldesk.channels.in_app import CHANNEL, InAppConfig
from signaldesk.channels.kinds import Means
from signaldesk.channels.outbound import Outbound
from signaldesk.clock import ManualClock
from signaldesk.errors import DeliveryFailed, Unavailable
from tests.support.messages import firing_message


def means(publish: Any) -> Means:
    return Means(outbound=Outbound.guarded(), clock=ManualClock(), publish=publish)


async def test_everybody_of_the_organisation_is_told() -> None:
    told: list[tuple[UUID, dict[str, Any]]] = []

    async def publish(org_id: UUID, message: dict[str, Any]) -> None:
        told.append((org_id, message))

    message = firing_message()
    await CHANNEL.send(InAppConfig(), message, means(publish))
    ((org_id, body),) = told
    assert org_id == message.org_id
    assert (body["kind"], body["title"], body["severity"]) == ("notification", message.title, "critical")


async def test_it_is_tried_again_when_nothing_can_be_published_right_now() -> None:
    async def publish(org_id: UUID, message: dict[str, Any]) -> None:
        raise Unavailable("redis is away")

    with pytest.raises(DeliveryFailed) as failed:
        await CHANNEL.send(InAppConfig(), firing_message(), means(publish))
    assert failed.value.retry_after == 1
