"""Backtests of 10 million events: in columns, beside the question of a count rule written by hand as SQL.

The events of a day lie in a DuckDB table, as `Events` holds them; making it is no part of any figure. By
hand it is asked at which events 27 of a user's lie within 60 s. The backtest answers that as well, and makes
firings of it, with a cooldown, ids and evidence. Both are asked three times in turn, and their medians are
compared: whoever is the first to use memory waits for the machine to hand it out. pandas and Polars count the
same windows with their rolling functions. Nothing is remembered from one figure to the next; a sweep shares
work between its own points only.
"""

from __future__ import annotations

import gc
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import duckdb

from tests.bench.harness import Bench
from tests.bench.report import OURS, Line, Promise

TITLE = "Backtests"
EVENTS = 10_000_000
PREVIEW = 1_000_000
USERS = 5_000
NEED, WITHIN = 27, 60
"""Events, and seconds, of the count rule: four bursts of seven in a minute."""
SWEEP: dict[str, Any] = {"at_least": range(22, 72), "within": ["10s", "20s", "30s", "45s", "60s"]}
WAITING = "composite, of parts that wait"
STEP = 8_640
"""Microseconds between two events."""

MADE = f"""
    SELECT make_timestamptz(1767225600000000 + {STEP} * n + (hash(n) % {STEP})::BIGINT) AS timestamp,
        'checkout' AS type, 'user-' || (hash(n // 7) % {USERS}) AS customer,
        (hash(n + 1) % 10000) / 100 AS amount, hash(n + 2) % 100 < 90 AS ok
    FROM range({{0}}) AS r (n)
"""
BY_HAND = f"""
    SELECT seq FROM events WHERE type = 'checkout' QUALIFY
    ts - lag(ts, {NEED - 1}) OVER (PARTITION BY {{0}} ORDER BY ts) < {WITHIN * 1_000_000}
"""


def counting() -> Any:
    from signaldesk.backtest.rule import Rule

    return Rule.count("checkout", at_least=NEED, within=f"{WITHIN}s", by="customer", cooldown="10m")


def step(where: str) -> dict[str, str]:
    """A step of a sequence."""
    return {"event": "checkout", "where": where}


def others() -> dict[str, Any]:
    """Rules of the other kinds that are judged in columns."""
    from signaldesk.backtest.rule import Rule

    common: dict[str, Any] = {"by": "customer", "cooldown": "1h"}
    amount: dict[str, Any] = {"field": "amount", "within": "10m", "min_events": 10, **common}
    return {
        "each": Rule.each("checkout", where="amount > 99.9", **common),
        "aggregate, p95": Rule.aggregate("checkout", function="p95", above=99.9, **amount),
        "aggregate, sum": Rule.aggregate("checkout", function="sum", above=3000, **amount),
        "aggregate, stddev": Rule.aggregate("checkout", function="stddev", above=42, **amount),
        "aggregate, distinct": Rule.aggregate("checkout", function="distinct", above=60, **amount),
        "ratio": Rule.ratio("checkout", where="NOT ok", above=0.4, within="10m", **common),
        "change": Rule.change("checkout", rise="500%", within="10m", min_events=42, **common),
        "change of sums": Rule.change(
            "checkout", function="sum", rise="500%", **{**amount, "min_events": 42}
        ),
        "new_value": Rule.new_value("checkout", field="ok", within="1h", learn="1h", **common),
        "sequence": Rule.sequence(steps=[step("NOT ok"), step("amount > 99.9")], within="1m", **common),
        "sequence of three": Rule.sequence(
            steps=[step("NOT ok"), step("ok"), step("amount > 99.9")], within="2m", **common
        ),
        "sequence, missing": Rule.sequence(
            steps=[step("amount > 99.9")], missing=step("ok"), within="5m", **common
        ),
        "absence": Rule.absence("checkout", within="30m", **common),
        "absence, expected": Rule.absence(
            "checkout", expected={"cron": "0 * * * *", "grace": "30m"}, **common
        ),
        "anomaly": Rule.anomaly("checkout", bin="1m", min_history="2h"),
        "anomaly, sum": Rule.anomaly(
            "checkout", bin="1m", function="sum", field="amount", min_history="2h", by="ok"
        ),
    }


def composite() -> tuple[Any, list[Any]]:
    """A rule of two others, and these."""
    from signaldesk.backtest.rule import Rule

    often = counting().with_(name="often")
    dear = Rule.each("checkout", name="dear", where="amount > 99.9", by="customer")
    return Rule.composite(all=["often", "dear"], within="10m", by="customer", cooldown="1h"), [often, dear]


def waiting() -> tuple[Any, list[Any]]:
    """One of parts that both wait for deadlines."""
    from signaldesk.backtest.rule import Rule

    silent = Rule.absence("checkout", name="silent", within="30m", by="customer")
    lasting = counting().with_(name="lasting", **{"for": "10s"})
    asked: dict[str, Any] = {"any": ["silent", "lasting"], "within": "10m"}
    return Rule.composite(**asked, by="customer", cooldown="1h"), [silent, lasting]


def loaded(count: int) -> Any:
    """So many events, after a few others were judged: what is loaded once is loaded by now."""
    from signaldesk.backtest.events import Events

    counting().backtest(Events.of(duckdb.sql(MADE.format(1_000))))
    return Events.of(duckdb.sql(MADE.format(count)))


def measured(send: Connection, count: int) -> None:
    """Every figure as (name, seconds, remark); then how much memory it took (GiB)."""
    events = loaded(count)
    gc.collect()
    before = _memory()
    rule = counting()

    def clocked(work: Callable[[], Any]) -> tuple[float, Any]:
        events.answers.clear()
        begun = time.perf_counter()
        found = work()
        return time.perf_counter() - begun, found

    def timed(name: str, work: Callable[[], Any], remark: Callable[[Any], str]) -> None:
        seconds, found = clocked(work)
        send.send((name, seconds, remark(found)))

    def said(found: Any) -> str:
        return f"{found.how}; {found.matched:,} matched, {len(found.firings):,} firings"

    by = events.fields["customer"]
    rows: list[tuple[float, Any]] = []
    counts: list[tuple[float, Any]] = []
    for _ in range(3):
        rows.append(clocked(lambda: events.sql(BY_HAND.format(by)).fetchnumpy()))
        counts.append(clocked(lambda: rule.backtest(events)))
    send.send(("sql", median(seconds for seconds, _ in rows), f"{len(rows[0][1]['seq']):,} rows"))
    send.send(("count", median(seconds for seconds, _ in counts), said(counts[0][1])))
    for name, other in others().items():
        timed(name, lambda: other.backtest(events), said)  # noqa: B023 - called at once
    for name, (whole, parts) in {"composite": composite(), WAITING: waiting()}.items():
        timed(name, lambda: whole.backtest(events, others=parts), said)  # noqa: B023 - called at once
    timed("sweep", lambda: rule.sweep(events, progress=False, **SWEEP), lambda f: f"{len(f.points)} points")
    send.send(("memory", _memory(), f"{before:.2f} GiB while the events were loaded"))


def frames(send: Connection, count: int) -> None:
    """The same windows counted by pandas and by Polars."""
    import pandas
    import polars

    made = duckdb.connect().sql(f"SELECT timestamp, customer FROM ({MADE.format(count)})")
    frame = made.pl()
    begun = time.perf_counter()
    found = frame.rolling("timestamp", period=f"{WITHIN}s", group_by="customer").agg(polars.len())
    send.send(("polars", time.perf_counter() - begun, f"{(found['len'] >= NEED).sum():,} rows"))
    del found
    table: pandas.DataFrame = frame.to_pandas()
    begun = time.perf_counter()
    table["one"] = 1
    rolled = table.set_index("timestamp").groupby("customer")["one"].rolling(f"{WITHIN}s").count()
    send.send(("pandas", time.perf_counter() - begun, f"{int((rolled >= NEED).sum()):,} rows"))


def preview(send: Connection, count: int) -> None:
    """Matching events, as a rule builder asks for them."""
    events, rule = loaded(count), counting()
    for name in ("preview, first", "preview, next"):
        begun = time.perf_counter()
        found = rule.backtest(events)
        send.send((name, time.perf_counter() - begun, f"{len(found.firings):,} firings"))
        rule = rule.with_(at_least=NEED + 1)


def alone(work: Callable[[Connection, int], None], count: int) -> dict[str, tuple[float, str]]:
    """What it sends, from a process of its own."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(send, count))
    process.start()
    send.close()
    found = {}
    try:
        while True:
            name, value, remark = receive.recv()
            found[name] = value, remark
    except EOFError:
        process.join()
    return found


def _memory() -> float:
    """The most memory (GiB) since the call before; Linux only."""
    status = Path("/proc/self/status").read_text()
    most = int(status.partition("VmHWM:")[2].split()[0])
    Path("/proc/self/clear_refs").write_text("5")
    return most / 2**20


def run(bench: Bench) -> None:
    def line(what: str, unit: str, at_most: float | None = None) -> Line:
        return bench.line(what, unit, Promise("ours", at_most=at_most) if at_most else None)

    lines = {
        "count": line("grouped count, compared with SQL by hand", "×", 1.2),
        "sweep": line("sweep of 50 × 5 points, compared with one backtest", "×", 10),
        **{name: line(name, "s", 5) for name in [*others(), "composite", WAITING]},
        "memory": line("most memory while these were judged", "GiB", 4),
        "preview, first": line("preview of a million events, the first", "s", 0.3),
        "preview, next": line("the next one, with another threshold", "s", 0.3),
        "polars": line("counted by Polars", "s"),
        "pandas": line("counted by pandas", "s"),
    }
    for _ in range(bench.options.rounds):
        found = {**alone(measured, EVENTS), **alone(preview, PREVIEW), **alone(frames, EVENTS)}
        seconds, hits = found.pop("sql")
        once, remark = found["count"]
        many, points = found["sweep"]
        found["count"] = once / seconds, f"{once:.2f} s, SQL {seconds:.2f} s with {hits}; {remark}"
        found["sweep"] = many / once, f"{many:.2f} s, {points}"
        for name, (value, note) in found.items():
            lines[name].add(OURS, value, note)
