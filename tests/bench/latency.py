"""From the moment an event was due to be sent until its webhook has arrived, at steady rates.

Twenty types with one rule each (3 in 60 s, cooldown 1 s): about twenty webhooks a second at any rate. The
sender does not wait for a slow server, and an event's clock starts when it was due, not when it got through.
It begins when webhooks arrive, so that nobody is charged for starting, and its first two seconds are warm-up
and do not count. Percentiles are those of each round; the table has their median.
"""

import time
from functools import partial

from tests.bench.children import BenchError, Child
from tests.bench.harness import Bench
from tests.bench.load import send_steadily
from tests.bench.report import Line, Promise, Reading, percentile
from tests.bench.side import Side
from tests.bench.workload import RULED_TYPES, latency_rules

TITLE = "Event to webhook"
WARM_UP_S = 2.0
STRAGGLERS_S = 1.0
STARTING_S = 30
PROMISES_MS = {500: {50: 10.0, 99: 50.0}, 1_500: {50: 15.0, 99: 60.0}}


def run(bench: Bench) -> None:
    for rate, limits in PROMISES_MS.items():
        lines = {
            p: bench.line(f"{rate:,} events/s, p{p}", "ms", Promise("ours", at_most=limit))
            for p, limit in limits.items()
        }
        bench.each_side(partial(_measure, bench, rate, lines))


def _measure(bench: Bench, rate: int, lines: dict[int, Line], side: Side) -> list[Reading]:
    pids = {name: process.pid for name, process in _start(bench, side).items()}
    _await_webhooks(bench, side)
    bench.settle()
    bench.hooks.received.clear()
    with bench.watch(**pids) as watch:
        send_steadily(side.single, side.latency_body, rate=rate, seconds=2 * bench.options.seconds)
        time.sleep(STRAGGLERS_S)
    pairs = [(side.sent_at(body), at) for at, body in bench.hooks.received]
    begin = min((sent for sent, _ in pairs), default=0.0) + WARM_UP_S
    waits = [(at - sent) * 1000 for sent, at in pairs if sent >= begin]
    note = f"{len(waits)} webhooks, longest {max(waits, default=0):.0f} ms; {watch}"
    return [Reading(line, percentile(waits, p), note if p == 50 else "") for p, line in lines.items()]


def _await_webhooks(bench: Bench, side: Side) -> None:
    """Send a few events a second until one has come out at the other end. BenchError if none does."""
    bench.hooks.received.clear()
    for _ in range(STARTING_S):
        send_steadily(side.single, side.latency_body, rate=5 * RULED_TYPES, seconds=1)
        if bench.hooks.received:
            return
    raise BenchError(f"{side.label}: no webhook within {STARTING_S} s")


def _start(bench: Bench, side: Side) -> dict[str, Child]:
    side.prepare(latency_rules(), bench.hooks.url)
    processes = {"ingest": side.start_ingest(), "judge": side.start_judging()}
    if delivery := side.start_delivery():
        processes["delivery"] = delivery
    return processes
