"""How Redis or Valkey is doing, for the operator. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from signaldesk.clock import MICROS
from signaldesk.stream import keys, positions
from signaldesk.stream.client import Redis, RedisError, outage


class Facts(NamedTuple):
    """The server and the settings that durability rests on; None: it does not tell (managed services).

    `memory` and `memory_max` in bytes; no limit when that is 0.
    """

    name: str
    version: str
    now_us: int
    memory: int
    memory_max: int
    appendonly: str | None
    appendfsync: str | None
    policy: str | None


class StreamHealth:
    """Raises Unavailable."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def facts(self) -> Facts:
        async with outage():
            info: dict[str, Any] = await self._redis.info()
            seconds, micros = await self._redis.time()
        valkey = info.get("valkey_version")
        return Facts(
            name="Valkey" if valkey else "Redis",
            version=str(valkey or info["redis_version"]),
            now_us=int(seconds) * MICROS + int(micros),
            memory=int(info["used_memory"]),
            memory_max=int(info.get("maxmemory", 0)),
            appendonly="yes" if info.get("aof_enabled") else "no",
            appendfsync=await self._setting("appendfsync"),
            policy=await self._setting("maxmemory-policy"),
        )

    async def lag_s(self, committed: Mapping[int, int], now_s: float) -> float:
        """How long the oldest entry waits that is in the stream and not committed; 0 when none does.

        `committed` is the position of each partition, `now_s` seconds since 1970.
        """
        async with outage():
            pipeline = self._redis.pipeline(transaction=False)
            for number, position in committed.items():
                after = positions.unpack(position + 1)
                pipeline.xrange(keys.events(number), min=after, count=1)
            found = await pipeline.execute()
        waiting = [positions.received_ms(positions.pack(entries[0][0])) for entries in found if entries]
        return max(0.0, now_s - min(waiting) / 1000) if waiting else 0.0

    async def _setting(self, name: str) -> str | None:
        """A managed service may refuse CONFIG."""
        try:
            async with outage():
                found: dict[Any, Any] = await self._redis.config_get(name)
        except RedisError:
            return None
        value = found.get(name, found.get(name.encode()))
        return value.decode() if isinstance(value, bytes) else value
