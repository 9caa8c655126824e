"""The guarded client: where it connects, what it keeps, how much it reads, how long it waits."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from ipaddress import ip_address, ip_network

import pytest
import trustme
import uvloop

from signaldesk.channels.outbound import Outbound, resolver
from signaldesk.channels.outbound.connection import BODY_LIMIT
from signaldesk.channels.outbound.resolver import Endpoint as Place
from signaldesk.channels.outbound.resolver import Resolve, SystemResolver
from signaldesk.errors import DeliveryFailed, DeliveryRefused
from tests.support import eventually
from tests.support.endpoint import Endpoint, Received, answers, drops, endpoint, floods, hangs, says

LOOPBACK = (ip_network("127.0.0.0/8"),)
Open = Callable[..., AbstractAsyncContextManager[Outbound]]


@pytest.fixture
async def server() -> AsyncIterator[Endpoint]:
    async with endpoint() as served:
        yield served


@asynccontextmanager
async def _opened(
    resolve: Resolve | None = None, tls: ssl.SSLContext | None = None, total: float = 5.0, allow: bool = True
) -> AsyncIterator[Outbound]:
    client = Outbound.guarded(allow=LOOPBACK if allow else (), resolve=resolve, tls=tls, total=total)
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
def opened() -> Open:
    return _opened


class Names:
    """A resolver that answers from a table and counts the questions."""

    def __init__(self, **names: list[str]) -> None:
        self.names = {name.replace("_", "."): addresses for name, addresses in names.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[Place]:
        self.asked.append(host)
        return [Place(ip_address(address), port) for address in self.names.get(host, [])]


async def _post(client: Outbound, url: str, body: bytes = b"{}") -> int:
    return (await client.post(url, content=body, headers={"content-type": "application/json"})).status


# --- what is sent ------------------------------------------------------------------------------------------


async def test_a_post_arrives_whole(server: Endpoint, opened: Open) -> None:
    async with opened() as client:
        url = f"http://127.0.0.1:{server.port}/a%20b?c=d"
        answer = await client.post(url, content=b'{"a": 1}', headers={"x-mine": "yes"})
    request = server.received[0]
    assert (answer.status, answer.text) == (200, "ok")
    assert (request.method, request.path, request.body) == ("POST", "/a%20b?c=d", b'{"a": 1}')
    assert request.headers["host"] == f"127.0.0.1:{server.port}"
    assert request.headers["x-mine"] == "yes"


async def test_a_line_break_in_a_header_is_never_sent(server: Endpoint, opened: Open) -> None:
    async with opened() as client:
        with pytest.raises(DeliveryRefused, match="line break"):
            await client.post(server.url, content=b"", headers={"x-mine": "a\r\nx-theirs: b"})
    assert server.received == []


@pytest.mark.parametrize(
    "url", ["", "example.com", "ftp://example.com/", "http://", "file:///etc/passwd", "http://[::1"]
)
async def test_what_is_not_a_web_address_is_refused(url: str, opened: Open) -> None:
    async with opened() as client:
        with pytest.raises(DeliveryRefused):
            await _post(client, url)


# --- where it connects -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "0.0.0.0", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "10.0.0.1",
        "169.254.169.254", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]", "[fe80::1]", "[fd00:ec2::254]", "100.64.0.1", "224.0.0.1", "①②⑦.⓪.⓪.①",
    ],
)  # fmt: skip
async def test_a_private_destination_is_refused_however_it_is_written(host: str, opened: Open) -> None:
    async with opened(allow=False) as client:
        with pytest.raises(DeliveryRefused):
            await _post(client, f"http://{host}:9/")


async def test_a_name_that_leads_to_a_private_address_is_refused_without_telling_the_address(
    opened: Open,
) -> None:
    async with opened(resolve=Names(db_internal=["10.20.30.40"]), allow=False) as client:
        with pytest.raises(DeliveryRefused) as refused:
            await _post(client, "http://db.internal/")
    assert "private" in refused.value.detail
    assert "SIGNALDESK_OUTBOUND_ALLOW" in refused.value.detail
    assert "10.20" not in refused.value.detail


async def test_of_several_addresses_only_permitted_ones_are_connected_to(
    server: Endpoint, opened: Open
) -> None:
    names = Names(shop_test=["10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "127.0.0.1"])
    async with opened(resolve=names) as client:
        assert await _post(client, f"http://shop.test:{server.port}/") == 200
    assert server.received[0].headers["host"] == f"shop.test:{server.port}"


async def test_the_next_address_is_tried_when_one_takes_no_connection(server: Endpoint, opened: Open) -> None:
    names = Names(shop_test=["127.0.0.2", "127.0.0.1"])
    async with opened(resolve=names) as client:
        assert await _post(client, f"http://shop.test:{server.port}/") == 200


async def test_a_name_is_resolved_once_per_connection_so_that_it_cannot_change_under_way(
    server: Endpoint, opened: Open
) -> None:
    names = Names(shop_test=["127.0.0.1"])
    async with opened(resolve=names) as client:
        await _post(client, f"http://shop.test:{server.port}/")
        names.names["shop.test"] = ["10.0.0.1"]  # the rebinding
        await _post(client, f"http://shop.test:{server.port}/")
    assert names.asked == ["shop.test"]
    assert [request.connection for request in server.received] == [1, 1]


async def test_a_name_without_addresses_may_be_tried_again_later(opened: Open) -> None:
    async with opened(resolve=Names()) as client:
        with pytest.raises(DeliveryFailed, match=r"nowhere\.test: its name cannot be resolved"):
            await _post(client, "http://nowhere.test/")


async def test_a_port_that_nobody_listens_on_may_be_tried_again_later(opened: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with opened() as client:
        with pytest.raises(DeliveryFailed, match="connection refused"):
            await _post(client, f"http://127.0.0.1:{port}/secret-path")


# --- TLS ---------------------------------------------------------------------------------------------------


def _contexts(*names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert(*names).configure_cert(server)
    authority.configure_trust(client)
    return server, client


async def test_tls_and_host_header_keep_the_name_although_an_address_is_connected_to(opened: Open) -> None:
    server_tls, client_tls = _contexts("shop.test")
    asked: list[str | None] = []
    server_tls.sni_callback = lambda _socket, name, _context: asked.append(name)
    async with (
        endpoint(tls=server_tls) as server,
        opened(resolve=Names(shop_test=["127.0.0.1"]), tls=client_tls) as client,
    ):
        assert await _post(client, f"https://shop.test:{server.port}/") == 200
        assert await _post(client, f"https://shop.test:{server.port}/") == 200
        assert server.received[0].headers["host"] == f"shop.test:{server.port}"
    assert asked == ["shop.test"]


def test_all_of_it_works_on_uvloop_as_well() -> None:
    server_tls, client_tls = _contexts("shop.test")

    async def post_both_ways() -> tuple[list[int], int]:
        names = Names(shop_test=["127.0.0.2", "127.0.0.1"])
        async with (
            endpoint() as plain,
            endpoint(tls=server_tls) as secure,
            _opened(resolve=names, tls=client_tls) as client,
        ):
            urls = [f"http://shop.test:{plain.port}/", f"https://shop.test:{secure.port}/"]
            statuses = [await _post(client, url) for url in urls * 2]
            with pytest.raises(DeliveryFailed, match="connection refused"):
                await _post(client, "http://shop.test:9/")
            return statuses, plain.connections + secure.connections

    assert uvloop.run(post_both_ways()) == ([200] * 4, 2)


async def test_a_certificate_for_another_name_is_not_trusted(opened: Open) -> None:
    server_tls, client_tls = _contexts("other.test")
    async with (
        endpoint(tls=server_tls) as server,
        opened(resolve=Names(shop_test=["127.0.0.1"]), tls=client_tls) as client,
    ):
        with pytest.raises(DeliveryFailed, match="certificate is not trusted"):
            await _post(client, f"https://shop.test:{server.port}/")
        assert server.received == []


# --- keeping connections -----------------------------------------------------------------------------------


async def test_a_connection_is_kept_for_the_next_message(server: Endpoint, opened: Open) -> None:
    async with opened() as client:
        for _ in range(5):
            await _post(client, server.url)
    assert server.connections == 1


async def test_a_connection_that_the_server_closed_meanwhile_is_replaced_unnoticed(
    server: Endpoint, opened: Open
) -> None:
    async with opened() as client:
        await _post(client, server.url)
        await server.hang_up()
        assert await _post(client, server.url) == 200
    assert len(server.received) == 2


async def test_a_kept_connection_that_ends_without_a_word_is_tried_once_more_on_a_fresh_one(
    server: Endpoint, opened: Open
) -> None:
    async def first_of_a_connection_only(request: Received, writer: asyncio.StreamWriter) -> bool:
        seen = [earlier for earlier in server.received if earlier.connection == request.connection]
        return len(seen) == 1 and await answers()(request, writer)

    server.behaviour = first_of_a_connection_only
    async with opened() as client:
        assert await _post(client, server.url) == 200
        assert await _post(client, server.url) == 200
    assert [request.connection for request in server.received] == [1, 1, 2]


async def test_a_fresh_connection_that_ends_without_a_word_is_not_tried_again_at_once(
    server: Endpoint, opened: Open
) -> None:
    server.behaviour = drops
    async with opened() as client:
        with pytest.raises(DeliveryFailed, match="connection ended before an answer"):
            await _post(client, server.url)
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n",
    ],
)
async def test_a_connection_is_not_kept_when_the_answer_speaks_against_it(
    answer: bytes, server: Endpoint, opened: Open
) -> None:
    server.behaviour = says(answer)
    async with opened() as client:
        assert await _post(client, server.url) == 200
        server.behaviour = answers()
        assert await _post(client, server.url) == 200
    assert server.connections == 2


# --- reading answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n3\r\nay!\r\n0\r\n\r\n", "okay!"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\n\xff\xfe!", "\ufffd\ufffd!"),
    ],
)
async def test_every_form_of_answer_is_read(answer: bytes, text: str, server: Endpoint, opened: Open) -> None:
    server.behaviour = says(answer)
    async with opened() as client:
        assert (await client.post(server.url, content=b"", headers={})).text == text


async def test_an_answer_that_ends_with_its_connection_is_read(server: Endpoint, opened: Open) -> None:
    server.behaviour = says(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", stay=False)
    async with opened() as client:
        assert (await client.post(server.url, content=b"", headers={})).text == "until the end"


async def test_at_most_64_kib_of_an_answer_are_read(server: Endpoint, opened: Open) -> None:
    server.behaviour = floods(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", b"x" * 65536)
    async with opened() as client:
        answer = await client.post(server.url, content=b"", headers={})
    assert answer.status == 200
    assert len(answer.text) == BODY_LIMIT == 65536


async def test_an_endless_head_is_given_up_on(server: Endpoint, opened: Open) -> None:
    server.behaviour = floods(b"HTTP/1.1 200 OK\r\n", b"x-more: " + b"y" * 1000 + b"\r\n")
    async with opened() as client:
        with pytest.raises(DeliveryFailed, match="head is too long"):
            await _post(client, server.url)


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\0\0\0\0"])
async def test_what_is_not_http_is_given_up_on(answer: bytes, server: Endpoint, opened: Open) -> None:
    server.behaviour = says(answer)
    async with opened() as client:
        with pytest.raises(DeliveryFailed, match="not HTTP"):
            await _post(client, server.url)


# --- waiting -----------------------------------------------------------------------------------------------


async def test_everything_together_takes_no_longer_than_the_limit(server: Endpoint, opened: Open) -> None:
    server.behaviour = hangs()
    async with opened(total=0.05) as client:
        with pytest.raises(DeliveryFailed, match="no answer in time"):
            await _post(client, server.url)


async def test_an_answer_counts_once_its_head_is_there_however_slow_its_body(
    server: Endpoint, opened: Open
) -> None:
    server.behaviour = hangs(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart")
    async with opened(total=0.2) as client:
        answer = await client.post(server.url, content=b"", headers={})
    assert (answer.status, answer.text) == (200, "part")


async def test_a_name_server_that_never_answers_holds_nobody_longer_than_the_limit(opened: Open) -> None:
    async def never(host: str, port: int) -> list[Place]:
        await asyncio.Event().wait()
        return []

    async with opened(resolve=never, total=0.05) as client:
        with pytest.raises(DeliveryFailed, match="could not connect in time"):
            await _post(client, "http://slow.test/")


async def test_a_cancelled_post_closes_its_connection(server: Endpoint, opened: Open) -> None:
    server.behaviour = hangs()
    async with opened() as client:
        task = asyncio.ensure_future(_post(client, server.url))
        await eventually(lambda: server.received)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.behaviour = answers()
        assert await _post(client, server.url) == 200
    assert server.connections == 2


async def test_many_who_ask_for_one_name_hold_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[str] = []

    def look_up(host: str, port: int) -> list[Place]:
        looked_up.append(host)
        return [Place(ip_address("127.0.0.1"), port)]

    monkeypatch.setattr(resolver, "_look_up", look_up)
    resolve = SystemResolver(threads=2)
    found = await asyncio.gather(*(resolve("shop.test", 80) for _ in range(50)))
    resolve.close()
    assert looked_up == ["shop.test"]
    assert {place.address for places in found for place in places} == {ip_address("127.0.0.1")}


async def test_a_name_that_cannot_be_one_is_an_ordinary_failure() -> None:
    resolve = SystemResolver(threads=1)
    with pytest.raises(OSError):
        await resolve("a" * 64 + ".test", 80)
    resolve.close()
