"""Window checkpoints: each window is a sorted set, member = event id, score = event time in microseconds."""

from __future__ import annotations

import secrets
import struct
from typing import Any, NamedTuple
from uuid import UUID

from signaldesk.errors import SignalDeskError
from signaldesk.stream import keys
from signaldesk.stream.client import Redis, Script, outage

_CHUNK = 1_000
_CHANGE = struct.Struct(">BII")
_MEMBER = struct.Struct(">dH")
_NOTES = float("-inf")
"""Score of the one member that is no event: what the judge and the engine noted beside the window."""
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
    notes: bytes = b""
    """Replace those that are there; empty for windows that have none."""


class Changes(NamedTuple):
    """What a checkpoint writes: windows, and deadlines (µs) by the names of their groups (None: no more)."""

    windows: list[Change]
    timers: list[tuple[bytes, int | None]]


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

    async def load(self, names: list[str]) -> list[tuple[list[tuple[bytes, int]], bytes]]:
        """Members (id, time) of each window, by time, and its notes; one round trip for every 1,000."""
        found: list[tuple[list[tuple[bytes, int]], bytes]] = []
        for start in range(0, len(names), _CHUNK):
            pipe = self._redis.pipeline(transaction=False)
            for name in names[start : start + _CHUNK]:
                pipe.zrange(name, 0, -1, withscores=True)
            found += [_split(members) for members in await self._read(pipe)]
        return found

    async def load_timers(self) -> list[tuple[bytes, int]]:
        """Names of the groups that wait for a deadline, earliest first, with the deadline (µs)."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.zrange(self._timers, 0, -1, withscores=True)
        (found,) = await self._read(pipe)
        return [(name, int(score)) for name, score in found]

    async def _read(self, pipe: Any) -> list[Any]:
        """What the commands of a pipeline say, if the windows are still this owner's."""
        pipe.hmget(self._key, "epoch", "position")  # last: what was there until now was there all along
        async with outage():
            answers: list[Any] = await pipe.execute()
        *said, stands = answers
        if stands != [str(self._epoch).encode(), str(self._position).encode()]:
            raise WindowsLost(f"the windows stand at {stands}, not at {self._position}")
        return said

    @property
    def _timers(self) -> str:
        return keys.timers(self._partition, self._series)

    async def save(self, position: int, changes: Changes) -> None:
        """Write the changes, then the position. Repeating it, or dying in the middle, does no harm:
        members are ids, and the position moves last."""
        windows, timers = changes
        count = max(1, -(-len(windows) // _CHUNK), -(-len(timers) // _CHUNK))
        for number in range(count):
            part = windows[number * _CHUNK : (number + 1) * _CHUNK]
            deadlines = timers[number * _CHUNK : (number + 1) * _CHUNK]
            packed = [b"".join(map(_packed, part)), b"".join(_packed_timer(*timer) for timer in deadlines)]
            last = int(number == count - 1)
            args = [self._epoch, self._position, position, last, KEPT // 2, KEPT, *packed]
            async with outage():
                written = await self._write([self._key, self._timers, *(change.key for change in part)], args)
            if not written:
                raise WindowsLost(f"the windows do not stand at {self._position} any more")
        self._position = position


def _split(members: list[tuple[bytes, float]]) -> tuple[list[tuple[bytes, int]], bytes]:
    notes = b""
    if members and members[0][1] == _NOTES:
        notes, members = members[0][0], members[1:]
    return [(id_, int(score)) for id_, score in members], notes


def _packed(change: Change) -> bytes:
    pack, notes = _MEMBER.pack, change.notes
    members = [pack(time, len(member)) + member for member, time in change.fresh]
    if notes:
        members.append(struct.pack(">dI", _NOTES, len(notes)) + notes)
    head = _CHANGE.pack(change.rewrite | bool(notes) << 1, change.keep_for, len(change.fresh))
    return head + b"".join(members)


def _packed_timer(name: bytes, due: int | None) -> bytes:
    return struct.pack(">dI", _NOTES if due is None else due, len(name)) + name
