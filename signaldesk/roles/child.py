"""One process of `up`: started early, told later where the servers are, started again when it dies."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from signaldesk.log import get_logger

log = get_logger(__name__)

BACK_OFF = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds before a child is started again; the last one from then on."""
HEALTHY = 30.0
"""A child that lived so long begins with the first of them."""
PATIENCE = 15.0
"""Seconds a child may take to stop."""


class Child:
    """Runs `python -m signaldesk.roles ROLE …` for as long as it is wanted.

    The child's standard input is its lifeline: it ends with us, however we end.
    """

    def __init__(self, roles: Sequence[str], *, inherit: Sequence[int] = ()) -> None:
        """`inherit`: file descriptors that the child gets under the same numbers."""
        self.name = "+".join(roles)
        self._command = [sys.executable, "-m", "signaldesk.roles", *roles]
        self.inherited = tuple(inherit)
        self._told: bytes | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def start(self) -> None:
        """Start it; it imports what it needs and waits to be told."""
        await self._spawn()
        self._keeping = asyncio.create_task(self._keep())

    def tell(self, line: bytes) -> None:
        """What it works with; a child that is started again is told the same."""
        self._told = line
        self._say(line)

    def hurry(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    async def stop(self) -> None:
        """Let it finish, wait until it is gone; end it when that takes too long."""
        self._stopping.set()
        if self._process is None or self._keeping is None:
            return
        self._signal(signal.SIGTERM)
        if self._told is None and self._process.stdin is not None:
            self._process.stdin.close()
        done, _ = await asyncio.wait({self._keeping}, timeout=PATIENCE)
        if not done:
            log.warning(f"{self.name} did not stop in {PATIENCE:g} s and is ended", pid=self._process.pid)
            self.hurry()
            await self._keeping

    async def _spawn(self) -> None:
        # A session of its own: Ctrl-C in a terminal reaches us alone, and we stop the children in order.
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=sys.stderr,
            start_new_session=True,
            pass_fds=self.inherited,
        )
        if self._told is not None:
            self._say(self._told)

    def _say(self, line: bytes) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.write(line)

    async def _keep(self) -> None:
        """Wait for it to end; start it again unless it was to end."""
        loop = asyncio.get_running_loop()
        failures = 0
        while self._process is not None:
            since = loop.time()
            code = await self._process.wait()
            if self._stopping.is_set():
                return
            failures = 0 if loop.time() - since > HEALTHY else failures
            pause = BACK_OFF[min(failures, len(BACK_OFF) - 1)]
            failures += 1
            log.warning(f"{self.name} {_ended(code)}; starting it again in {pause:g} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
                return
            await self._spawn()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)


def _ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was killed by {signal.Signals(-code).name}"
