"""Runs one role, or several in one process, until a signal: then they finish and the process exits with 0."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence

from signaldesk import log
from signaldesk.desk import Desk, opened
from signaldesk.errors import SignalDeskError
from signaldesk.roles import logs, waiting
from signaldesk.roles.assignment import Assignment
from signaldesk.roles.role import Role
from signaldesk.roles.signals import stop_on_signals

logger = log.get_logger(__name__)


def run(roles: Sequence[Role], told: Assignment) -> int:
    """Returns the exit code: 0 after SIGTERM or SIGINT, 1 when a role could not go on."""
    logs.configure(told.settings)
    gc.freeze()  # what was imported and prepared is never garbage
    with asyncio.Runner(loop_factory=_loop_factory(roles)) as runner:
        return runner.run(_serve(roles, told))


async def _serve(roles: Sequence[Role], told: Assignment) -> int:
    stop = stop_on_signals()
    name = "+".join(role.name for role in roles)
    log.bind(role=name)
    async with opened(told.settings, told.urls, role=name) as desk:
        if not await waiting.servers(desk, stop, schema=not told.migrated):
            return 0
        failed = False
        try:
            async with asyncio.TaskGroup() as group:
                for role in roles:
                    group.create_task(_play(role, desk, told, stop), name=role.name)
        except* SignalDeskError as errors:
            failed = True
            for error in errors.exceptions:
                logger.error(str(error))
        except* Exception:
            failed = True
            logger.exception("the role failed")
    return 1 if failed else 0


async def _play(role: Role, desk: Desk, told: Assignment, stop: asyncio.Event) -> None:
    log.bind(role=role.name)
    logger.info("role begins")
    await role.main(desk, told, stop)


def _loop_factory(roles: Sequence[Role]) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if not all(role.uvloop for role in roles):
        return None
    import uvloop

    return uvloop.new_event_loop
