"""Window checkpoints: each window is a sorted set of runs, score = time of the run's newest member (µs).

A run is what one save had to add: ids and times of members, by time. Busy windows gain twenty members
between two saves, each of which would cost Redis 5 µs as a member of its own. An event that is in two runs,
because an owner died before he could note that he had written the first, counts once.
"""

from __future__ import annotations

import secrets
import struct
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import msgspec

from signaldesk.errors import SignalDeskError
from signaldesk.stream import keys
from signaldesk.stream.client import Redis, Script, outage

_CHUNK = 1_000
_RUN = 5_000
"""Members of a run, at most."""
_CHANGE = struct.Struct(">BII")
_SCORED = struct.Struct(">dI")
_PREFIXES_MAX = 10_000
_NOTES = float("-inf")
"""Score of the one member that is no run: what the judge and the engine noted beside the window."""
KEPT = 8 * 86_400
"""Seconds an untouched window stays. Where the windows stand is forgotten after half of that, so that windows
of which some may be gone are never trusted but rebuilt from Postgres."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[list[bytes], list[int]]).decode


class Change(NamedTuple):
    """What a window's sorted set needs: `fresh` members added, after a clean slate when `rewrite`."""

    key: str
    rewrite: bool
    fresh: tuple[list[bytes], list[int]]
    """Members and their times."""
    keep_for: int
    """Seconds the set is kept when nothing touches it."""
    notes: bytes = b""
    """Replace those that are there; empty for windows that have none."""


class Changes(NamedTuple):
    """What a checkpoint writes: windows, and deadlines (µs) by the names of their groups (None: no more)."""

    windows: list[Change]
    timers: list[tuple[bytes, int | None]]


class Portions(Protocol):
    """What a checkpoint writes, one part after the other."""

    def portion(self) -> Changes | None:
        """The part that is next, the same one until it is `written`; None when all of them are.

        Those with notes or deadlines come last.
        """

    def written(self) -> None: ...


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
        self._position = self._coming = 0
        self._series = ""
        self._prefixes: dict[tuple[int, int, str], str] = {}
        self._take = Script(redis, "take")
        self._write = Script(redis, "checkpoint")

    async def take(self, epoch: int, *, anew: bool = False) -> int:
        """Take the windows over for an owner; the position they stand at, 0 when there are none.

        `anew`: none of those that there are can be trusted.
        """
        args = [epoch, secrets.token_hex(4), int(anew), KEPT // 2]
        async with outage():
            position, series = await self._take([self._key], args)
        self._epoch, self._series = epoch, series.decode()
        self._position = self._coming = int(position)
        self._prefixes.clear()
        return self._position

    def key(self, rule_id: UUID, since_version: int, lane: str, group: str) -> str:
        """The key of one window."""
        place = (rule_id.int, since_version, lane)  # UUIDs are slow to compare
        prefix = self._prefixes.get(place)
        if prefix is None:  # there are a hundred thousand windows of a hundred rules
            if len(self._prefixes) >= _PREFIXES_MAX:
                self._prefixes.clear()
            prefix = self._prefixes[place] = keys.windows_of(
                self._partition, self._series, rule_id, since_version, lane
            )
        return keys.window(prefix, group)

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
        # A save under way may have come to its end without the answer being here yet.
        if stands not in [[b"%d" % self._epoch, b"%d" % at] for at in (self._position, self._coming)]:
            raise WindowsLost(f"the windows stand at {stands}, not at {self._position}")
        return said

    @property
    def _timers(self) -> str:
        return keys.timers(self._partition, self._series)

    async def save(self, position: int, portions: Portions) -> None:
        """Write all portions, then the position. Repeating it goes on with the portion it failed at.

        Dying in the middle does no harm: members come twice without effect. Notes and deadlines do not; they
        come last, and whoever finds that only some of them were written does not trust the windows.
        """
        self._coming = position
        while (part := portions.portion()) is not None:
            noted = bool(part.timers) or any(change.notes for change in part.windows)
            await self._put(position, part, "torn" if noted else "more")
            portions.written()
        await self._put(position, Changes([], []), "last")
        self._position = position

    async def _put(self, position: int, part: Changes, stage: str) -> None:
        packed = [b"".join(map(_packed, part.windows)), b"".join(_packed_timer(*one) for one in part.timers)]
        args = [self._epoch, self._position, position, stage, KEPT // 2, KEPT, *packed]
        async with outage():
            written = await self._write([self._key, self._timers, *(one.key for one in part.windows)], args)
        if not written:
            raise WindowsLost(f"the windows do not stand at {self._position} any more")


def _split(found: list[tuple[bytes, float]]) -> tuple[list[tuple[bytes, int]], bytes]:
    notes = b""
    if found and found[0][1] == _NOTES:
        notes, found = found[0][0], found[1:]
    runs = [zip(*_decode(run), strict=True) for run, _ in found]
    members = [member for run in runs for member in run]
    if len(runs) > 1:
        members = sorted(set(members), key=_by_time)
    return members, notes


def _by_time(member: tuple[bytes, int]) -> tuple[int, bytes]:
    return member[1], member[0]


def _packed(change: Change) -> bytes:
    ids, times = change.fresh
    scored: list[tuple[float, bytes]] = []
    for start in range(0, len(ids), _RUN):
        run = ids[start : start + _RUN], times[start : start + _RUN]
        scored.append((run[1][-1], _encode(run)))
    if change.notes:
        scored.append((_NOTES, change.notes))
    head = _CHANGE.pack(change.rewrite | bool(change.notes) << 1, change.keep_for, len(scored))
    return head + b"".join([_SCORED.pack(score, len(member)) + member for score, member in scored])


def _packed_timer(name: bytes, due: int | None) -> bytes:
    return _SCORED.pack(_NOTES if due is None else due, len(name)) + name
