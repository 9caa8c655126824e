"""The events and rules that both sides are measured with.

The workload of the whole-loop and ingest benchmarks:

* 40 event types, each event's type drawn uniformly. `type_0` … `type_19` have five rules each (100 rules);
  `type_20` … `type_39` have none. So half of the events match no rule, and the other half match five.
* Every event carries `user`, drawn uniformly from 1,000 values, independently of the type.
* The five rules of a type are counts: 35 and 45 in 60 s, 55 in 5 min, 70 in 15 min, 90 in 1 h; each with
  a cooldown of 5 min. SignalDesk judges them *by user*: 100 rules × 1,000 users = 100,000 windows.
  The naive loop cannot group: it counts per type, in 20 windows. That is kinder to it.
* With the default backlogs about one event in 300 fires a rule, on both sides: a group sees thirty events
  on average, so some pass 35; the naive loop fires each rule once, and again where its jobs race.
* Events carry no timestamp of their own: their time is the time of receipt.

The latency workload: 20 types, one ungrouped rule each (3 in 60 s, cooldown 1 s), so that about twenty
webhooks a second leave whatever the rate of events.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import orjson

RULED_TYPES = 20
ALL_TYPES = 40
USERS = 1_000
BATCH = 500
SEED = 20_131


@dataclass(frozen=True)
class BenchRule:
    """A count rule in the terms that both sides understand."""

    name: str
    event: str
    at_least: int
    within_s: int
    cooldown_s: int
    by: str | None = None
    where: str | None = None
    when: dict[str, object] | None = None
    """The condition that SignalDesk judges by; the naive loop counts all the same."""


_STEPS = ((35, 60), (45, 60), (55, 300), (70, 900), (90, 3600))


def loop_rules() -> list[BenchRule]:
    """The 100 rules: five for each of the twenty ruled types, by user."""
    return [
        BenchRule(f"type {t}, {n} in {w} s", f"type_{t}", n, w, 300, by="user")
        for t in range(RULED_TYPES)
        for n, w in _STEPS
    ]


def latency_rules() -> list[BenchRule]:
    """One ungrouped rule for each of the twenty types, which fires once a second."""
    return [BenchRule(f"type {t}", f"type_{t}", 3, 60, 1) for t in range(RULED_TYPES)]


def scaled_rules(count: int, *, busy: int = 10) -> list[BenchRule]:
    """`busy` rules that judge events, and `count - busy` rules on types that never come."""
    rules = [BenchRule(f"busy {i}", f"type_{i}", 75, 60, 300, by="user") for i in range(busy)]
    idle = replace(rules[0], name="", event="")
    rules += [replace(idle, name=f"idle {i}", event=f"idle_{i}") for i in range(count - busy)]
    return rules


def crowded_rules(count: int, *, busy: int = 10) -> list[BenchRule]:
    """The `busy` rules, and the others on the same types, each with a filter of its own that never holds."""
    rules = scaled_rules(busy, busy=busy)
    return rules + [
        replace(rules[i % busy], name=f"crowd {i}", where=f"country = 'X{i}'") for i in range(count - busy)
    ]


MIXED_TYPES = 200
MIXED_USERS = 100
_RARE = "country = 'XX'"
_MIXED: tuple[tuple[tuple[str | None, dict[str, object]], ...], ...] = (
    (
        (None, {"kind": "count", "at_least": 60, "within": "15m"}),
        (None, {"kind": "aggregate", "function": "p95", "field": "amount", "within": "5m", "above": 1e12}),
        (_RARE, {"kind": "ratio", "above": 0.5, "within": "5m"}),
        (None, {"kind": "absence", "within": "6h"}),
        (None, {"kind": "anomaly", "bin": "1m"}),
    ),
    (
        ("amount % 75 = 0", {"kind": "each"}),
        (None, {"kind": "change", "rise": 9, "within": "5m", "min_events": 60}),
        (None, {"kind": "sequence", "steps": [{"event": "{type}"}, {"event": "never"}], "within": "5m"}),
        (None, {"kind": "new_value", "field": "country", "within": "1h", "learn": "{learn}"}),
        (None, {"kind": "composite", "all": ["each on {type}", "change on {type}"], "within": "5m"}),
    ),
)


def mixed_rules(types: int = MIXED_TYPES, *, learn: str = "1h") -> list[BenchRule]:
    """Five rules on each type, of a different kind each; by user, but for `anomaly`.

    Unless they `learn`, the rules for new values fire for every user once.
    """
    return [
        BenchRule(
            f"{when['kind']} on type_{t}",
            f"type_{t}",
            60,
            900,
            300,
            by=None if when["kind"] == "anomaly" else "user",
            where=where,
            when=_of_type(when, f"type_{t}", learn),
        )
        for t in range(types)
        for where, when in _MIXED[t % 2]
    ]


def _of_type(when: dict[str, object], type_: str, learn: str) -> dict[str, object]:
    text = orjson.dumps(when).decode()
    return dict(orjson.loads(text.replace("{type}", type_).replace("{learn}", learn)))


def events(
    count: int, *, types: int = ALL_TYPES, users: int = USERS, seed: int = SEED
) -> Iterator[dict[str, object]]:
    """`count` events, the same ones for the same seed."""
    draw = random.Random(seed)
    for i in range(count):
        yield {
            "type": f"type_{draw.randrange(types)}",
            "payload": {"amount": i, "user": f"u{draw.randrange(users)}", "country": "DE"},
        }


def single_bodies(count: int) -> list[bytes]:
    """Bodies of single-event requests."""
    return [orjson.dumps(event) for event in events(count)]


def batch_bodies(count: int, *, types: int = ALL_TYPES, users: int = USERS, size: int = BATCH) -> list[bytes]:
    """`count` bodies `{"events": […]}` of `size` events each; both sides take this form."""
    stream = events(count * size, types=types, users=users)
    return [orjson.dumps({"events": [next(stream) for _ in range(size)]}) for _ in range(count)]
