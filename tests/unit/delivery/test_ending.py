"""Tasks end when they are told to, even when a cancellation gets lost on the way."""

from __future__ import annotations

import asyncio
import contextlib

from signaldesk.delivery.ending import end, heed


async def deaf(times: int) -> None:
    """Loses that many cancellations, as `asyncio.wait_for` of Python 3.11 can."""
    for _ in range(times):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    await asyncio.Event().wait()


async def test_a_task_that_loses_cancellations_is_cancelled_until_it_ends() -> None:
    task = asyncio.ensure_future(deaf(3))
    await asyncio.sleep(0)
    await end([task])
    assert task.cancelled()


async def test_nothing_to_end_is_no_trouble() -> None:
    done = asyncio.ensure_future(asyncio.sleep(0))
    await done
    await end([done])
    await end([])


async def test_a_loop_heeds_a_cancellation_that_got_lost() -> None:
    async def loop() -> None:
        while True:
            heed()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    task = asyncio.ensure_future(loop())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()
