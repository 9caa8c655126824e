"""The web role: pages, API and WebSocket, on a port of its own or on connections that ingest hands over."""

from __future__ import annotations

import asyncio
import gc

from prometheus_client import CollectorRegistry

from signaldesk.accounts.throttle import Throttle
from signaldesk.desk import Desk
from signaldesk.log import get_logger
from signaldesk.roles.assignment import Assignment
from signaldesk.roles.listening import addresses, bind
from signaldesk.roles.role import Role
from signaldesk.stream.live import LiveFeed
from signaldesk.stream.tickets import Tickets
from signaldesk.web import server
from signaldesk.web.hub import Hub
from signaldesk.web.plant import Plant
from signaldesk.web.services import Services

log = get_logger(__name__)


async def main(desk: Desk, told: Assignment, stop: asyncio.Event) -> None:
    listeners = () if told.handover else bind(told.settings.host, told.settings.port)
    async with server.running(services(desk)) as web, asyncio.TaskGroup() as group:
        if told.handover is not None:
            await web.receive(told.handover)
        else:
            web.serve(listeners)
            log.info("listening", at=addresses(listeners))
        opening = group.create_task(_open_pages(web))
        await stop.wait()
        opening.cancel()


async def _open_pages(web: server.WebServer) -> None:
    """Served last: everything else is there a second or two before Panel is."""
    gc.disable()  # what is imported is never garbage
    try:
        await web.open_pages()
    finally:
        gc.freeze()
        gc.enable()
    log.debug("the pages are open")


def services(desk: Desk) -> Services:
    """What the web server works with. Needs a running event loop."""
    return Services(
        settings=desk.settings,
        clock=desk.clock,
        secret=desk.secret_key.encode(),
        database=desk.database,
        news=desk.news,
        hub=Hub(feed=LiveFeed(desk.redis)),
        users=desk.users,
        sessions=desk.sessions,
        throttle=Throttle(desk.clock),
        keys=desk.api_keys,
        ring=desk.key_ring,
        tickets=Tickets(desk.redis),
        intake=desk.intake,
        rules=desk.rules,
        rule_history=desk.rule_history,
        explainer=desk.explainer,
        queries=desk.queries,
        backtests=desk.backtests,
        history=desk.history,
        channels=desk.channels,
        alerts=desk.alerts,
        alert_story=desk.alert_story,
        silences=desk.silences,
        labels=desk.labels,
        events=desk.event_finder,
        notifications=desk.notifications,
        registry=CollectorRegistry(),
        plant=Plant(health=desk.health, stream=desk.stream_health, clock=desk.clock),
    )


ROLE = Role("web", main)
