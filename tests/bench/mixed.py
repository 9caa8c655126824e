"""The whole loop with 1,000 rules of all ten kinds, in events a second of one judging process.

Measured as "Whole loop" is. There are 400 event types; 200 of them have five rules each, of a different kind
each: half of the types `count`, `aggregate` (p95), `ratio`, `absence` and `anomaly`, the other half `each`
with a filter, `change`, `sequence`, `new_value`, and `composite` over two rules of its type. So half of the
events match no rule and the other half concern about five, as in "Whole loop". All but `anomaly` judge by
user, of whom there are 100: some 80,000 windows.

The naive loop counts only: it has five count rules on each of the 200 types, without groups.
"""

from tests.bench.harness import Bench
from tests.bench.loop import drain
from tests.bench.report import OURS, Promise, Reading
from tests.bench.side import Side
from tests.bench.workload import BATCH, MIXED_TYPES, MIXED_USERS, batch_bodies, mixed_rules

TITLE = "All kinds"


def run(bench: Bench) -> None:
    rate = bench.line("events judged and stored", "events/s", Promise("ratio", at_least=25))
    cost = bench.line("events per CPU-second of the judging process", "events/CPU-s")
    crowd = {"types": 2 * MIXED_TYPES, "users": MIXED_USERS}
    ours = batch_bodies(bench.options.backlog // 2 // BATCH, **crowd)
    naive = batch_bodies(bench.options.naive_backlog // BATCH, **crowd)

    def measure(side: Side) -> list[Reading]:
        drained = drain(bench, side, mixed_rules(), ours if side.label == OURS else naive)
        return [Reading(rate, drained.per_second, drained.note), Reading(cost, drained.per_cpu_second)]

    bench.each_side(measure)
