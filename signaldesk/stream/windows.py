"""Window checkpoints: each window is a sorted set, member = event id, score = event time in microseconds."""

from __future__ import annotations

import struct
from typing import NamedTuple

from signaldesk.errors import SignalDeskError
from signaldesk.stream import keys
from signaldesk.stream.client import Redis, Script, outage

_CHUNK = 1_000
_CHANGE = struct.Struct(">BII")
_MEMBER = struct.Struct(">d16s")
KEPT = 8 * 86_400
"""Seconds an untouched window stays; an older checkpoint is not trusted but rebuilt from Postgres."""


class Change(NamedTuple):
    """What a window's sorted set needs: `fresh` members added, after a clean slate when `rewrite`."""

    key: str
    rewrite: bool
    fresh: list[tuple[bytes, int]]
    keep_for: int
    """Seconds the set is kept when nothing touches it."""


class WindowsLost(SignalDeskError):
    """Redis no longer holds the windows this owner wrote: they must be rebuilt from the stored events."""

    code, title = "windows_lost", "Redis lost the windows"


class WindowStore:
    """Reads and writes checkpoints of one partition's windows. Raises Unavailable while Redis is away.

    It remembers the position it wrote last; when Redis stands elsewhere, the windows were lost in between
    (Redis was emptied, or came back from an older copy), and WindowsLost is raised.
    """

    def __init__(self, redis: Redis, partition: int) -> None:
        self._redis = redis
        self._key = keys.checkpoint(partition)
        self._position = 0
        self._write = Script(redis, "checkpoint")

    async def position(self) -> int:
        """The position the windows stand at; 0 when there is none, as after a loss."""
        async with outage():
            self._position = int(await self._redis.get(self._key) or 0)
        return self._position

    async def load(self, names: list[str]) -> list[list[tuple[bytes, int]]]:
        """Members (id, time) of each window, by time, in one round trip for every 1,000."""
        found: list[list[tuple[bytes, int]]] = []
        for start in range(0, len(names), _CHUNK):
            pipe = self._redis.pipeline(transaction=False)
            pipe.get(self._key)
            for name in names[start : start + _CHUNK]:
                pipe.zrange(name, 0, -1, withscores=True)
            async with outage():
                position, *windows = await pipe.execute()
            self._compare(position)
            found += [[(id_, int(score)) for id_, score in members] for members in windows]
        return found

    async def save(self, position: int, changes: list[Change]) -> None:
        """Write the changes, then the position. Repeating it, or dying in the middle, does no harm:
        members are ids, and the position moves last."""
        async with outage():
            self._compare(await self._redis.get(self._key))
            for start in range(0, len(changes), _CHUNK):
                part = changes[start : start + _CHUNK]
                await self._write([change.key for change in part], [b"".join(map(_packed, part))])
            await self._redis.set(self._key, position)
            self._position = position

    async def forget(self) -> None:
        """Drop the checkpoint's position: the windows will be rebuilt."""
        async with outage():
            await self._redis.delete(self._key)
            self._position = 0

    def _compare(self, found: bytes | str | None) -> None:
        if int(found or 0) != self._position:
            raise WindowsLost(f"the windows stand at {int(found or 0)}, not at {self._position}")


def _packed(change: Change) -> bytes:
    head = _CHANGE.pack(change.rewrite, change.keep_for, len(change.fresh))
    pack = _MEMBER.pack
    return head + b"".join([pack(time, member) for member, time in change.fresh])
