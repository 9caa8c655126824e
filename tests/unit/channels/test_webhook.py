"""The signature of webhooks, verified by the library that receivers use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from signaldesk.channels.kinds import Means, parse
from signaldesk.channels.outbound import Outbound
from signaldesk.channels.webhook import CHANNEL, WebhookConfig
from signaldesk.clock import SystemClock
from tests.support.endpoint import Endpoint, Received, endpoint
from tests.support.messages import firing_message


@pytest.fixture
async def server() -> AsyncIterator[Endpoint]:
    async with endpoint() as served:
        yield served


@pytest.fixture
async def means() -> AsyncIterator[Means]:
    async def publish(org_id: UUID, told: dict[str, Any]) -> None: ...

    outbound = Outbound.guarded(allow=[ip_network("127.0.0.0/8")])
    yield Means(outbound=outbound, clock=SystemClock(), publish=publish)
    await outbound.close()


def configured(server: Endpoint, **more: Any) -> tuple[WebhookConfig, str]:
    config, shown = CHANNEL.prepared(parse(CHANNEL, {"url": server.url, **more}))
    return config, shown["secret"]


def verified(request: Received, secret: str) -> Any:
    return Webhook(secret).verify(request.body, request.headers)


async def test_a_receiver_can_verify_the_signature(server: Endpoint, means: Means) -> None:
    config, secret = configured(server)
    message = firing_message()
    await CHANNEL.send(config, message, means)
    (request,) = server.received
    assert request.headers["webhook-id"] == str(message.id)
    assert verified(request, secret)["data"]["id"] == str(message.id)


async def test_another_secret_or_another_body_does_not_verify(server: Endpoint, means: Means) -> None:
    config, secret = configured(server)
    await CHANNEL.send(config, firing_message(), means)
    (request,) = server.received
    with pytest.raises(WebhookVerificationError):
        verified(request, configured(server)[1])
    with pytest.raises(WebhookVerificationError):
        verified(request._replace(body=request.body.replace(b"DE", b"FR")), secret)


async def test_while_a_secret_is_rotated_receivers_may_use_either(server: Endpoint, means: Means) -> None:
    config, old = configured(server)
    config, shown = CHANNEL.rotated(config)
    await CHANNEL.send(config, firing_message(), means)
    (request,) = server.received
    verified(request, old)
    verified(request, shown["secret"])


async def test_own_headers_are_sent_along_and_cannot_replace_ours(server: Endpoint, means: Means) -> None:
    config, secret = configured(server, headers={"Authorization": "Bearer abc", "x-team": "shop"})
    await CHANNEL.send(config, firing_message(), means)
    (request,) = server.received
    assert request.headers["authorization"] == "Bearer abc"
    verified(request, secret)
