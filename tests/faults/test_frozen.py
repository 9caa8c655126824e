"""A processor is frozen for longer than its lease, and wakes up: it writes nothing any more."""

from __future__ import annotations

import signal

from tests.faults.conftest import Servers, roles, seeing
from tests.faults.findings import compare
from tests.faults.receiver import Receiver
from tests.faults.traffic import customer
from tests.support.commands import Terminal
from tests.support.examples import SOAK

FREEZES = SOAK
BATCHES = 20


def test_a_processor_that_overslept_its_lease_writes_nothing(
    terminal: Terminal, servers: Servers, receiver: Receiver
) -> None:
    hasty = terminal.with_(SIGNALDESK_LEASE="1")
    with roles(hasty, servers.urls, receiver, "ingest", "processor") as (site, processes):
        sender = customer(site.port, site.key, batches=(FREEZES + 1) * BATCHES)
        sender.start()
        frozen = processes["processor"]
        for number in range(FREEZES):
            sender.until(number * BATCHES + BATCHES // 2)
            frozen.popen.send_signal(signal.SIGSTOP)
            with seeing(hasty, servers.urls).running("run", "processor") as other:
                other.says("partition ready")
                sender.until((number + 1) * BATCHES)
                frozen.popen.send_signal(signal.SIGCONT)
                frozen.says("partition lost")
        sender.finish()
        compare(site.books, sender, site.rules)
        assert '"level": "error"' not in frozen.err
