"""Ingest over HTTP: single events and batches of 500, with nobody judging meanwhile.

"Per core" is measured, not assumed: requests divided by the processor time of the server process, read from
/proc, so that neither the load generator nor a server with helper threads can blur it. Work that a side
leaves to Valkey (scripts, the append-only file) is no part of that, so the same is given with it included.
"""

from tests.bench.harness import Bench
from tests.bench.load import wrk
from tests.bench.machine import CpuWatch
from tests.bench.report import Promise
from tests.bench.workload import BATCH, batch_bodies, single_bodies

TITLE = "Ingest"
SINGLE_CONNECTIONS = 64
BATCH_CONNECTIONS = 8


def run(bench: Bench) -> None:
    singles, batches = single_bodies(2_000), batch_bodies(40)
    lines = {
        "single": (
            bench.line("single-event POST", "requests/s"),
            bench.line("single-event POST, per core", "requests/CPU-s", Promise("ratio", at_least=1)),
            bench.line("single-event POST, per core, Valkey included", "requests/CPU-s"),
        ),
        "batch": (
            bench.line("batch POST (500 events)", "events/s"),
            bench.line("batch POST (500 events), per core", "events/CPU-s", Promise("ratio", at_least=20)),
            bench.line("batch POST (500 events), per core, Valkey included", "events/CPU-s"),
        ),
    }
    for side in bench.rounds():
        side.prepare([], bench.hooks.url)
        server = side.start_ingest()
        for what, bodies, connections, target, worth in (
            ("single", singles, SINGLE_CONNECTIONS, side.single, 1),
            ("batch", batches, BATCH_CONNECTIONS, side.batch, BATCH),
        ):
            wrk(target, bodies, seconds=2, connections=connections, folder=bench.folder)  # warm caches
            bench.settle()
            watch = CpuWatch({"server": server.pid, "valkey": side.valkey.pid}).start()
            result = wrk(
                target, bodies, seconds=bench.options.seconds, connections=connections, folder=bench.folder
            )
            watch.stop()
            note = (
                f"{connections} connections, p50 {result.p50_ms:.1f} ms, p99 {result.p99_ms:.1f} ms; CPU-s: "
                f"server {watch.used['server']:.1f}, valkey {watch.used['valkey']:.1f} in "
                f"{result.seconds:.1f} s; strangers took {watch.strangers:.0%} of the machine"
            )
            wall, per_core, per_core_in_all = lines[what]
            wall.add(side, result.per_second * worth, note)
            per_core.add(side, result.requests * worth / watch.used["server"])
            per_core_in_all.add(side, result.requests * worth / sum(watch.used.values()))
