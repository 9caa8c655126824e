"""What the harness asks of a system under test; `naive_side` and `desk_side` answer it."""

import http.client
import math
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

from psycopg import sql

from tests.bench.children import BenchError, Child
from tests.bench.load import Target
from tests.bench.servers import Postgres, Valkey
from tests.bench.workload import BenchRule

STILL_S = 3.0
"""Seconds without any change after which the statistics have nothing more to say."""


@dataclass(frozen=True)
class Commits:
    """When events became visible in Postgres: (seconds since the epoch, events of that commit), in order."""

    batches: list[tuple[float, int]]

    @property
    def events(self) -> int:
        return sum(count for _, count in self.batches)

    @property
    def per_second(self) -> float:
        """Events a second from the first commit to the last; the first one's events started the clock.

        NaN for a single commit: there is no clock to read.
        """
        (first, count), (last, _) = self.batches[0], self.batches[-1]
        return (self.events - count) / (last - first) if last > first else math.nan

    def series(self) -> list[int]:
        """Events of each whole second since the first commit."""
        first, last = self.batches[0][0], self.batches[-1][0]
        seconds = [0] * (int(last - first) + 1)
        for at, count in self.batches:
            seconds[int(at - first)] += count
        return seconds

    def longest_pause(self) -> float:
        """Seconds between the two commits that are farthest apart."""
        return max((b - a for (a, _), (b, _) in pairwise(self.batches)), default=0.0)


class Side(ABC):
    """One system with a database and a Valkey of its own, both empty at first. A context manager.

    `label` heads its column; every process it starts ends with its `with` block.
    """

    label: str

    def __init__(self, postgres: Postgres, folder: Path, *, database: str, appendfsync: str) -> None:
        self._exits = ExitStack()
        self._postgres, self._folder, self._database = postgres, folder, database
        self._appendfsync = appendfsync

    @abstractmethod
    def prepare(self, rules: list[BenchRule], hook_url: str) -> None:
        """Make tables, an API key and the rules; each rule posts its webhooks to `hook_url`."""

    @abstractmethod
    def start_ingest(self) -> Child:
        """Start what takes events over HTTP, and return when it listens."""

    @abstractmethod
    def start_judging(self) -> Child:
        """Start the one process that judges and stores events."""

    @abstractmethod
    def start_delivery(self) -> Child | None:
        """Start what sends webhooks; None if the judging process does it."""

    @abstractmethod
    def latency_body(self, i: int, due: float) -> bytes:
        """The i-th single event, sent at `due` (seconds since the epoch)."""

    @abstractmethod
    def sent_at(self, webhook: bytes) -> float:
        """When the event that caused this webhook was sent, as given to `latency_body`."""

    @property
    @abstractmethod
    def single(self) -> Target:
        """Where single events are posted."""

    @property
    @abstractmethod
    def batch(self) -> Target:
        """Where batches are posted."""

    def __enter__(self) -> Self:
        self.valkey = self._exits.enter_context(
            Valkey(self._folder / f"valkey-{self._database}", appendfsync=self._appendfsync)
        )
        self.database_url = self._postgres.create(self._database)
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def prefill(self, bodies: list[bytes]) -> None:
        """Post the batches over four connections; BenchError unless each is accepted."""
        target = self.batch
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {target.key}"}

        def post_all(share: list[bytes]) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)
            for body in share:
                connection.request("POST", target.path, body, headers)
                answer = connection.getresponse()
                said = answer.read()
                if answer.status != 202:
                    raise BenchError(f"{self.label}: prefill was answered {answer.status}: {said[:300]!r}")
            connection.close()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(post_all, [bodies[i::4] for i in range(4)]))

    def wait_until_stored(self, expected: int, judge: Child, *, seconds: float) -> None:
        """Return once `expected` events are in Postgres.

        Counting a million rows takes a core a good part of a second, and so slows what is measured: it counts
        only when the server's own statistics, which lag by a second or two, have reached the number or have
        not moved for `STILL_S`.
        """
        with self._postgres.connect(self._database) as connection:
            seen, since = -1, 0.0

            def stored() -> bool:
                nonlocal seen, since
                row = connection.execute(
                    "SELECT coalesce(sum(n_tup_ins), 0)::bigint FROM pg_stat_user_tables"
                    " WHERE relname LIKE 'events%'"
                ).fetchone()
                inserted = int(str(row[0])) if row else 0
                now = time.monotonic()
                if inserted != seen:
                    seen, since = inserted, now
                if inserted < expected and now - since < STILL_S:
                    return False
                since = now
                return self.count("events") >= expected

            judge.wait_for(
                stored, what=f"{self.label}: {expected} stored events", seconds=seconds, every=0.25
            )

    def count(self, table: str) -> int:
        """Rows of a table, partitions included."""
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
        with self._postgres.connect(self._database) as connection:
            row = connection.execute(query).fetchone()
        return int(str(row[0])) if row else 0

    def commits(self) -> Commits:
        """When the stored events were committed, as Postgres noted it."""
        with self._postgres.connect(self._database) as connection:
            rows = connection.execute(
                "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS at, count(*)"
                " FROM events GROUP BY 1 ORDER BY 1"
            ).fetchall()
        return Commits([(float(str(at)), int(str(count))) for at, count in rows])
