"""The whole loop: accepted → judged → stored → outbox, in events a second of one judging process.

The backlog is posted in batches through the side's own ingest while nobody judges. Then the judging process
starts, and the figure is what it did from its first commit to its last, as Postgres noted the commits.
See `workload` for the events and rules. Both sides work off as many events as last them several seconds.
Both reach Postgres and Valkey through unix sockets. SignalDesk's windows are saved to Valkey meanwhile, as
often as a twentieth of the time allows, at the latest after 20 s; what is left when the last event was
committed is saved after it, and so is no part of the figure.
"""

from dataclasses import dataclass

from tests.bench.harness import Bench
from tests.bench.report import OURS, Promise, Reading
from tests.bench.side import Side
from tests.bench.workload import BATCH, BenchRule, batch_bodies, loop_rules

TITLE = "Whole loop"
PATIENCE_S = 300


@dataclass(frozen=True)
class Drained:
    """A backlog that was judged: events/s from first to last commit, events per CPU-second, a remark."""

    per_second: float
    per_cpu_second: float
    note: str


def run(bench: Bench) -> None:
    rate = bench.line("events judged and stored", "events/s", Promise("ratio", at_least=25))
    cost = bench.line("events per CPU-second of the judging process", "events/CPU-s")
    ours = batch_bodies(bench.options.backlog // BATCH)
    naive = batch_bodies(bench.options.naive_backlog // BATCH)

    def measure(side: Side) -> list[Reading]:
        drained = drain(bench, side, loop_rules(), ours if side.label == OURS else naive)
        return [Reading(rate, drained.per_second, drained.note), Reading(cost, drained.per_cpu_second)]

    bench.each_side(measure)


def drain(bench: Bench, side: Side, rules: list[BenchRule], bodies: list[bytes]) -> Drained:
    """Have `side` take the bodies first and judge them then. BenchError if that lasts over `PATIENCE_S`."""
    side.prepare(rules, bench.hooks.url)
    side.start_ingest()
    side.prefill(bodies)
    bench.settle()
    judge = side.start_judging()
    with bench.watch(judge=judge.pid, postgres=bench.postgres.pid, valkey=side.valkey.pid) as watch:
        side.wait_until_stored(len(bodies) * BATCH, judge, seconds=PATIENCE_S)
    commits = side.commits()
    note = (
        f"{commits.events:,} events in {len(commits.batches):,} commits; by second {commits.series()}; "
        f"longest pause {commits.longest_pause() * 1000:.0f} ms; {side.count('notifications'):,} "
        f"notifications; {watch}"
    )
    return Drained(commits.per_second, commits.events / max(watch.used["judge"], 0.01), note)
