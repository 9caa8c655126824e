"""What one filter costs an event, in processor time: the least of many short runs. SignalDesk only.

The predicate is called as the engine calls it, with a decoded payload, from a loop of plain Python whose own
cost is part of the figure.
"""

from time import process_time
from timeit import repeat

from signaldesk import filters
from tests.bench.harness import Bench
from tests.bench.report import OURS, Promise

TITLE = "The cost of a filter"
TYPICAL = "amount > 20 AND country IN ('DE', 'FR') AND user.plan = 'pro'"
OTHERS = (
    "paid / total < 0.5 AND lower(country) = 'fr'",
    "coalesce(discount, 0) < 5 AND starts_with(path, '/api/')",
    "hour(timestamp AT TIME ZONE 'Europe/Berlin') < 6",
    "regexp_matches(path, '^/api/v[0-9]+/')",
)
PAYLOAD = {
    "amount": 25.5,
    "country": "FR",
    "paid": 10,
    "total": 40,
    "user": {"plan": "pro"},
    "path": "/api/v2/orders",
}
A_SUMMER_NIGHT = 1_783_204_215_250_000
EVENTS = 2_000
RUNS = 50


def run(bench: Bench) -> None:
    for text in (TYPICAL, *OTHERS):
        line = bench.line(f"`{text}`", "µs", Promise("ours", at_most=1) if text == TYPICAL else None)
        for _ in range(bench.options.rounds if OURS in bench.options.sides else 0):
            line.add(OURS, cost(text))


def cost(text: str) -> float:
    """Microseconds of processor time for one event, which matches."""
    predicate = filters.parse(text).predicate
    assert predicate(PAYLOAD, "checkout", "web", A_SUMMER_NIGHT)
    runs = repeat(
        lambda: predicate(PAYLOAD, "checkout", "web", A_SUMMER_NIGHT),
        timer=process_time,
        number=EVENTS,
        repeat=RUNS,
    )
    return min(runs) / EVENTS * 1e6
