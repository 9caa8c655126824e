"""A Redis that answers but takes nothing: 503 with Retry-After, and who asks again later loses nothing."""

from __future__ import annotations

import asyncio
import gzip
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
import redis

from signaldesk.embedded import EmbeddedValkey
from signaldesk.intake.server import Shared, serve
from signaldesk.model.event import decode
from tests.support import eventually_now
from tests.support.sharing import shared_loop
from tests.support.web import Org, Web, running_web

REQUESTS: list[tuple[list[dict[str, Any]], dict[str, str]]] = [
    ([{"type": "plain", "payload": {"n": n}} for n in range(600)], {}),
    ([{"type": "own id", "payload": {}, "id": str(UUID(int=n + 1))} for n in range(3)], {}),
    ([{"type": "keyed", "payload": {}}], {"Idempotency-Key": "k"}),
]
WANTED = Counter({"plain": 600, "own id": 3, "keyed": 1})


@shared_loop
async def web(database_url: str, own_valkey: EmbeddedValkey) -> AsyncIterator[Web]:
    async with running_web(database_url, own_valkey.url) as web:
        yield web


@shared_loop
async def org(web: Web) -> Org:
    return await web.found("Acme")


@pytest_asyncio.fixture(loop_scope="session", params=["ingest", "web"])
async def client(request: pytest.FixtureRequest, web: Web, org: Org) -> AsyncIterator[httpx.AsyncClient]:
    """Asks the lean server of the ingest process, or the web server."""
    if request.param == "web":
        async with web.client(headers=org.headers) as client:
            yield client
        return
    shared = Shared(intake=web.desk.intake, keys=web.desk.key_ring, handover=None)
    server = await serve("127.0.0.1", 0, shared)
    port = server.sockets[0].getsockname()[1]
    async with httpx.AsyncClient(
        verify=False, base_url=f"http://127.0.0.1:{port}", headers=org.headers
    ) as client:
        yield client
    server.close()
    await server.wait_closed()


def no_memory(valkey: redis.Redis, home: Path) -> Callable[[], object]:
    valkey.config_set("maxmemory", 1)
    return lambda: valkey.config_set("maxmemory", 0)


def a_replica(valkey: redis.Redis, home: Path) -> Callable[[], object]:
    valkey.replicaof("127.0.0.1", "1")
    return lambda: valkey.replicaof("NO", "ONE")


def too_few_replicas(valkey: redis.Redis, home: Path) -> Callable[[], object]:
    valkey.config_set("min-replicas-to-write", 1)
    return lambda: valkey.config_set("min-replicas-to-write", 0)


def no_snapshot(valkey: redis.Redis, home: Path) -> Callable[[], object]:
    """As many set Redis up: it takes nothing while the snapshots it is to make cannot be written."""
    valkey.config_set("save", "3600 1")
    home.chmod(0o500)
    valkey.bgsave()
    eventually_now(lambda: valkey.info("persistence")["rdb_last_bgsave_status"] == "err")

    def mend() -> None:
        home.chmod(0o700)
        valkey.config_set("save", "")

    return mend


async def taken(web: Web, org: Org) -> Counter[str]:
    """The events of each type that are in the organisation's stream."""
    partition = (await web.desk.key_ring.principal(org.key)).partition
    entries = await web.desk.stream.read(partition, 0, 1_000, 1)
    return Counter(event.type for entry in entries for event in decode(entry.events))


@pytest.mark.parametrize("refuse", [no_memory, a_replica, too_few_replicas, no_snapshot])
async def test_a_redis_that_takes_nothing(
    web: Web,
    org: Org,
    client: httpx.AsyncClient,
    own_valkey: EmbeddedValkey,
    refuse: Callable[[redis.Redis, Path], Callable[[], object]],
) -> None:
    with redis.Redis.from_url(own_valkey.url) as valkey:
        accept_again = refuse(valkey, own_valkey.home)
        for events, headers in REQUESTS:
            answer = await client.post("/api/v1/events", json=events, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
            assert int(answer.headers["Retry-After"]) >= 1
        assert not await taken(web, org)
        accept_again()
    for events, headers in REQUESTS:
        answer = await client.post("/api/v1/events", json=events, headers=headers)
        assert (answer.status_code, answer.json()["accepted"]) == (202, len(events)), answer.text
    assert await taken(web, org) == WANTED


@cache
def packed(bomb: Callable[[], bytes]) -> bytes:
    """At the top of the file every worker would pack every bomb, whoever runs the test."""
    return gzip.compress(bomb(), 9)


@pytest.mark.parametrize(
    ("bomb", "status"),
    [
        (lambda: b" " * 200_000_000, 413),
        (lambda: b"[" + b"1," * 100_000_000, 413),
        (lambda: b'{"type":"a","payload":{"x":"%s"}}' % (b"x" * 2_000_000), 413),
        (lambda: gzip.compress(b" " * 200_000_000, 9), 400),
    ],
    ids=["blanks", "numbers", "one event", "twice"],
)
async def test_a_gzip_bomb_is_refused(
    client: httpx.AsyncClient, bomb: Callable[[], bytes], status: int
) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    answer = await client.post("/api/v1/events", content=packed(bomb), headers=headers)
    assert answer.status_code == status
    assert "Traceback" not in answer.text


async def test_a_client_that_only_listens_once_it_has_said_all_hears_that_it_was_too_much(
    client: httpx.AsyncClient,
) -> None:
    """As Python's own HTTP client does: a connection reset while it sends would be all that it is told."""

    def post() -> int:
        headers = {**client.headers, "Content-Type": "application/json"}
        host, port = client.base_url.host, client.base_url.port
        with closing(HTTPConnection(host, port, timeout=30)) as connection:
            connection.request("POST", "/api/v1/events", b" " * (24 << 20), headers)
            with connection.getresponse() as answer:
                return answer.status

    assert [await asyncio.to_thread(post) for _ in range(3)] == [413] * 3
