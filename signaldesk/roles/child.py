"""One process of `up`: started early, told later where the servers are, started again when it dies."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress

from signaldesk.log import get_logger
from signaldesk.roles.nursery import Born, Nursery

log = get_logger(__name__)

BACK_OFF = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds before a process is started again; the last one from then on."""
HEALTHY = 30.0
"""A process that lived so long begins with the first of them."""
PATIENCE = 15.0
"""Seconds a process may take to stop."""


class Child:
    """Plays its roles in a process of their own for as long as that is wanted."""

    def __init__(self, roles: Sequence[str], nursery: Nursery, *, listeners: Sequence[int] = ()) -> None:
        """`listeners`: file descriptors of sockets that the process inherits."""
        self.name = "+".join(roles)
        self._roles = tuple(roles)
        self._nursery = nursery
        self._listeners = tuple(listeners)
        self._told: bytes | None = None
        self._born: Born | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Start it; it prepares itself and waits to be told."""
        await self._bear()
        self._keeping = asyncio.create_task(self._keep())

    def tell(self, line: bytes) -> None:
        """What it works with; a successor is told the same."""
        self._told = line
        self._say()

    async def stop(self) -> None:
        """Let it finish, wait until it is gone; end it when that takes too long."""
        self._stopping.set()
        if self._born is None or self._keeping is None:
            return
        self._signal(signal.SIGTERM)
        done, _ = await asyncio.wait({self._keeping}, timeout=PATIENCE)
        if not done:
            log.warning(f"{self.name} did not stop in {PATIENCE:g} s and is ended")
            self._signal(signal.SIGKILL)
            await self._keeping

    async def _bear(self) -> None:
        self._born = await self._nursery.bear(self._roles, self._listeners)
        self._say()

    def _say(self) -> None:
        if self._told is not None and self._born is not None and not self._born.ended.done():
            with suppress(BrokenPipeError):
                self._born.say(self._told)

    async def _keep(self) -> None:
        """Wait for it to end; start it again unless it was to end."""
        loop = asyncio.get_running_loop()
        failures = 0
        while self._born is not None:
            since = loop.time()
            code = await self._born.ended
            if self._stopping.is_set():
                return
            failures = 0 if loop.time() - since > HEALTHY else failures
            pause = BACK_OFF[min(failures, len(BACK_OFF) - 1)]
            failures += 1
            log.warning(f"{self.name} {_ended(code)}; starting it again in {pause:g} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
                return
            await self._bear()

    def _signal(self, number: signal.Signals) -> None:
        if self._born is not None and not self._born.ended.done():
            with suppress(ProcessLookupError):
                os.kill(self._born.pid, number)


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was killed by {signal.Signals(-code).name}"
