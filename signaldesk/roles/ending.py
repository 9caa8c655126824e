"""Waiting for the end of a process that need not be our child."""

from __future__ import annotations

import asyncio
import os

LOOK_EVERY = 0.05


async def end_of(pid: int) -> None:
    """Returns when the process is gone: told by the kernel where it can, else by looking."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):
        while _lives(pid):  # noqa: ASYNC110  nobody tells us
            await asyncio.sleep(LOOK_EVERY)
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
