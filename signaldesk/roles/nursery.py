"""Where the processes of `up` come from: the supervisor's side of `signaldesk.roles.__main__`."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field

from signaldesk.log import get_logger
from signaldesk.roles import cradle
from signaldesk.roles.ending import end_of

log = get_logger(__name__)

LOST = -9
"""Exit code of a process of which nobody knows how it ended."""


@dataclass
class Born:
    """A process. `line` is our end of its lifeline, `ended` becomes its exit code."""

    pid: int
    line: int
    ended: asyncio.Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def say(self, words: bytes) -> None:
        os.write(self.line, words)

    def cut(self) -> None:
        """Let go of the lifeline: a process that still lives ends."""
        if self.line >= 0:
            os.close(self.line)
            self.line = -1


class Nursery:
    """Bears processes. Should it die, they end too, and another nursery bears their successors."""

    def __init__(self, begun: cradle.Begun | None = None) -> None:
        """`begun`: the process of the first one, when it is started already."""
        self._begun = begun
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: asyncio.StreamReader
        self._socket: socket.socket
        self._listening: asyncio.Task[None] | None = None
        self._births: asyncio.Queue[int] = asyncio.Queue()
        self._one_at_a_time = asyncio.Lock()
        self._living: dict[int, Born] = {}
        self._ended_early: dict[int, int] = {}

    async def open(self) -> None:
        """Start the nursery's process, if it is not there; it imports while we go on."""
        if self._process is not None:  # that one died
            await asyncio.to_thread(self._process.wait)
        begun, self._begun = self._begun or cradle.begin(), None
        self._process, self._socket = begun
        self._socket.setblocking(False)
        self._births = asyncio.Queue()
        self._listening = asyncio.create_task(self._listen(self._socket))

    async def bear(self, roles: Sequence[str], listeners: Sequence[int]) -> Born:
        """A new process that plays these roles and inherits the listeners."""
        async with self._one_at_a_time:
            if self._listening is None or self._listening.done():
                await self.open()
            theirs, ours = os.pipe()
            try:
                socket.send_fds(
                    self._socket, [json.dumps({"bear": list(roles)}).encode()], [theirs, *listeners]
                )
                pid = await self._births.get()
            finally:
                os.close(theirs)
            born = Born(pid, ours)
            self._living[pid] = born
            if pid in self._ended_early:
                self._end(pid, self._ended_early.pop(pid))
            return born

    async def close(self) -> None:
        """End the nursery; whoever still lives loses the lifeline."""
        for born in self._living.values():
            born.cut()
        if self._process is None or self._listening is None:
            return
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        self._socket.close()
        await asyncio.to_thread(self._process.wait)

    async def _listen(self, line: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        heard = b""
        while part := await loop.sock_recv(line, 65536):
            *lines, heard = (heard + part).split(b"\n")
            for said in map(json.loads, lines):
                if "born" in said:
                    self._births.put_nowait(said["born"])
                else:
                    self._end(said["ended"], said["code"])
        log.error("the process that starts the others died; everything is started again")
        line.close()
        orphans = list(self._living.values())
        for orphan in orphans:
            orphan.cut()
        await asyncio.gather(*(end_of(orphan.pid) for orphan in orphans))
        for orphan in orphans:
            self._end(orphan.pid, LOST)

    def _end(self, pid: int, code: int) -> None:
        born = self._living.pop(pid, None)
        if born is None:  # so quick that its birth has not been heard of
            self._ended_early[pid] = code
            return
        born.cut()
        born.ended.set_result(code)
