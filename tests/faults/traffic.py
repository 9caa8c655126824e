"""Events that a customer sends while everything around them breaks, and what has to come of them.

One customer sends in order, each batch until it is answered with 202, as a careful client does. So the order
of the stream is known, and the oracle can be asked what the rules must have said.
"""

from __future__ import annotations

import http.client
import json
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from signaldesk.clock import MICROS, iso, to_us
from tests import oracle
from tests.support.examples import SOAK

BATCHES = 12
"""Sent between two faults."""
STEP_US = MICROS // 10
"""Between two events, on average."""
SESSION = 500
"""So many events share a few users, and then others come: groups stay small, however long a test is."""
PATIENCE_S = 90.0

Row = dict[str, Any]

# Only the rule of few groups tells people: many alerts at once are a storm, which the clock decides about.
RULES: list[Row] = [
    {
        "name": "Checkout failures by country",
        "event": "checkout_failed",
        "by": "country",
        "when": {"kind": "count", "at_least": 5, "within": "60s"},
        "cooldown": "2m",
        "notify": "hook",
    },
    {
        "name": "Busy users",
        "event": ["checkout_failed", "order_placed"],
        "where": "amount > 70",
        "by": "user",
        "when": {"kind": "count", "at_least": 4, "within": "20s"},
        "cooldown": "10s",
    },
    {
        "name": "Large orders",
        "event": "order_placed",
        "where": "amount >= 99",
        "by": "user",
        "when": {"kind": "each"},
    },
]
FILTERS: dict[str | None, Callable[[oracle.Event], bool]] = {
    None: lambda event: True,
    "amount > 70": lambda event: event.payload["amount"] > 70,
    "amount >= 99": lambda event: event.payload["amount"] >= 99,
}
"""What the filters mean, said once more."""


def rules_for_the_oracle(ids: dict[str, str]) -> tuple[oracle.Rule, ...]:
    """RULES as the oracle wants them. `ids` are the rules' ids by name."""
    return tuple(
        oracle.Rule(
            id=ids[body["name"]],
            version=1,
            since=1,
            body=body,
            where=FILTERS[body.get("where")],
            lateness=300 * MICROS,
            tells="notify" in body,
        )
        for body in RULES
    )


def made(count: int, seed: int) -> Iterator[Row]:
    """`count` events with ids of their own, in about the order of their time, up to now."""
    chance = random.Random(seed)
    start = time.time_ns() // 1000 - count * STEP_US - 60 * MICROS
    for number in range(count):
        late = chance.choice((0, 0, 0, 3 * MICROS, 25 * MICROS))
        yield {
            "id": str(UUID(int=chance.getrandbits(128), version=4)),
            "type": "checkout_failed" if chance.random() < 0.1 else "order_placed",
            "timestamp": iso(start + number * STEP_US - late),
            "payload": {
                "country": chance.choice(("DE", "FR", "PL", "IT")),
                "user": f"{number // SESSION}-{chance.randrange(20)}",
                "amount": chance.randrange(1, 101),
            },
        }


class Answer(NamedTuple):
    status: int
    retry_after: str | None
    seconds: float
    body: bytes


@dataclass
class Customer(threading.Thread):
    """Sends batches in order; every third goes without ids of its own, once, and may be lost when refused."""

    port: int
    key: str
    batches: list[list[Row]]
    sent: int = 0
    """Batches answered with 202 so far; what was sent after one without ids of its own is answered, too."""
    promised: list[str] = field(default_factory=list)
    """Ids of events without one of their own that were answered with 202."""
    attempted: int = 0
    """Events without an id of their own that were sent at all."""
    refusals: list[Answer] = field(default_factory=list)
    fault: BaseException | None = None
    turn: threading.Condition = field(default_factory=threading.Condition)
    allowed: float = math.inf
    """Batches it may send so far."""

    def __post_init__(self) -> None:
        super().__init__(name="customer", daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        try:
            for number, batch in enumerate(self.batches):
                with self.turn:
                    self.turn.wait_for(lambda: number < self.allowed, PATIENCE_S * SOAK)  # noqa: B023
                self._insist(batch)
                if number % 3 == 2:
                    self._try_once(len(batch) // 4 + 1, batch[0]["timestamp"])
                self.sent += 1  # now, and not before: whoever waits for it may find nothing under way
        except BaseException as fault:  # the test has to hear of it
            self.fault = fault

    def until(self, batches: int) -> None:
        """Wait until so many batches were taken; raises what the customer died of."""
        end = time.monotonic() + PATIENCE_S * SOAK
        while self.sent < batches and self.fault is None and time.monotonic() < end:
            self.join(0.005)
            if not self.is_alive():
                break
        if self.fault is not None:
            raise self.fault
        assert self.sent >= batches, f"only {self.sent} batches were taken: {self.refusals[-3:]}"

    def allow(self, batches: int) -> None:
        """Have it rest after so many batches, or go on until then."""
        with self.turn:
            self.allowed = batches
            self.turn.notify()

    def finish(self) -> None:
        self.allow(len(self.batches))
        self.until(len(self.batches))
        self.join(PATIENCE_S)
        assert not self.is_alive() and self.fault is None, self.fault

    def _insist(self, batch: list[Row]) -> None:
        end = time.monotonic() + PATIENCE_S
        while (answer := self.post(batch)).status != 202:
            assert answer.status in (0, 503), answer
            assert time.monotonic() < end, f"not taken within {PATIENCE_S} s: {answer}"
            time.sleep(float(answer.retry_after or 0.05) / 4)
        taken = json.loads(answer.body)
        assert taken["rejected"] == [] and taken["ids"] == [row["id"] for row in batch]

    def _try_once(self, count: int, timestamp: str) -> None:
        self.attempted += count
        # With a time of its own: received "now", it would make everything that follows late.
        answer = self.post([{"type": "page_viewed", "timestamp": timestamp} for _ in range(count)])
        if answer.status == 202:
            self.promised += json.loads(answer.body)["ids"]

    def post(self, batch: list[Row]) -> Answer:
        """One request; status 0 when there was no answer."""
        answer = post(self.port, self.key, json.dumps(batch).encode())
        if answer.status != 202:
            self.refusals.append(answer)
        return answer


def post(port: int, key: str, body: bytes) -> Answer:
    """Send a body of events."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    connection, began = http.client.HTTPConnection("127.0.0.1", port, timeout=30), time.monotonic()
    try:
        connection.request("POST", "/api/v1/events", body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers["Retry-After"], time.monotonic() - began, answer.read())
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, None, time.monotonic() - began, repr(error).encode())
    finally:
        connection.close()


def while_away(port: int, key: str) -> Answer:
    """What one more customer hears, whose events nobody watches."""
    event = {"type": "page_viewed", "timestamp": "2026-01-01T00:00:00Z"}
    return post(port, key, json.dumps(event).encode())


def customer(port: int, key: str, *, batches: int, size: int = 60, seed: int = 1) -> Customer:
    """A customer with so many batches to send; not started yet."""
    events = list(made(batches * size, seed))
    return Customer(port, key, [events[i : i + size] for i in range(0, len(events), size)])


def judged(who: Customer, ids: dict[str, str]) -> oracle.Findings:
    """What the oracle says to everything that the customer sent."""
    stream: list[oracle.Event | oracle.Rules] = [oracle.Rules("org", rules_for_the_oracle(ids))]
    for row in (row for batch in who.batches for row in batch):
        at = to_us(datetime.fromisoformat(row["timestamp"]))
        stream.append(
            oracle.Event("org", UUID(row["id"]).bytes, row["type"], at, at, row["payload"], source=None)
        )
    return oracle.judge(stream, skew=0)
