"""Window checkpoints: each window is a sorted set, member = event id, score = event time in microseconds."""

from __future__ import annotations

import secrets
import struct
from typing import NamedTuple
from uuid import UUID

from signaldesk.errors import SignalDeskError
from signaldesk.stream import keys
from signaldesk.stream.client import Redis, Script, outage

_CHUNK = 1_000
_CHANGE = struct.Struct(">BII")
_MEMBER = struct.Struct(">d16s")
KEPT = 8 * 86_400
"""Seconds an untouched window stays. Where the windows stand is forgotten after half of that, so that windows
of which some may be gone are never trusted but rebuilt from Postgres."""


class Change(NamedTuple):
    """What a window's sorted set needs: `fresh` members added, after a clean slate when `rewrite`."""

    key: str
    rewrite: bool
    fresh: list[tuple[bytes, int]]
    keep_for: int
    """Seconds the set is kept when nothing touches it."""


class WindowsLost(SignalDeskError):
    """The windows in Redis are not as this owner left them: they must be rebuilt from the stored events."""

    code, title = "windows_lost", "Redis lost the windows"


class WindowStore:
    """Reads and writes checkpoints of one partition's windows. Raises Unavailable while Redis is away.

    Redis knows which owner (epoch) the windows belong to and at which position they stand. When that is not
    what this owner left there, Redis was emptied, came back from an older copy, or has a new owner: reading
    and writing raise WindowsLost then, and nothing is written.
    """

    def __init__(self, redis: Redis, partition: int) -> None:
        self._redis = redis
        self._partition = partition
        self._key = keys.windows(partition)
        self._epoch = 0
        self._position = 0
        self._series = ""
        self._take = Script(redis, "take")
        self._write = Script(redis, "checkpoint")

    async def take(self, epoch: int, *, anew: bool = False) -> int:
        """Take the windows over for an owner; the position they stand at, 0 when there are none.

        `anew`: none of those that there are can be trusted.
        """
        args = [epoch, secrets.token_hex(4), int(anew), KEPT // 2]
        async with outage():
            position, series = await self._take([self._key], args)
        self._epoch, self._position, self._series = epoch, int(position), series.decode()
        return self._position

    def key(self, rule_id: UUID, since_version: int, lane: str, group: str) -> str:
        """The key of one window."""
        return keys.window(self._partition, self._series, rule_id, since_version, lane, group)

    async def load(self, names: list[str]) -> list[list[tuple[bytes, int]]]:
        """Members (id, time) of each window, by time, in one round trip for every 1,000."""
        found: list[list[tuple[bytes, int]]] = []
        for start in range(0, len(names), _CHUNK):
            pipe = self._redis.pipeline(transaction=False)
            for name in names[start : start + _CHUNK]:
                pipe.zrange(name, 0, -1, withscores=True)
            pipe.hmget(self._key, "epoch", "position")  # last: what was there until now was there all along
            async with outage():
                *windows, stands = await pipe.execute()
            if stands != [str(self._epoch).encode(), str(self._position).encode()]:
                raise WindowsLost(f"the windows stand at {stands}, not at {self._position}")
            found += [[(id_, int(score)) for id_, score in members] for members in windows]
        return found

    async def save(self, position: int, changes: list[Change]) -> None:
        """Write the changes, then the position. Repeating it, or dying in the middle, does no harm:
        members are ids, and the position moves last."""
        parts = [changes[start : start + _CHUNK] for start in range(0, len(changes), _CHUNK)] or [[]]
        for number, part in enumerate(parts, 1):
            last = int(number == len(parts))
            args = [self._epoch, self._position, position, last, KEPT // 2, b"".join(map(_packed, part))]
            async with outage():
                written = await self._write([self._key, *(change.key for change in part)], args)
            if not written:
                raise WindowsLost(f"the windows do not stand at {self._position} any more")
        self._position = position


def _packed(change: Change) -> bytes:
    head = _CHANGE.pack(change.rewrite, change.keep_for, len(change.fresh))
    pack = _MEMBER.pack
    return head + b"".join([pack(time, member) for member, time in change.fresh])
