"""`kill -9` of any process, again and again, while a customer sends: nothing is lost, nothing is doubled."""

from __future__ import annotations

import os
import random
import signal

from tests.faults.conftest import Site
from tests.faults.findings import DRAINED_S, compare
from tests.faults.receiver import Receiver
from tests.faults.traffic import customer
from tests.support import eventually_now
from tests.support.commands import Up
from tests.support.examples import SOAK

KILLS = 8 * SOAK
BATCHES = 8
"""Sent between two kills."""
SIZE = 60 if SOAK < 25 else 625
"""Events in each of them: a million in all between 200 kills."""
AGAIN_S = 30.0
"""A process that is killed again and again is started again within so many seconds."""
ROLES = ("processor", "ingest", "processor", "dispatcher", "web")


def test_no_kill_of_any_process_loses_or_doubles_anything(
    running: Up, site: Site, receiver: Receiver
) -> None:
    chance = random.Random(KILLS)
    sender = customer(site.port, site.key, batches=KILLS * BATCHES, size=SIZE)
    sender.start()
    killed = []
    for number in range(KILLS):
        sender.until(number * BATCHES + chance.randrange(BATCHES))
        killed.append(ROLES[number % len(ROLES)])
        os.kill(running.child(killed[-1], within=AGAIN_S), signal.SIGKILL)
    sender.finish()
    # A process that is killed as soon as it is back has not done much: most of it is done now.
    found = compare(site.books, sender, site.rules, within=DRAINED_S * max(1, SOAK // 4))
    assert found.firings
    assert found.held
    eventually_now(lambda: set(receiver.got) >= site.books.messages(), 60, every=0.1)
    # After a crash a message may come once more, under the same id, by which the receiver knows it.
    assert set(receiver.got) == site.books.messages()
    assert max(receiver.got.values()) <= 1 + killed.count("dispatcher")
