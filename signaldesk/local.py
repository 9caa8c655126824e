"""This machine's SignalDesk, for commands and for Python: a running `up`, or the servers of the settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from signaldesk.desk import Desk
    from signaldesk.roles.place import Running
    from signaldesk.settings import Settings, Urls


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
