"""`up`: everything in one go, in the order that makes it quick.

1. Take the data folder and the port: what cannot work fails before anything is started.
2. Start the processes: `web` first, because it has most to import.
3. Meanwhile start the bundled servers, and migrate.
4. Tell the processes where the servers are, and wait until /readyz says yes.
5. Keep everything running until a signal; then stop in order, so that nothing waits for something gone.

However this process ends, even by kill -9, the others end with it: each holds a lifeline.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from signaldesk.errors import Unavailable
from signaldesk.log import get_logger
from signaldesk.roles import assignment
from signaldesk.roles.child import Child
from signaldesk.roles.cradle import Begun
from signaldesk.roles.listening import CannotStart, bind, local_address
from signaldesk.roles.nursery import Nursery
from signaldesk.roles.place import Place, Running
from signaldesk.roles.servers import Servers
from signaldesk.roles.signals import stop_on_signals
from signaldesk.settings import Settings

log = get_logger(__name__)

READY_WITHIN = 60.0
LOOK_EVERY = 0.02


@dataclass(frozen=True)
class Ready:
    """Everything serves. `anybody` says whether there is a user yet."""

    running: Running
    anybody: bool
    seconds: float
    """Since this process began to start things."""


class Supervisor:
    """`run` returns when it was stopped by a signal."""

    def __init__(
        self,
        settings: Settings,
        *,
        more: Sequence[str] = (),
        begun: Begun | None = None,
        on_ready: Callable[[Ready], Awaitable[None]],
    ) -> None:
        """`more`: further roles that run beside the usual ones, each in a process of its own. `begun`: the
        nursery, when it is started already. `on_ready` is called once, when everything serves."""
        self._begun = begun
        self._settings = settings
        self._more = tuple(more)
        self._on_ready = on_ready

    async def run(self) -> None:
        """Raises CannotStart, EmbeddedError or SettingsError; then nothing is left running."""
        loop = asyncio.get_running_loop()
        began, stop = loop.time(), stop_on_signals()
        async with AsyncExitStack() as stack:
            place = stack.enter_context(Place(self._settings.data_dir))
            listeners = bind(self._settings.host, self._settings.port)
            for listener in listeners:
                stack.callback(listener.close)
            settings = with_addresses(self._settings, listeners)
            family = Family(listeners, self._more, self._begun)
            servers = Servers(settings)
            stack.push_async_callback(servers.stop)
            stack.push_async_callback(family.stop)
            starting = asyncio.create_task(self._start(settings, place, family, servers, listeners))
            if not await _done_before(starting, stop):
                return
            running, anybody = starting.result()
            await self._on_ready(Ready(running, anybody, loop.time() - began))
            await stop.wait()
            log.info("stopping")

    async def _start(
        self,
        settings: Settings,
        place: Place,
        family: Family,
        servers: Servers,
        listeners: Sequence[socket.socket],
    ) -> tuple[Running, bool]:
        urls, schema, _ = await asyncio.gather(
            servers.start(), asyncio.to_thread(_import_schema), family.start()
        )
        log.debug("servers are there")
        if settings.redis_url is not None:  # a bundled one answers already
            await _named("SIGNALDESK_REDIS_URL", _reach_redis(urls.redis))
        upgrading = asyncio.to_thread(schema.bring_up_to_date, urls.database)
        await (upgrading if settings.database_url is None else _named("SIGNALDESK_DATABASE_URL", upgrading))
        log.debug("schema is current")
        family.tell(assignment.encode(_overrides(settings), urls, place.handover))
        host, port = local_address(listeners[0])
        running = Running(
            pid=os.getpid(),
            url=f"http://{f'[{host}]' if ':' in host else host}:{port}",
            base_url=settings.base_url,
            database_url=urls.database,
            redis_url=urls.redis,
        )
        place.announce(running)
        await _until_ready(host, port, place.handover)
        return running, await asyncio.to_thread(schema.anybody, urls.database)


class Family:
    """The processes, in the order in which they are started and told to stop."""

    def __init__(self, listeners: Sequence[socket.socket], more: Sequence[str], begun: Begun | None) -> None:
        self._nursery = nursery = Nursery(begun)
        numbers = [listener.fileno() for listener in listeners]
        self._guests = [Child([name], nursery) for name in more]
        self._web, self._ingest = Child(["web"], nursery), Child(["ingest"], nursery, listeners=numbers)
        self._processor, self._rest = (
            Child(["processor"], nursery),
            Child(["dispatcher", "scheduler"], nursery),
        )
        self._all = [self._web, self._ingest, self._processor, self._rest, *self._guests]

    async def start(self) -> None:
        for child in self._all:
            await child.start()

    def tell(self, line: bytes) -> None:
        for child in self._all:
            child.tell(line)

    async def stop(self) -> None:
        """Who brings events stops first, who sends messages last."""
        for together in ([*self._guests, self._ingest, self._web], [self._processor], [self._rest]):
            await asyncio.gather(*(child.stop() for child in together))
        await self._nursery.close()


async def _named(setting: str, asking: Awaitable[Any]) -> None:
    """Raises CannotStart that names the setting when its server cannot be reached. Better said at once and
    once than by every process that would wait for it."""
    try:
        await asking
    except Unavailable as error:
        raise CannotStart(f"{setting}: {error.detail}; start that server, or mend the setting") from None


async def _reach_redis(url: str) -> None:
    """Raises Unavailable."""
    from signaldesk.stream.client import reach

    await reach(url)


def _import_schema() -> ModuleType:
    """`store.schema`; importing it takes long enough to do it in a thread."""
    from signaldesk.store import schema

    return schema


def with_addresses(settings: Settings, listeners: Sequence[socket.socket]) -> Settings:
    """The settings with the port that was found, and a base URL that leads there unless one was given."""
    port = listeners[0].getsockname()[1]
    changes: dict[str, Any] = {"port": port}
    if "base_url" not in settings.model_fields_set:
        everywhere = settings.host in ("0.0.0.0", "::", "127.0.0.1", "::1", "localhost")
        host = "localhost" if everywhere else settings.host
        changes["base_url"] = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    return settings.model_copy(update=changes)


def _overrides(settings: Settings) -> dict[str, Any]:
    """The settings that children cannot find in the environment, where ours came from."""
    names = ("data_dir", "host", "port", "base_url", "log_level", "log_format")
    return {name: getattr(settings, name) for name in names}


async def _done_before(task: asyncio.Task[Any], stop: asyncio.Event) -> bool:
    """Whether the task ended before the event was set; else it is broken off. Raises what it raised."""
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if task.done():
        task.result()
        return True
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return False


async def _until_ready(host: str, port: int, handover: Path) -> None:
    """Ask /readyz, once web is there, until it answers 200. Raises CannotStart when that takes too long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + READY_WITHIN
    while loop.time() < deadline:
        if handover.exists() and await _ready(host, port):  # noqa: ASYNC240  one stat of a local file
            return
        await asyncio.sleep(LOOK_EVERY)
    raise CannotStart(f"not ready after {READY_WITHIN:.0f} s; the lines above say why")


async def _ready(host: str, port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    try:
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return b" 200 " in await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()
