"""Doing what has to be done, however long Redis or Postgres are away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from signaldesk.errors import Unavailable


async def insist(action: Callable[[], Awaitable[None]], logger: Any) -> None:
    """Repeat until nothing is away any more; wait a little longer each time, at most a second."""
    pause = 0.05
    while True:
        try:
            return await action()
        except Unavailable as error:
            logger.warning("waiting", reason=error.detail)
            await asyncio.sleep(pause)
            pause = min(1.0, pause * 2)
