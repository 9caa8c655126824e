"""Ingest over HTTP: single events and batches of 500, with nobody judging meanwhile.

"Per core" is measured, not assumed: requests divided by the processor time of the server process, read from
/proc, so that neither the load generator nor a server with helper threads can blur it. Work that a side
leaves to Valkey (scripts, the append-only file) is no part of that, so the same is given with it included.
"""

from dataclasses import dataclass
from functools import partial

from tests.bench.harness import Bench
from tests.bench.load import wrk
from tests.bench.report import Line, Promise, Reading
from tests.bench.side import Side
from tests.bench.workload import BATCH, batch_bodies, single_bodies

TITLE = "Ingest"
WARM_UP_S = 2


@dataclass(frozen=True)
class Load:
    """One kind of request: its bodies, the events in each, and the three lines of its figures."""

    bodies: list[bytes]
    events: int
    connections: int
    wall: Line
    per_core: Line
    per_core_in_all: Line


def run(bench: Bench) -> None:
    single, batch = "single-event POST", "batch POST (500 events)"
    singles = Load(
        single_bodies(2_000),
        1,
        64,
        bench.line(single, "requests/s"),
        bench.line(f"{single}, per core", "requests/CPU-s", Promise("ratio", at_least=1)),
        bench.line(f"{single}, per core, Valkey included", "requests/CPU-s"),
    )
    batches = Load(
        batch_bodies(40),
        BATCH,
        8,
        bench.line(batch, "events/s"),
        bench.line(f"{batch}, per core", "events/CPU-s", Promise("ratio", at_least=20)),
        bench.line(f"{batch}, per core, Valkey included", "events/CPU-s"),
    )
    for load in (singles, batches):
        bench.each_side(partial(_measure, bench, load))


def _measure(bench: Bench, load: Load, side: Side) -> list[Reading]:
    side.prepare([], bench.hooks.url)
    server = side.start_ingest()
    target = side.single if load.events == 1 else side.batch
    wrk(target, load.bodies, seconds=WARM_UP_S, connections=load.connections, folder=bench.folder)
    bench.settle()
    with bench.watch(server=server.pid, valkey=side.valkey.pid) as watch:
        seconds = bench.options.seconds
        found = wrk(target, load.bodies, seconds=seconds, connections=load.connections, folder=bench.folder)
    events = found.requests * load.events
    note = f"{load.connections} connections, p50 {found.p50_ms:.1f} ms, p99 {found.p99_ms:.1f} ms; {watch}"
    return [
        Reading(load.wall, events / found.seconds, note),
        Reading(load.per_core, events / watch.used["server"]),
        Reading(load.per_core_in_all, events / sum(watch.used.values())),
    ]
