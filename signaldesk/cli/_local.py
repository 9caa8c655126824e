"""Commands that work on this machine's SignalDesk: a running `up`, or the servers of the settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from signaldesk.desk import Desk
    from signaldesk.roles.place import Running
    from signaldesk.settings import Settings, Urls

T = TypeVar("T")

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Folder of the running `signaldesk up` to talk to."),
]
OrgName = Annotated[
    str | None,
    typer.Option("--org", metavar="SLUG", help="The organisation; needed when there are several."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def find(data: Path | None) -> tuple[Settings, Urls, Running | None]:
    """The settings, where the servers are, and the `up` that runs them, if one does.

    URLs in the settings win, unless --data names a folder. Raises SettingsError when neither helps.
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
async def opened(data: Path | None) -> AsyncIterator[Desk]:
    """A desk on what `find` found, whose database is migrated. Raises SettingsError, Unavailable."""
    from signaldesk.desk import opened as open_desk
    from signaldesk.errors import Unavailable

    settings, urls, _ = find(data)
    async with open_desk(settings, urls, role="command line") as desk:
        current, newest = await desk.health.schema()
        if current != newest:
            raise Unavailable(f"the schema is not at {newest}; run `signaldesk db upgrade`")
        yield desk


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work; warnings go to standard error."""
    from signaldesk import log

    log.configure(json=False, level="warning")
    return asyncio.run(work)
