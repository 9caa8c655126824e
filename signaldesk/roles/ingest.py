"""The ingest role: takes events over HTTP, and gives every other connection to web when `up` runs both."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from functools import partial

from signaldesk.desk import Desk
from signaldesk.intake.handover import SocketHandover
from signaldesk.intake.server import Connection, Shared
from signaldesk.log import get_logger
from signaldesk.roles.assignment import Assignment
from signaldesk.roles.listening import addresses, bind
from signaldesk.roles.role import Role

log = get_logger(__name__)

PATIENCE = 5.0
"""Seconds that requests under way get at a stop."""


async def main(desk: Desk, told: Assignment, stop: asyncio.Event) -> None:
    handover = SocketHandover(told.handover) if told.handover else None
    shared = Shared(intake=desk.intake, keys=desk.key_ring, handover=handover)
    listeners = told.listeners or bind(told.settings.host, told.settings.port)
    # A batch is a thousand objects at once, none of them in a cycle; to look through them each time was
    # measured to cost a twelfth of reading them.
    gc.set_threshold(50_000, 20, 20)
    loop = asyncio.get_running_loop()
    async with desk.key_ring:
        servers = [await loop.create_server(partial(Connection, shared), sock=one) for one in listeners]
        log.info("listening", at=addresses(listeners))
        await stop.wait()
        await _finish(servers, shared)
    if handover is not None:
        handover.close()


async def _finish(servers: Sequence[asyncio.Server], shared: Shared) -> None:
    """Take no further connections, answer what was asked, close."""
    for server in servers:
        server.close()
    deadline = asyncio.get_running_loop().time() + PATIENCE
    for connection in list(shared.connections):
        connection.close()
    while shared.connections and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110  theirs to end
        await asyncio.sleep(0.01)


ROLE = Role("ingest", main, uvloop=True)
