"""The whole loop with 1,000 rules of all ten kinds, in events a second of one judging process.

Measured as "Whole loop" is. There are 400 event types; 200 of them have five rules each, of a different kind
each: half of the types `count`, `aggregate` (p95), `ratio`, `absence` and `anomaly`, the other half `each`
with a filter, `change`, `sequence`, `new_value`, and `composite` over two rules of its type. So half of the
events match no rule and the other half concern about five, as in "Whole loop". All but `anomaly` judge by
user, of whom there are 100: some 80,000 windows. As in "Whole loop", about one event in 300 fires a rule.

The naive loop counts only: it has five count rules on each of the 200 types, without groups.

A backlog of 1.2 million events is worked off before the first save of so many windows is done; one of 1.8
million (`--backlog 1800000`) has a whole save in it, and is slower by that.

"With 10,000 new alerts at once": the rules for new values do not learn first, so that each of their
10,000 groups opens an alert at its first event, most of them within the first 50,000 events.
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
    crowded = bench.line("events judged and stored, with 10,000 new alerts at once", "events/s")
    crowd = {"types": 2 * MIXED_TYPES, "users": MIXED_USERS}
    ours = batch_bodies(bench.options.backlog // BATCH, **crowd)
    naive = batch_bodies(bench.options.naive_backlog // BATCH, **crowd)

    def measure(side: Side) -> list[Reading]:
        drained = drain(bench, side, mixed_rules(), ours if side.label == OURS else naive)
        return [Reading(rate, drained.per_second, drained.note), Reading(cost, drained.per_cpu_second)]

    def measure_crowded(side: Side) -> list[Reading]:
        drained = drain(bench, side, mixed_rules(learn="0s"), ours)
        return [Reading(crowded, drained.per_second, drained.note)]

    bench.each_side(measure)
    for _ in range(bench.options.rounds if OURS in bench.options.sides else 0):
        bench.fresh(bench.desk, measure_crowded)
