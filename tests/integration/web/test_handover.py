"""Connections that another process accepted and began to read are served as if they had come here."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from signaldesk.intake.handover import SocketHandover
from signaldesk.intake.server import Shared, serve
from signaldesk.web.handover import HEAD_MAX, Frames
from tests.support import eventually
from tests.support.sharing import shared_loop
from tests.support.web import Org, Web, hang_up

FIRST_READ = 17
"""Bytes that the tiny ingest below reads before it passes a connection on: the middle of a request line."""


@asynccontextmanager
async def tiny_ingest(path: Path) -> AsyncIterator[int]:
    """Accepts connections, reads a little, hands them over; yields its port."""
    giver = SocketHandover(path)
    under_way: set[asyncio.Task[None] | None] = set()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        under_way.add(asyncio.current_task())
        transport = writer.transport
        assert isinstance(transport, asyncio.Transport)
        head = await reader.readexactly(FIRST_READ)
        transport.pause_reading()
        head += bytes(reader._buffer)  # type: ignore[attr-defined]
        await giver.give(transport, head)
        transport.abort()

    async with await asyncio.start_server(accepted, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
    # The web server may have answered before the thread that gave it the connection is back here.
    await asyncio.gather(*filter(None, under_way))
    giver.close()


@shared_loop
async def web(own_web: Web) -> Web:
    """Can be handed connections from one place only."""
    return own_web


@shared_loop
async def port(web: Web, tmp_path: Path) -> AsyncIterator[int]:
    await web.server.receive(tmp_path / "handover.sock")
    async with tiny_ingest(tmp_path / "handover.sock") as port:
        yield port


def caller(url: str, **options: Any) -> httpx.AsyncClient:
    """Reads no certificates, of which there are many, for a connection without TLS."""
    return httpx.AsyncClient(base_url=url, verify=False, **options)


async def test_a_handed_over_connection_is_answered_and_kept(port: int, org: Org) -> None:
    async with caller(f"http://localhost:{port}", headers=org.headers) as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/api/v1/me")).status_code == 200
        body = {"name": "x" * 100, "scopes": ["*"]}
        assert (await client.post("/api/v1/api-keys", json=body)).status_code == 201


async def test_a_body_may_come_before_and_after_the_handover(port: int, org: Org) -> None:
    events = [{"type": "a", "payload": {"x": "y" * 1000}} for _ in range(1000)]
    async with caller(f"http://localhost:{port}", headers=org.headers) as client:
        answer = await client.post("/api/v1/events", json=events)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1000)


@asynccontextmanager
async def lean_ingest(web: Web, path: Path) -> AsyncIterator[int]:
    """The server of the ingest process; yields its port."""
    await web.server.receive(path)
    giver = SocketHandover(path)
    shared = Shared(intake=web.desk.intake, keys=web.desk.key_ring, handover=giver)
    server = await serve("127.0.0.1", 0, shared)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    giver.close()


async def test_one_connection_may_send_events_and_then_ask_for_anything_else(
    web: Web, org: Org, tmp_path: Path
) -> None:
    one = httpx.Limits(max_connections=1)
    async with (
        lean_ingest(web, tmp_path / "lean.sock") as port,
        caller(f"http://127.0.0.1:{port}", headers=org.headers, limits=one) as client,
    ):
        opened = []
        for _ in range(2):
            for body in ({"type": "a"}, [{"type": "a", "payload": {"x": "y" * 1000}} for _ in range(1000)]):
                assert (await client.post("/api/v1/events", json=body)).status_code == 202
            answer = await client.get("/api/v1/me")
            assert answer.status_code == 200, answer.text
            stream = answer.extensions["network_stream"]
            opened.append(stream.get_extra_info("client_addr"))
    assert opened[0] == opened[1]


async def test_who_does_not_wait_for_an_answer_is_told_to_ask_again(
    web: Web, org: Org, tmp_path: Path
) -> None:
    head = ("POST /api/v1/events HTTP/1.1", "Host: x", f"Authorization: {org.headers['Authorization']}")
    event = b'{"type": "a"}'
    sent = "\r\n".join((*head, "Content-Type: application/json", f"Content-Length: {len(event)}", "", ""))
    both = sent.encode() + event + b"GET /api/v1/me HTTP/1.1\r\nHost: x\r\n\r\n"
    async with lean_ingest(web, tmp_path / "lean.sock") as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(both)
        said = await asyncio.wait_for(reader.read(), 30)
        writer.close()
    assert b"HTTP/1.1 421 " in said


@pytest.mark.parametrize("request_line", ["GET /api/v1/me", "POST /api/v1/events"])
@pytest.mark.parametrize("size", [65_500, 66_000, 100_000, 500_000])
async def test_a_head_that_is_too_long_is_refused_however_it_arrives(
    web: Web, tmp_path: Path, request_line: str, size: int
) -> None:
    head = f"{request_line} HTTP/1.1\r\nHost: x\r\nX-Long: {'a' * size}\r\nContent-Length: 0\r\n\r\n"
    async with lean_ingest(web, tmp_path / "lean.sock") as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode())
        said = await asyncio.wait_for(reader.read(), 30)
        writer.close()
    assert said.startswith(b"HTTP/1.1 431 ") and b'"code":"head_too_large"' in said


async def test_an_unknown_parameter_of_an_events_query_is_named(web: Web, org: Org, tmp_path: Path) -> None:
    async with (
        lean_ingest(web, tmp_path / "lean.sock") as port,
        caller(f"http://127.0.0.1:{port}", headers=org.headers) as client,
    ):
        refused = await client.post("/api/v1/events?replay=january&x", json={"type": "a"})
        assert (await client.post("/api/v1/events?", json={"type": "a"})).status_code == 202
    assert refused.status_code == 422
    assert [fault["field"] for fault in refused.json()["errors"]] == ["replay", "x"]


async def test_the_clients_own_address_is_seen(web: Web, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str]] = []
    throttle = web.services.throttle
    monkeypatch.setattr(type(throttle), "check", lambda _self, address, email: seen.append((address, email)))
    async with caller(f"http://127.0.0.1:{port}") as client:
        await client.post("/api/v1/auth/login", json={"email": "a@b.test", "password": "x" * 12})
    assert seen == [("127.0.0.1", "a@b.test")]


async def test_a_socket_can_be_upgraded_after_the_handover(
    web: Web, port: int, client: httpx.AsyncClient
) -> None:
    ticket = (await client.post("/api/v1/auth/ws-ticket")).json()["ticket"]
    socket = await websocket_connect(HTTPRequest(f"ws://localhost:{port}/ws?ticket={ticket}"))
    await eventually(lambda: web.services.hub.watching == 1)
    await hang_up(socket)
    await eventually(lambda: web.services.hub.watching == 0)


async def test_many_connections_at_once_get_their_own_answers(port: int) -> None:
    async def ask(i: int) -> bool:
        async with caller(f"http://localhost:{port}") as client:
            answer = await client.get("/healthz", headers={"X-Request-ID": f"request-{i}"})
            return answer.headers["X-Request-ID"] == f"request-{i}"

    assert all(await asyncio.gather(*(ask(i) for i in range(60))))


async def test_a_giver_that_talks_nonsense_is_dropped_and_the_next_one_is_served(
    web: Web, tmp_path: Path
) -> None:
    path = tmp_path / "handover.sock"
    await web.server.receive(path)
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(struct.pack(">I", HEAD_MAX + 1))
    assert await reader.read() == b""
    writer.close()
    async with (
        tiny_ingest(path) as port,
        caller(f"http://localhost:{port}") as client,
    ):
        assert (await client.get("/healthz")).status_code == 200


async def test_only_this_account_may_hand_over(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "handover.sock"
    await web.server.receive(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_frames_are_put_together_from_any_pieces() -> None:
    ours, theirs = socket.socketpair()
    frames = Frames()
    wire = b"".join(struct.pack(">I", len(head)) + head for head in (b"GET /", b"", b"x" * 5000))
    frames.found([ours.dup().detach() for _ in range(3)])
    complete = [found for i in range(len(wire)) for found in frames.feed(wire[i : i + 1])]
    assert [head for _, head in complete] == [b"GET /", b"", b"x" * 5000]
    for connection, _ in complete:
        connection.close()
    ours.close()
    theirs.close()


@pytest.mark.parametrize(
    "wire", [struct.pack(">I", HEAD_MAX + 1), struct.pack(">I", 1) + b"x"], ids=["too long", "alone"]
)
def test_a_frame_that_is_too_long_or_has_no_connection_is_refused(wire: bytes) -> None:
    with pytest.raises(ValueError, match="frame"):
        Frames().feed(wire)


def test_connections_whose_frames_never_came_are_let_go() -> None:
    ours, theirs = socket.socketpair()
    frames = Frames()
    frames.found([ours.detach()])
    frames.close()
    assert theirs.recv(1) == b""
    theirs.close()
