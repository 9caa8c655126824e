"""From ten rules to ten thousand, with the same matches for each event. SignalDesk only.

Ten rules judge ten event types by user; every event is of one of these types and matches exactly one rule.
The other rules are on types that never come. The share is the rate with that many rules over the rate with
ten in the same round.
"""

from dataclasses import replace

from tests.bench.harness import Bench
from tests.bench.loop import drain
from tests.bench.report import OURS, Promise
from tests.bench.workload import BATCH, batch_bodies, scaled_rules

TITLE = "Ten rules to ten thousand"
COUNTS = (10, 1_000, 10_000)
BUSY_TYPES = 10


def run(bench: Bench) -> None:
    bench.options = replace(bench.options, sides=(OURS,))
    rates = {count: bench.line(f"with {count:,} rules", "events/s") for count in COUNTS}
    shares = {
        count: bench.line(
            f"{count:,} rules against {COUNTS[0]}",
            "%",
            Promise("ours", at_least=80) if count == COUNTS[-1] else None,
        )
        for count in COUNTS[1:]
    }
    bodies = batch_bodies(bench.options.backlog // 2 // BATCH, types=BUSY_TYPES)
    for _ in range(bench.options.rounds):
        measured = {}
        for count in COUNTS:
            with bench.desk() as side:
                drained = drain(bench, side, scaled_rules(count, busy=BUSY_TYPES), bodies)
            measured[count] = drained.per_second
            rates[count].add(side, drained.per_second, drained.note)
        for count, line in shares.items():
            line.add(OURS, 100 * measured[count] / measured[COUNTS[0]])
