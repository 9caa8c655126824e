"""A web server of a test's own, on a free port, with an organisation to ask for."""

from __future__ import annotations

import atexit
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx
from prometheus_client import CollectorRegistry
from pwdlib.hashers.argon2 import Argon2Hasher
from tornado.websocket import WebSocketClientConnection

from signaldesk.accounts.passwords import Passwords
from signaldesk.accounts.sessions import Sessions
from signaldesk.accounts.throttle import Throttle
from signaldesk.accounts.users import Founded, Users
from signaldesk.desk import Desk, Urls
from signaldesk.history.sandbox.launcher import Launcher
from signaldesk.settings import Settings
from signaldesk.store.alerts import AlertStore
from signaldesk.store.notifications import NotificationStore
from signaldesk.stream.live import LiveFeed
from signaldesk.stream.tickets import Tickets
from signaldesk.web import server
from signaldesk.web.hub import Hub
from signaldesk.web.plant import Plant
from signaldesk.web.server import WebServer
from signaldesk.web.services import Services
from tests.support.waiting import eventually

PASSWORD = "correct horse battery"
SECRET = b"a secret of thirty-two characters"
NAMES = (f"Acme{number}" for number in count(1))
"""Of organisations, none of them twice: tests may share a server."""

LAUNCHER = Launcher()
"""Of the queries of all servers: what they are forked from takes most of a second to start."""
atexit.register(LAUNCHER.close)


@dataclass(frozen=True)
class Org:
    """An organisation, its owner's e-mail, and a key that may do everything."""

    founded: Founded
    name: str
    email: str
    key: str

    @property
    def id(self) -> Any:
        return self.founded.org_id

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


@dataclass(frozen=True)
class Web:
    """A running server and the services behind it."""

    url: str
    server: WebServer
    services: Services
    desk: Desk
    feed: LiveFeed

    def client(self, **options: Any) -> httpx.AsyncClient:
        # Without TLS there is nothing to verify, and no need to read the certificates of the world each time.
        return httpx.AsyncClient(base_url=self.url, timeout=10, verify=False, **options)

    async def found(self, name: str) -> Org:
        email = f"owner@{name.lower()}.test"
        founded = await self.services.users.found(org=name, email=email, password=PASSWORD, name="Mira Kern")
        _, key = await self.services.keys.create(founded.org_id, scopes=["*"])
        return Org(founded, name, email, key)


@asynccontextmanager
async def running_web(
    database_url: str,
    redis_url: str,
    *,
    pages: bool = False,
    opened: bool = True,
    port: int = 0,
    **settings: Any,
) -> AsyncIterator[Web]:
    """A server; it is its own origin, so its port is chosen before anything else.

    `opened`: with its pages open already, if it has any.
    """
    port = port or _free_port()
    url = f"http://localhost:{port}"
    desk = Desk(Settings(base_url=url, **settings), Urls(database_url, redis_url), launcher=LAUNCHER)
    feed = LiveFeed(desk.redis)
    services = services_of(desk, feed)
    try:
        async with server.running(services, pages=pages) as web:
            web.listen("127.0.0.1", port)
            if opened:
                await web.open_pages()
            yield Web(url, web, services, desk, feed)
    finally:
        await desk.close()


def services_of(desk: Desk, feed: LiveFeed) -> Services:
    """As the web role builds them, but with passwords that are cheap to check."""
    cheap = Argon2Hasher(time_cost=1, memory_cost=1024, parallelism=1)
    database, clock = desk.database, desk.clock
    return Services(
        settings=desk.settings,
        clock=clock,
        secret=SECRET,
        database=database,
        news=desk.news,
        hub=Hub(feed=feed, flush_s=0.05),
        users=Users(database=database, passwords=Passwords(cheap)),
        sessions=Sessions(database=database, clock=clock),
        throttle=Throttle(clock),
        keys=desk.api_keys,
        ring=desk.key_ring,
        tickets=Tickets(desk.redis),
        intake=desk.intake,
        rules=desk.rules,
        rule_history=desk.rule_history,
        explainer=desk.explainer,
        queries=desk.queries,
        backtests=desk.backtests,
        history=desk.history,
        channels=desk.channels,
        alerts=AlertStore(database=database),
        alert_story=desk.alert_story,
        silences=desk.silences,
        labels=desk.labels,
        events=desk.event_finder,
        notifications=NotificationStore(database=database),
        registry=CollectorRegistry(),
        plant=Plant(health=desk.health, stream=desk.stream_health, clock=desk.clock),
    )


async def paged(client: httpx.AsyncClient, path: str, *, limit: int, items: str = "items") -> list[Any]:
    """Everything of a list, page by page of at most `limit`."""
    found: list[Any] = []
    params = {"limit": str(limit)}
    while True:
        answer = await client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page[items]) == limit or page["next"] is None
        found += page[items]
        if page["next"] is None:
            return found
        params["cursor"] = page["next"]


async def hang_up(line: WebSocketClientConnection) -> None:
    """Close a WebSocket and wait until it is: what is only told to close outlives its test."""
    line.close()
    while await line.read_message() is not None:
        pass
    await eventually(lambda: line.stream is None or line.stream.closed())


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
