"""What a role is."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from signaldesk.roles.assignment import Assignment

if TYPE_CHECKING:
    from signaldesk.desk import Desk

Main = Callable[["Desk", Assignment, asyncio.Event], Awaitable[None]]
"""Works until the event is set, finishes what is under way, and returns."""


@dataclass(frozen=True)
class Role:
    """One kind of process.

    `uvloop`: whether it runs on uvloop instead of asyncio's own loop.
    """

    name: str
    main: Main
    uvloop: bool = False


def load(name: str) -> Role:
    """The role of that name, with what it needs imported."""
    found = importlib.import_module(f"signaldesk.roles.{name}").ROLE
    assert isinstance(found, Role)
    return found


class Worker(Protocol):
    """Something that runs until it is told to stop."""

    async def run(self) -> None: ...

    def stop(self) -> None: ...


async def work(worker: Worker, stop: asyncio.Event) -> None:
    """Run the worker until the event is set and it has finished, or until it fails."""

    async def pass_on() -> None:
        await stop.wait()
        worker.stop()

    async with asyncio.TaskGroup() as group:
        messenger = group.create_task(pass_on())
        await worker.run()
        messenger.cancel()
