"""The connection to Redis or Valkey, with our own rules for time limits and retries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from signaldesk import statements
from signaldesk.errors import Unavailable

_PASSING = {"LOADING", "MASTERDOWN", "READONLY", "MISCONF", "OOM", "BUSY", "CLUSTERDOWN", "TRYAGAIN"}
_PASSING |= {"NOREPLICAS"}
"""First words of Redis's errors that pass by themselves, or as soon as the operator makes room."""


def connect(url: str, *, connections: int = 32) -> Redis:
    """A client without hidden retries: after a lost reply only the caller knows whether asking twice is safe.

    Nothing is sent until the first command.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=5,
        socket_timeout=5,
        socket_connect_timeout=2,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )
    return Redis.from_pool(pool)


async def reach(url: str) -> None:
    """Raises Unavailable, with the reason, unless somebody answers there whom we may ask. One who is still
    loading will do: that passes."""
    redis: Any = connect(url, connections=1)
    try:
        await redis.execute_command("PING")
    except (RedisConnectionError, RedisTimeoutError, OSError, TimeoutError) as error:
        if not isinstance(error, BusyLoadingError):
            raise Unavailable(f"Redis cannot be reached: {str(error).rstrip('.')}") from None
    except ResponseError as error:
        if (error.status_code or str(error).partition(" ")[0]) not in _PASSING:
            raise Unavailable(f"Redis does not let us in: {error}") from None
    finally:
        await redis.aclose(close_connection_pool=True)


@asynccontextmanager
async def outage() -> AsyncIterator[None]:
    """Turns "Redis is away, loading or full" into Unavailable."""
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError, OSError, TimeoutError) as error:
        raise Unavailable("the event stream is away; try again shortly", retry_after=1) from error
    except ResponseError as error:
        # redis-py takes the first word off the errors it has a class for.
        if (error.status_code or str(error).partition(" ")[0]) in _PASSING:
            raise Unavailable("the event stream takes nothing right now", retry_after=1) from error
        raise


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks that work with Redis, until they have ended.

    Once is not always enough: a cancellation that arrives while redis-py connects has been seen to get lost.
    """
    waiting = {task for task in tasks if not task.done()}
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=0.1)


class Script:
    """A Lua script of `sql/redis`, sent by its hash, and whole when the server does not know it (yet)."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._script = redis.register_script(statements.load(f"redis/{name}.lua"))

    async def __call__(self, keys: list[str], args: list[Any]) -> Any:
        return await self._script(keys=keys, args=args)


__all__ = ["Redis", "RedisError", "Script", "connect", "end", "outage", "reach"]
