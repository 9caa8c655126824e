"""Redis, Postgres or both die under load and come back: 503 where it must be, and nothing is lost."""

from __future__ import annotations

import os
import signal

import pytest
import redis

from tests.faults.conftest import Servers, Site, roles, urls_of
from tests.faults.findings import compare
from tests.faults.receiver import Receiver
from tests.faults.traffic import BATCHES, customer, while_away
from tests.support import eventually_now
from tests.support.commands import Terminal, Up
from tests.support.examples import SOAK

WITHIN_S = 1.0
"""A customer is told so soon that nothing can be taken."""


@pytest.mark.parametrize("time", range(SOAK))
def test_servers_may_die_under_load(
    terminal: Terminal, servers: Servers, receiver: Receiver, time: int
) -> None:
    # In this order: after Redis was away, a key is looked up again before it counts as known.
    outages = [("postgres",), ("valkey",), ("valkey", "postgres")]
    with roles(terminal, servers.urls, receiver, "ingest", "processor", "dispatcher") as (site, processes):
        sender = customer(site.port, site.key, batches=len(outages) * BATCHES, seed=time)
        sender.start()
        for number, away in enumerate(outages):
            sender.until(number * BATCHES + BATCHES // 2)
            for name in away:
                getattr(servers, name).kill()
            answer = while_away(site.port, site.key)
            for name in away:
                getattr(servers, name).start()
            sender.attempted += 1
            # A key that is known needs no Postgres.
            assert answer.status == (503 if "valkey" in away else 202), answer
            assert bool(answer.retry_after) == ("valkey" in away)
            assert answer.seconds < WITHIN_S
        sender.finish()
        compare(site.books, sender, site.rules)
        eventually_now(lambda: set(receiver.got) >= site.books.messages(), 60, every=0.1)
        assert all(process.popen.poll() is None for process in processes.values()), "needs a restart"


def test_a_redis_without_room_refuses_with_503_and_everything_goes_on_when_there_is_room(
    terminal: Terminal, servers: Servers, receiver: Receiver
) -> None:
    with roles(terminal, servers.urls, receiver, "ingest", "processor") as (site, _):
        sender = customer(site.port, site.key, batches=3 * BATCHES)
        sender.start()
        with redis.Redis.from_url(servers.valkey.url) as server:
            sender.until(BATCHES)
            server.config_set("maxmemory", 1)
            answer = while_away(site.port, site.key)
            sender.attempted += 1
            server.config_set("maxmemory", 0)
        assert (answer.status, bool(answer.retry_after)) == (503, True), answer
        assert answer.seconds < WITHIN_S
        sender.finish()
        compare(site.books, sender, site.rules)


@pytest.mark.parametrize("emptied", range(SOAK))
def test_windows_that_redis_lost_come_from_postgres(running: Up, site: Site, emptied: int) -> None:
    sender = customer(site.port, site.key, batches=4 * BATCHES, seed=emptied)
    sender.allow(0)
    sender.start()
    for part, die in ((1, False), (2, True), (3, True)):
        sender.allow(part * BATCHES)
        sender.until(part * BATCHES)
        # What is not committed yet is in Redis alone, and would be lost with it.
        site.books.drained(sum(map(len, sender.batches[: sender.sent])) + len(sender.promised))
        processor = running.child("processor")
        with redis.Redis.from_url(urls_of(running).redis) as server:
            server.flushall()
        if die:
            os.kill(processor, signal.SIGKILL)
    sender.finish()
    assert compare(site.books, sender, site.rules).held
