"""The bundled Postgres and Valkey of an `up`: started together, watched, started again when they die."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from signaldesk import embedded
from signaldesk.embedded import EmbeddedServer
from signaldesk.errors import EmbeddedError
from signaldesk.log import get_logger
from signaldesk.roles.ending import end_of
from signaldesk.settings import Settings, Urls

log = get_logger(__name__)

AGAIN = 1.0
"""Seconds between two tries to start a server again."""


class Servers:
    """The servers of the settings, with a bundled one for each that they do not name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._exits = ExitStack()
        self._starting: asyncio.Future[embedded.Servers] | None = None
        self._watching: list[asyncio.Task[None]] = []

    async def start(self) -> Urls:
        """Raises EmbeddedError."""
        settings = self._settings
        database, redis = settings.database_url, settings.redis_url
        wanted = embedded.servers(
            database_url=database.get_secret_value() if database else None,
            redis_url=redis.get_secret_value() if redis else None,
            data_dir=settings.data_dir,
        )
        self._starting = asyncio.ensure_future(asyncio.to_thread(self._exits.enter_context, wanted))
        found = await asyncio.shield(self._starting)
        self._watching = [
            asyncio.create_task(_keep(server)) for server in found.embedded if not server.adopted
        ]
        return Urls(found.database_url, found.redis_url)

    async def stop(self) -> None:
        """Stop ours, also when they are only just starting."""
        if self._starting is not None:
            await asyncio.gather(self._starting, return_exceptions=True)
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        await asyncio.to_thread(self._exits.close)


async def _keep(server: EmbeddedServer) -> None:
    """Start the server again whenever it dies; everybody else waits for it meanwhile."""
    while True:
        await end_of(server.pid)
        title = server.kind.title
        log.warning(f"the bundled {title} died; starting it again")
        while True:
            try:
                await asyncio.to_thread(server.restart)
                break
            except EmbeddedError as error:
                log.error(f"the bundled {title} cannot be started", reason=error.detail)
                await asyncio.sleep(AGAIN)
        log.warning(f"the bundled {title} is back")
