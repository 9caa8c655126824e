"""What every channel that speaks HTTP must do, whichever it is: found by the registry, nothing to edit here.

Each is sent to a real TLS server that answers to the host of the channel's own example.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import format_datetime
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
import structlog
import trustme

from signaldesk.channels._http import RETRY_AFTER_MAX, HttpChannel
from signaldesk.channels.kinds import Means, kinds, parse
from signaldesk.channels.outbound import Outbound
from signaldesk.channels.outbound.resolver import Endpoint as Place
from signaldesk.clock import ManualClock, from_us
from signaldesk.errors import DeliveryError, DeliveryFailed, DeliveryGone, DeliveryRefused
from signaldesk.model.message import Message
from tests.support.endpoint import (
    Behaviour,
    Endpoint,
    Received,
    answers,
    drops,
    endpoint,
    floods,
    hangs,
    says,
)
from tests.support.messages import NOW_US, firing_message

HTTP_CHANNELS = [channel for channel in kinds().values() if isinstance(channel, HttpChannel)]


@pytest.fixture(params=HTTP_CHANNELS, ids=lambda channel: channel.kind)
def channel(request: pytest.FixtureRequest) -> HttpChannel[Any]:
    found: HttpChannel[Any] = request.param
    return found


@pytest.fixture
def config(channel: HttpChannel[Any]) -> Any:
    return channel.prepared(parse(channel, channel.example))[0]


@pytest.fixture
def message() -> Message:
    return firing_message()


@pytest.fixture(scope="session")
def tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's and a client's side, for the hosts of all examples."""
    authority = trustme.CA()
    hosts = {urlsplit(str(channel.example["url"])).hostname or "" for channel in HTTP_CHANNELS}
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert(*hosts).configure_cert(server)
    authority.configure_trust(client)
    return server, client


@pytest.fixture
async def server(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> AsyncIterator[Endpoint]:
    async with endpoint(tls=tls[0]) as served:
        yield served


@pytest.fixture
async def means(server: Endpoint, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> AsyncIterator[Means]:
    """The real client, with every name leading to the test's server."""

    async def resolve(host: str, port: int) -> list[Place]:
        return [Place(ip_address("127.0.0.1"), server.port)]

    async def publish(org_id: UUID, told: dict[str, Any]) -> None:
        raise AssertionError("an HTTP channel publishes nothing")

    allow = [ip_network("127.0.0.0/8")]
    outbound = Outbound.guarded(allow=allow, resolve=resolve, tls=tls[1], total=0.3)
    yield Means(outbound=outbound, clock=ManualClock(NOW_US), publish=publish)
    await outbound.close()


async def failure(channel: HttpChannel[Any], config: Any, message: Message, means: Means) -> DeliveryError:
    with pytest.raises(DeliveryError) as raised:
        await channel.send(config, message, means)
    return raised.value


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_a_2xx_answer_means_sent(
    status: int, channel: HttpChannel[Any], config: Any, message: Message, server: Endpoint, means: Means
) -> None:
    server.behaviour = answers(status, b"" if status == 204 else b"taken")
    receipt = await channel.send(config, message, means)
    assert receipt == (status, "" if status == 204 else "taken")
    (request,) = server.received
    assert (request.method, request.headers["content-type"]) == ("POST", "application/json")
    assert request.headers["host"] == urlsplit(str(channel.example["url"])).hostname
    request.json()


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
async def test_an_overloaded_or_broken_destination_is_tried_again(
    status: int, channel: HttpChannel[Any], config: Any, message: Message, server: Endpoint, means: Means
) -> None:
    server.behaviour = answers(status, b"come back later")
    error = await failure(channel, config, message, means)
    assert isinstance(error, DeliveryFailed)
    assert (error.retry, error.retry_after) == (True, None)
    assert (error.answer_status, error.answer_text) == (status, "come back later")
    assert str(status) in error.detail


@pytest.mark.parametrize("behaviour", [hangs(), drops, says(b"not http\r\n\r\n"), says(b"", stay=False)])
async def test_no_answer_in_time_or_none_at_all_is_tried_again(
    behaviour: Behaviour,
    channel: HttpChannel[Any],
    config: Any,
    message: Message,
    server: Endpoint,
    means: Means,
) -> None:
    server.behaviour = behaviour
    assert isinstance(await failure(channel, config, message, means), DeliveryFailed)


@pytest.mark.parametrize("status", [400, 401, 403, 405, 413, 422])
async def test_a_refusal_is_final(
    status: int, channel: HttpChannel[Any], config: Any, message: Message, server: Endpoint, means: Means
) -> None:
    server.behaviour = answers(status, b"no such thing")
    error = await failure(channel, config, message, means)
    assert isinstance(error, DeliveryRefused)
    assert not isinstance(error, DeliveryGone)
    assert not error.retry
    assert "no such thing" in error.detail


async def test_a_destination_that_is_gone_says_so(
    channel: HttpChannel[Any], config: Any, message: Message, server: Endpoint, means: Means
) -> None:
    server.behaviour = answers(410)
    assert isinstance(await failure(channel, config, message, means), DeliveryGone)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("17", 17.0),
        ("1.5", 1.5),
        (format_datetime(from_us(NOW_US) + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(from_us(NOW_US) - timedelta(days=1), usegmt=True), 0.0),
        ("-5", 0.0),
        ("999999999", RETRY_AFTER_MAX),
        ("inf", RETRY_AFTER_MAX),
        ("nan", None),
        ("soon", None),
        ("", None),
    ],
)
async def test_retry_after_is_honoured_within_reason(
    header: str,
    seconds: float | None,
    channel: HttpChannel[Any],
    config: Any,
    message: Message,
    server: Endpoint,
    means: Means,
) -> None:
    server.behaviour = answers(429, retry_after=header)
    assert (await failure(channel, config, message, means)).retry_after == seconds


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(
    status: int, channel: HttpChannel[Any], config: Any, message: Message, server: Endpoint, means: Means
) -> None:
    server.behaviour = answers(status, location=server.url)
    error = await failure(channel, config, message, means)
    assert isinstance(error, DeliveryRefused)
    assert "redirect" in error.detail
    assert len(server.received) == 1


async def test_a_long_answer_is_read_in_part(
    channel: HttpChannel[Any], config: Any, message: Message, server: Endpoint, means: Means
) -> None:
    server.behaviour = floods(b"HTTP/1.1 400 No\r\ncontent-length: 9999999999\r\n\r\n", b"long " * 1000)
    error = await failure(channel, config, message, means)
    assert isinstance(error, DeliveryRefused)
    assert len(error.detail) < 400
    assert len(error.answer_text or "") <= 1000


async def test_secrets_stay_out_of_errors_logs_and_kept_answers(
    channel: HttpChannel[Any], config: Any, message: Message, server: Endpoint, means: Means
) -> None:
    async def repeats_everything(request: Received, writer: Any) -> bool:
        said = f"{request.path} {request.headers} https://{request.headers['host']}{request.path}".encode()
        return await answers(400, said)(request, writer)

    secrets = config.secrets_held()
    assert secrets
    with structlog.testing.capture_logs() as logs:
        for behaviour in (repeats_everything, hangs(), drops):
            server.behaviour = behaviour
            error = await failure(channel, config, message, means)
            said = f"{error!r} {error.detail} {error.answer_text} {error.__cause__!r} {config!r} {logs}"
            assert not [secret for secret in secrets if secret in said]


async def test_the_same_message_is_the_same_body_on_every_attempt(
    channel: HttpChannel[Any], config: Any, message: Message, server: Endpoint, means: Means
) -> None:
    await channel.send(config, message, means)
    await channel.send(config, message, means)
    assert server.received[0].body == server.received[1].body
