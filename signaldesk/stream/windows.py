"""Window checkpoints: each window is a sorted set of runs, score = time of the run's newest member (µs).

A run is what one save had to add: ids and times of members, by time. Busy windows gain twenty members between
two saves, and a run of twenty costs Redis a tenth of what twenty members of a sorted set do. An event that is
in two runs, because an owner died before he could note that he had written the first, counts once.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import msgspec

from signaldesk.errors import SignalDeskError
from signaldesk.stream import keys
from signaldesk.stream.client import Redis, Script, outage

_CHUNK = 1_000
_RUN = 5_000
"""Members of a run, at most."""
_HEAVY = 20_000
"""Members of a portion: no more, unless a single window has. Redis does nothing else meanwhile."""
_CHANGE = struct.Struct(">BII")
_SCORED = struct.Struct(">dI")
_PREFIXES_MAX = 10_000
_NOTES = float("-inf")
"""Score of the one member that is no run: what the judge and the engine noted beside the window."""
KEPT = 8 * 86_400
"""Seconds an untouched window stays. Where the windows stand is forgotten after half of that, so that windows
of which some may be gone are never trusted but rebuilt from Postgres."""


T = TypeVar("T")

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
        self._prefixes: dict[tuple[UUID, int, str], str] = {}
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
        self._prefixes.clear()
        return self._position

    def key(self, rule_id: UUID, since_version: int, lane: str, group: str) -> str:
        """The key of one window."""
        place = (rule_id, since_version, lane)
        prefix = self._prefixes.get(place)
        if prefix is None:  # there are a hundred thousand windows of a hundred rules
            if len(self._prefixes) >= _PREFIXES_MAX:
                self._prefixes.clear()
            prefix = self._prefixes[place] = keys.windows_of(self._partition, self._series, *place)
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
        if stands != [str(self._epoch).encode(), str(self._position).encode()]:
            raise WindowsLost(f"the windows stand at {stands}, not at {self._position}")
        return said

    @property
    def _timers(self) -> str:
        return keys.timers(self._partition, self._series)

    async def save(self, position: int, changes: Changes) -> None:
        """Write the changes, then the position. Repeating it does no harm.

        Nor does dying in the middle: members are ids, and come twice without effect. Notes and deadlines do
        not; they come last, and whoever finds that only some of them were written does not trust the windows.
        """
        parts = _parts(changes)
        for number, (part, deadlines) in enumerate(parts, 1):
            packed = [b"".join(map(_packed, part)), b"".join(_packed_timer(*timer) for timer in deadlines)]
            noted = deadlines or any(change.notes for change in part)
            stage = "last" if number == len(parts) else "torn" if noted else "more"
            args = [self._epoch, self._position, position, stage, KEPT // 2, KEPT, *packed]
            async with outage():
                written = await self._write([self._key, self._timers, *(change.key for change in part)], args)
            if not written:
                raise WindowsLost(f"the windows do not stand at {self._position} any more")
        self._position = position


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


Part = tuple[list[Change], list[tuple[bytes, int | None]]]


def _parts(changes: Changes) -> list[Part]:
    """The changes in portions: first the windows without notes, then the others and the deadlines."""
    plain = [change for change in changes.windows if not change.notes]
    noted = [change for change in changes.windows if change.notes]
    parts: list[Part] = [(part, []) for part in _portions(plain)]
    both = zip_longest(_portions(noted), _chunks(changes.timers))
    parts += [(part or [], deadlines or []) for part, deadlines in both]
    return parts or [([], [])]


def _portions(windows: list[Change]) -> Iterator[list[Change]]:
    part: list[Change] = []
    members = 0
    for change in windows:
        size = len(change.fresh[0])
        if part and (len(part) == _CHUNK or members + size > _HEAVY):
            yield part
            part, members = [], 0
        part.append(change)
        members += size
    if part:
        yield part


def _chunks(all_: list[T]) -> list[list[T]]:
    return [all_[start : start + _CHUNK] for start in range(0, len(all_), _CHUNK)]


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
