"""What Postgres holds after everything, against what was sent and what the oracle says to it."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from signaldesk.clock import to_us
from signaldesk.store.urls import libpq_url
from tests import oracle
from tests.faults.traffic import Customer, judged
from tests.support import eventually_now

DRAINED_S = 60.0
"""Everything accepted is stored and told so soon after the servers are back."""

Row = dict[str, Any]


class Books:
    """Reads one installation's database."""

    def __init__(self, url: str) -> None:
        self._url = libpq_url(url)

    def rows(self, query: str) -> list[Row]:
        with psycopg.connect(self._url, row_factory=dict_row, connect_timeout=5) as connection:
            return connection.execute(query).fetchall()

    def messages(self) -> set[str]:
        """The ids of all notifications."""
        return {str(row["id"]) for row in self.rows("SELECT id FROM notifications")}

    def drained(self, events: int, within: float = DRAINED_S) -> None:
        """Wait until so many events are stored."""

        def all_stored() -> bool:
            stored = self._stored()
            assert stored >= events, f"{stored:,} of {events:,} events are stored"
            return True

        eventually_now(all_stored, within, every=min(1.0, 0.1 + events / 100_000))

    def _stored(self) -> int:
        try:
            return int(self.rows("SELECT count(*) AS n FROM events")[0]["n"])
        except psycopg.OperationalError:
            return 0


def compare(
    books: Books, who: Customer, rules: dict[str, str], *, within: float = DRAINED_S
) -> oracle.Findings:
    """Nothing that was accepted is lost, nothing is there twice, and every decision is the oracle's.

    `within`: seconds until everything is stored.
    """
    wanted = Counter(row["id"] for batch in who.batches for row in batch)
    once = Counter(who.promised)
    books.drained(len(wanted) + len(who.promised), within)

    def all_there() -> Counter[str]:
        # Events that were never answered count as well: so many can be stored before these are.
        stored = Counter(str(row["id"]) for row in books.rows("SELECT id FROM events"))
        assert not wanted - stored and not once - stored, "events that were accepted are lost"
        return stored

    stored = eventually_now(all_there, within)
    assert max(stored.values()) == 1, "events are stored twice"
    # What was refused, or never answered, may be there: but nothing that was never sent.
    assert len(stored) <= len(wanted) + who.attempted
    found = judged(who, rules)
    assert _firings(books) == sorted((f.group, f.event, f.time, f.value, f.evidence) for f in found.firings)
    assert _alerts(books) == sorted(
        (a.group, a.event, a.opened_at, a.last_fired_at, a.firings) for a in found.alerts
    )
    # How often something was held back is written down with the next checkpoint.
    eventually_now(lambda: _held(books) == found.held)
    assert _told(books) == Counter(
        (firing.group.rule, firing.event) for firing in found.firings if firing.told
    )
    return found


def _firings(books: Books) -> list[tuple[Any, ...]]:
    return sorted(
        (
            _group(row),
            row["event_id"].bytes,
            to_us(row["timestamp"]),
            row["value"],
            tuple(one.bytes for one in row["evidence"]),
        )
        for row in books.rows("SELECT * FROM firings")
    )


def _alerts(books: Books) -> list[tuple[Any, ...]]:
    return sorted(
        (
            _group(row),
            row["event_id"].bytes,
            to_us(row["opened_at"]),
            to_us(row["last_fired_at"]),
            row["firings"],
        )
        for row in books.rows("SELECT * FROM alerts")
    )


def _held(books: Books) -> Counter[tuple[oracle.Group, str]]:
    found: Counter[tuple[oracle.Group, str]] = Counter()
    for row in books.rows("SELECT * FROM suppressions"):
        found[_group(row), row["reason"]] += row["count"]
    return found


def _told(books: Books) -> Counter[tuple[str, bytes]]:
    messages = [row["message"] for row in books.rows("SELECT message FROM notifications")]
    return Counter(
        (one["rule"]["id"], UUID(one["event"]["id"]).bytes) for one in messages if one["kind"] == "firing"
    )


def _group(row: Row) -> oracle.Group:
    return oracle.Group(str(row["rule_id"]), row["lane"], oracle.canonical(row["group"]))
