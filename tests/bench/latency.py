"""From the moment an event was due to be sent until its webhook has arrived, at steady rates.

Twenty types with one rule each (3 in 60 s, cooldown 1 s): about twenty webhooks a second at any rate. The
sender does not wait for a slow server, and an event's clock starts when it was due, not when it got through.
The first two seconds are warm-up and do not count.
"""

from tests.bench.harness import Bench
from tests.bench.load import send_steadily
from tests.bench.machine import CpuWatch
from tests.bench.report import Promise, percentile
from tests.bench.workload import latency_rules

TITLE = "Event to webhook"
WARM_UP = 2.0
PROMISES_MS = {500: {50: 10.0, 99: 50.0}, 1_500: {50: 15.0, 99: 60.0}}


def run(bench: Bench) -> None:
    lines = {
        (rate, p): bench.line(f"{rate:,} events/s, p{p}", "ms", Promise("ours", at_most=limit))
        for rate, limits in PROMISES_MS.items()
        for p, limit in limits.items()
    }
    for side in bench.rounds():
        side.prepare(latency_rules(), bench.hooks.url)
        pids = {"ingest": side.start_ingest().pid, "judge": side.start_judging().pid}
        if delivery := side.start_delivery():
            pids["delivery"] = delivery.pid
        for rate, limits in PROMISES_MS.items():
            bench.settle()
            bench.hooks.received.clear()
            watch = CpuWatch(pids).start()
            send_steadily(side.single, side.latency_body, rate=rate, seconds=bench.options.seconds * 2)
            bench.settle()
            watch.stop()
            pairs = [(side.sent_at(body), at) for at, body in bench.hooks.received]
            begin = min((sent for sent, _ in pairs), default=0.0) + WARM_UP
            waits = [(at - sent) * 1000 for sent, at in pairs if sent >= begin]
            used = ", ".join(f"{name} {seconds:.1f}" for name, seconds in watch.used.items())
            note = (
                f"{len(waits)} webhooks, longest {max(waits, default=0):.0f} ms; CPU-s: {used}; "
                f"strangers took {watch.strangers:.0%} of the machine"
            )
            for p in limits:
                lines[rate, p].add(side, percentile(waits, p), note if p == 50 else "")
