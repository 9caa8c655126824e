"""This machine's SignalDesk, for commands and for Python: a running `up`, or the servers of the settings."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

if TYPE_CHECKING:
    from signaldesk.client import desk as client
    from signaldesk.desk import Desk
    from signaldesk.roles.place import Running
    from signaldesk.settings import Settings, Urls

T = TypeVar("T")


def find(data: Path | None) -> tuple[Settings, Urls, Running | None]:
    """The settings, where the servers are, and the `up` that runs them, if one does.

    URLs in the settings win, unless a folder is named. Raises SettingsError when neither helps.
    """
    from signaldesk import settings as settings_module
    from signaldesk.errors import SettingsError
    from signaldesk.roles import place
    from signaldesk.settings import Urls

    settings = settings_module.load(data_dir=data)
    running = place.find(settings.data_dir)
    database, redis = settings.database_url, settings.redis_url
    if running is not None and (data is not None or database is None or redis is None):
        return (
            settings.model_copy(update={"base_url": running.base_url}),
            Urls(running.database_url, running.redis_url),
            running,
        )
    if database is not None and redis is not None:
        return settings, Urls(database.get_secret_value(), redis.get_secret_value()), None
    raise SettingsError(
        f"nothing runs in {settings.data_dir}; start it with `signaldesk up`, name its folder with --data, "
        "or set SIGNALDESK_DATABASE_URL and SIGNALDESK_REDIS_URL"
    )


@asynccontextmanager
async def opened(data: Path | None, *, role: str = "command line") -> AsyncIterator[Desk]:
    """A desk on what `find` found, whose database is migrated. Raises SettingsError, Unavailable."""
    from signaldesk.desk import opened as open_desk
    from signaldesk.errors import Unavailable

    settings, urls, _ = find(data)
    async with open_desk(settings, urls, role=role) as desk:
        current, newest = await desk.health.schema()
        if current != newest:
            raise Unavailable(f"the schema is not at {newest}; run `signaldesk db upgrade`")
        yield desk


def connect(
    url: str | None = None, *, api_key: str | None = None, org: str | None = None, data: Path | None = None
) -> client.Desk:
    """A desk: of the installation at `url`, with an API key, or of this machine.

    Without arguments, SIGNALDESK_URL and SIGNALDESK_API_KEY are looked at first. `org` is needed on this
    machine when it has several. Raises SignalDeskError that says what is missing.
    """
    from signaldesk.client.desk import remote
    from signaldesk.errors import SettingsError

    url = url or (None if org or data else os.environ.get("SIGNALDESK_URL"))
    if url is None:
        return _Here(data, org).desk
    key = api_key or os.environ.get("SIGNALDESK_API_KEY")
    if key is None:
        raise SettingsError(
            "an API key is needed: give api_key=… or set SIGNALDESK_API_KEY; "
            "`signaldesk keys create --scopes query:read` makes one"
        )
    return remote(url, key)


class _Here:
    """A desk of this machine with an event loop of its own, for callers that may have one already."""

    def __init__(self, data: Path | None, org: str | None) -> None:
        from signaldesk.client.desk import Desk

        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="signaldesk", daemon=True)
        self._thread.start()
        self._stack = AsyncExitStack()
        try:
            self._desk, self._org = self._wait(self._open(data, org))
        except BaseException:
            self.close()
            raise
        self.desk = Desk(self._ask, where=self._desk.settings.base_url, close=self.close)

    def close(self) -> None:
        if not self._loop.is_closed():
            self._wait(self._stack.aclose())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _open(self, data: Path | None, org: str | None) -> tuple[Desk, UUID]:
        desk = await self._stack.enter_async_context(opened(data, role="python"))
        return desk, (await desk.orgs.choose(org)).id

    @contextmanager
    def _ask(self, sql: str) -> Iterator[Iterator[bytes]]:
        result = self._wait(self._desk.queries.ask(self._org, sql, "arrow"))
        pieces = aiter(result)
        try:
            yield iter(lambda: self._wait(anext(pieces, b"")), b"")
        finally:
            result.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
