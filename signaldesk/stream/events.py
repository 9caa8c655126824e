"""The partitioned event stream: appending, reading on from a position, trimming what is committed."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import orjson

from signaldesk.errors import Unavailable
from signaldesk.model.event import Event
from signaldesk.model.outcome import RuleChange
from signaldesk.stream import keys, positions
from signaldesk.stream.client import Redis, Script, outage

PARTITIONS = 8
ENTRY_MAX = 1000
"""Most events in one entry: bounds what a reader takes in one step."""
_DAY = 86_400
_TOKEN_SECONDS = 120


class Entry(NamedTuple):
    """One stream entry: events of one organisation that came together, or a marker (`marker` not empty).

    Or a tick: `tick` is how far time has come (µs), for deadlines that no event reaches.
    """

    position: int
    org: bytes
    received_at: int
    lane: str
    tell: bool
    events: bytes
    marker: bytes
    tick: int = 0

    def changes(self) -> list[RuleChange]:
        """What a marker changes. Raises ValueError or TypeError for one that nobody here wrote."""
        org_id = UUID(bytes=self.org)
        rules = orjson.loads(self.marker)["rules"]
        return [RuleChange(org_id, UUID(rule), version, since) for rule, version, since in rules]


class Append(NamedTuple):
    """What one append carries: msgpack-encoded events of one organisation received at `received_at` (µs)."""

    org: bytes
    received_at: int
    events: bytes
    lane: str = ""
    tell: bool = True

    def head(self) -> list[bytes | int | str]:
        """The entry's fields without the events."""
        fields: list[bytes | int | str] = ["o", self.org, "r", self.received_at]
        return [*fields, "l", self.lane, "t", int(self.tell)] if self.lane else fields


class EventStream:
    """The streams of all partitions. Raises Unavailable while Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._append = Script(redis, "append")
        self._append_once = Script(redis, "append_once")
        self._keep_order = Script(redis, "keep_order")

    async def append(self, partition: int, appends: list[Append]) -> None:
        """Append entries in order; returns when the server has them (on disk, with `appendfsync always`)."""
        args: list[bytes | int | str] = [_TOKEN_SECONDS]
        for one in appends:
            fields = [*one.head(), "e", one.events]
            args += [len(fields), *fields]
        await self._send(partition, args)

    async def mark(self, partition: int, org_id: UUID, changes: list[RuleChange], *, at: int) -> None:
        """Append a marker: here in the order, at `at` (µs), rules change; without `changes`, the channels
        that they name."""
        rules = [(str(one.rule_id), one.version, one.since_version) for one in changes]
        marker = orjson.dumps({"rules": rules})
        await self._send(partition, [_TOKEN_SECONDS, 6, "o", org_id.bytes, "r", at, "m", marker])

    async def tick(self, partition: int, time: int) -> None:
        """Append a tick: here in the order time (µs) has come so far."""
        await self._send(partition, [_TOKEN_SECONDS, 2, "k", time])

    async def append_once(
        self, partition: int, head: Append, events: list[Event], *, chosen: bool, key: str, answer: bytes
    ) -> bytes | None:
        """Append events whose ids are the client's own (`chosen`), and/or under an Idempotency-Key (or '').

        Events whose chosen ids were seen within a day are left out. Returns None, or the answer that the
        same key got before.
        """
        org_id = UUID(bytes=head.org)
        names = [keys.events(partition), keys.answer(partition, org_id, key)]
        if chosen:
            names += [keys.event_id(partition, org_id, head.lane, UUID(bytes=event.id)) for event in events]
        encoded = [msgspec.msgpack.encode(event) for event in events]
        fields = head.head()
        args = [_DAY, secrets.token_hex(8), answer if key else b"", ENTRY_MAX, len(fields), *fields, *encoded]
        done, before = await self._insist(lambda: self._append_once(names, args))
        return None if done else bytes(before)

    async def read(self, partition: int, after: int, count: int, block_ms: int) -> list[Entry]:
        """Up to `count` entries after a position, waiting at most `block_ms` (< 2,000) for the first."""
        name = keys.events(partition)
        async with outage():
            found: Any = await self._redis.xread({name: positions.unpack(after)}, count=count, block=block_ms)
        return [_entry(id_, fields) for id_, fields in found[0][1]] if found else []

    async def last(self, partition: int) -> int:
        """The position of the newest entry; 0 when there is none."""
        async with outage():
            found: Any = await self._redis.xrevrange(keys.events(partition), count=1)
        return positions.pack(found[0][0]) if found else 0

    async def length(self, partition: int) -> int:
        async with outage():
            return int(await self._redis.xlen(keys.events(partition)))

    async def trim(self, partition: int, committed: int) -> None:
        """Drop entries up to and including the committed position; what is unread can never be dropped."""
        async with outage():
            after = positions.unpack(committed + 1)
            await self._redis.xtrim(keys.events(partition), minid=after, approximate=True)

    async def ensure_after(self, partition: int, committed: int) -> None:
        """Make sure new entries come after the committed position.

        Entry ids follow Redis's clock; when Redis lost its data and its clock stands behind, new entries
        would look as if they had been read already.
        """
        args: list[Any] = [*positions.unpack(committed).split("-"), positions.unpack(committed + 1)]
        await self._insist(lambda: self._keep_order([keys.events(partition)], args))

    async def _send(self, partition: int, args: list[bytes | int | str]) -> None:
        names = [keys.events(partition), keys.sent(partition, secrets.token_hex(12))]
        await self._insist(lambda: self._append(names, args))

    async def _insist(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Try twice: perhaps only the reply was lost, and every append is safe to repeat."""
        with contextlib.suppress(Unavailable):
            async with outage():
                return await call()
        async with outage():
            return await call()


def _entry(id_: bytes, fields: dict[bytes, bytes]) -> Entry:
    get, position = fields.get, positions.pack(id_)
    try:
        received_at, lane, tick = int(get(b"r", 0)), get(b"l", b"").decode(), int(get(b"k", 0))
    except ValueError:  # nobody here wrote this
        return Entry(position, b"", 0, "", False, b"", b"")
    tell = get(b"t", b"1") == b"1"
    return Entry(position, get(b"o", b""), received_at, lane, tell, get(b"e", b""), get(b"m", b""), tick)
