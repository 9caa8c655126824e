"""The dispatcher role: brings notifications to their channels."""

from __future__ import annotations

import asyncio

from signaldesk.delivery.dispatcher import Dispatcher
from signaldesk.desk import Desk
from signaldesk.roles.assignment import Assignment
from signaldesk.roles.role import Role, work


async def main(desk: Desk, told: Assignment, stop: asyncio.Event) -> None:
    dispatcher: Dispatcher = desk.dispatcher()
    await work(dispatcher, stop)


ROLE = Role("dispatcher", main, uvloop=True)
