"""From ten rules to ten thousand, with the same matches for each event. SignalDesk only.

Ten rules judge ten event types by user; every event is of one of these types and matches exactly one rule.
The other rules are on types that never come. The share is the rate with that many rules over the rate with
ten in the same round.

The hard case beside it, without a promise: the other rules are on the same ten types, and each has a filter
of its own that never holds, so that every event is held against a hundred filters in vain.
"""

from tests.bench.harness import Bench
from tests.bench.loop import drain
from tests.bench.report import OURS, Line, Promise, Reading
from tests.bench.side import Side
from tests.bench.workload import BATCH, BenchRule, batch_bodies, crowded_rules, scaled_rules

TITLE = "Ten rules to ten thousand"
COUNTS = (10, 1_000, 10_000)
CROWD = 1_000
BUSY_TYPES = 10


def run(bench: Bench) -> None:
    rates = {count: bench.line(f"with {count:,} rules", "events/s") for count in COUNTS}
    shares = {
        count: bench.line(
            f"{count:,} rules against {COUNTS[0]}",
            "%",
            Promise("ours", at_least=80) if count == COUNTS[-1] else None,
        )
        for count in COUNTS[1:]
    }
    crowd = bench.line(f"with {CROWD:,} rules on the same types", "events/s")
    bodies = batch_bodies(bench.options.backlog // 2 // BATCH, types=BUSY_TYPES)
    for _ in range(bench.options.rounds if OURS in bench.options.sides else 0):
        measured = {}
        for count in COUNTS:
            measured[count] = _measure(bench, rates[count], scaled_rules(count, busy=BUSY_TYPES), bodies)
        _measure(bench, crowd, crowded_rules(CROWD, busy=BUSY_TYPES), bodies)
        for count, line in shares.items():
            line.add(OURS, 100 * measured[count] / measured[COUNTS[0]])


def _measure(bench: Bench, line: Line, rules: list[BenchRule], bodies: list[bytes]) -> float:
    """Drain the backlog with these rules, note the rate in `line` and return it (events/s)."""

    def measure(side: Side) -> list[Reading]:
        drained = drain(bench, side, rules, bodies)
        return [Reading(line, drained.per_second, drained.note)]

    return bench.fresh(bench.desk, measure)[0]
