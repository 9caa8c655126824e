"""How Redis or Valkey is doing, for the operator. Changes nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

from signaldesk.clock import MICROS
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

    async def _setting(self, name: str) -> str | None:
        """A managed service may refuse CONFIG."""
        try:
            async with outage():
                found: dict[Any, Any] = await self._redis.config_get(name)
        except RedisError:
            return None
        value = found.get(name, found.get(name.encode()))
        return value.decode() if isinstance(value, bytes) else value
