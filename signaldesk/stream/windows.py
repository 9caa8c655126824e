"""Window checkpoints: each window is a sorted set, member = event id, score = event time in microseconds."""

from __future__ import annotations

import struct
from typing import NamedTuple

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


class WindowStore:
    """Reads and writes checkpoints of one partition's windows. Raises Unavailable while Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._write = Script(redis, "checkpoint")

    async def load(self, names: list[str]) -> list[list[tuple[bytes, int]]]:
        """Members (id, time) of each window, by time, in one round trip for every 1,000."""
        found: list[list[tuple[bytes, int]]] = []
        for start in range(0, len(names), _CHUNK):
            pipe = self._redis.pipeline(transaction=False)
            for name in names[start : start + _CHUNK]:
                pipe.zrange(name, 0, -1, withscores=True)
            async with outage():
                found += [[(id_, int(score)) for id_, score in members] for members in await pipe.execute()]
        return found

    async def position(self, partition: int) -> int:
        """The position the windows stand at; 0 when there is none, as after a loss."""
        async with outage():
            return int(await self._redis.get(keys.checkpoint(partition)) or 0)

    async def save(self, partition: int, position: int, changes: list[Change]) -> None:
        """Write the changes, then the position. Repeating it, or dying in the middle, does no harm:
        members are ids, and the position moves last."""
        async with outage():
            for start in range(0, len(changes), _CHUNK):
                part = changes[start : start + _CHUNK]
                await self._write([change.key for change in part], [b"".join(map(_packed, part))])
            await self._redis.set(keys.checkpoint(partition), position)

    async def forget(self, partition: int) -> None:
        """Drop the checkpoint's position: the windows will be rebuilt."""
        async with outage():
            await self._redis.delete(keys.checkpoint(partition))


def _packed(change: Change) -> bytes:
    head = _CHANGE.pack(change.rewrite, change.keep_for, len(change.fresh))
    pack = _MEMBER.pack
    return head + b"".join([pack(time, member) for member, time in change.fresh])
