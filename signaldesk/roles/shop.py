"""The shop of `up --demo`: founds the example, fills in the past, and keeps sending what happens now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

import orjson

from signaldesk.accounts.orgs import Org
from signaldesk.client.http import Api, Refused, Unreachable
from signaldesk.client.lines import Batch, batches
from signaldesk.client.sending import Sender
from signaldesk.clock import MICROS, to_us
from signaldesk.desk import Desk
from signaldesk.log import get_logger
from signaldesk.roles.assignment import Assignment
from signaldesk.roles.demo import founding
from signaldesk.roles.demo.shop import Happening, happenings
from signaldesk.roles.role import Role

log = get_logger(__name__)

TICK = 0.2
"""Seconds between two requests; their events carry their own times."""
LOOK_EVERY = 0.2
PATIENCE = 20.0


async def main(desk: Desk, told: Assignment, stop: asyncio.Event) -> None:
    org, credentials = await founding.found(desk)
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(told.settings.host, told.settings.host)
    past = told.settings.demo_past * MICROS  # what the Overview shows at first
    with Api(f"http://{host}:{told.settings.port}", credentials.key) as api:
        sender = Sender(api, patience=PATIENCE)
        open_from = await _books_end(desk, org, past, stop)
        while not stop.is_set():
            now = desk.clock.now_us()
            if not await _send(sender, happenings(open_from, now), stop):
                return
            if now - open_from < past / 10:
                break
            open_from = now  # filling in the past took a while: catch up with what happened meanwhile
        await _books_end(desk, org, past, stop)
        await founding.speak_up(desk, org)
        await _trade(desk, sender, now, stop)


async def _trade(desk: Desk, sender: Sender, since: int, stop: asyncio.Event) -> None:
    """Send what happens, as it happens."""
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), TICK)
        now = desk.clock.now_us()
        if not await _send(sender, happenings(since, now), stop):
            return
        since = now


async def _books_end(desk: Desk, org: Org, past: int, stop: asyncio.Event) -> int:
    """The time from which on nothing is written down yet, once everything accepted is: not before `past`
    microseconds ago."""
    while not stop.is_set():
        places = {place.id: place.position for place in await desk.health.partitions()}
        if await desk.stream.last(org.partition) <= places[org.partition]:
            break
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_EVERY)
    newest = await desk.events.page(org.id, limit=1)
    first = desk.clock.now_us() - past
    return max(first, to_us(newest[0].timestamp) + 1) if newest else first


async def _send(sender: Sender, events: Iterable[Happening], stop: asyncio.Event) -> bool:
    """Send events in order; False when there is no point in going on."""
    lines = (orjson.dumps(event.document()) for event in events)
    made = batches(lines)
    while not stop.is_set():
        batch: Batch | None = await asyncio.to_thread(partial(next, made, None))
        if batch is None:
            return True
        try:
            await asyncio.to_thread(sender.send, batch)
        except Unreachable as error:
            log.warning("the shop's events were not taken", reason=error.detail)
        except Refused as error:
            log.error("the shop closes: its events are refused", reason=error.detail)
            await stop.wait()
            return False
    return False


ROLE = Role("shop", main)
