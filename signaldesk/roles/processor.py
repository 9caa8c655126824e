"""The processor role: owns a fair share of the partitions and judges what arrives there."""

from __future__ import annotations

import asyncio

from signaldesk.desk import Desk
from signaldesk.engine.processor import Processor
from signaldesk.roles.assignment import Assignment
from signaldesk.roles.role import Role, work


async def main(desk: Desk, told: Assignment, stop: asyncio.Event) -> None:
    processor: Processor = desk.processor()
    await work(processor, stop)


ROLE = Role("processor", main, uvloop=True)
