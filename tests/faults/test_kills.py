"""`kill -9` of any process, again and again, while a customer sends: nothing is lost, nothing is doubled."""

from __future__ import annotations

import os
import random
import signal

from tests.faults.conftest import Site
from tests.faults.findings import compare
from tests.faults.receiver import Receiver
from tests.faults.traffic import SOAK, customer
from tests.support import eventually_now
from tests.support.commands import Up

KILLS = 8 * SOAK
BATCHES = 8
"""Sent between two kills."""
ROLES = ("processor", "ingest", "processor", "dispatcher", "web")


def test_no_kill_of_any_process_loses_or_doubles_anything(
    running: Up, site: Site, receiver: Receiver
) -> None:
    chance = random.Random(KILLS)
    sender = customer(site.port, site.key, batches=KILLS * BATCHES)
    sender.start()
    killed = []
    for number in range(KILLS):
        sender.until(number * BATCHES + chance.randrange(BATCHES))
        killed.append(ROLES[number % len(ROLES)])
        os.kill(running.child(killed[-1]), signal.SIGKILL)
    sender.finish()
    found = compare(site.books, sender, site.rules)
    assert found.firings
    assert found.held
    eventually_now(lambda: set(receiver.got) >= site.books.messages(), 60, every=0.1)
    # After a crash a message may come once more, under the same id, by which the receiver knows it.
    assert set(receiver.got) == site.books.messages()
    assert max(receiver.got.values()) <= 1 + killed.count("dispatcher")
