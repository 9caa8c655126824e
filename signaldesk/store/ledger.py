"""The engine's book: partitions, their owners and positions, and the one transaction per batch.

Synchronous on purpose: the engine calls it in a thread, so that a commit costs the event loop nothing.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import namedtuple_row, tuple_row
from psycopg.types.json import Jsonb

from signaldesk import statements
from signaldesk.clock import from_us
from signaldesk.errors import Fenced, Unavailable
from signaldesk.model.event import Event
from signaldesk.model.outcome import (
    AlertRow,
    Batch,
    Firing,
    GroupRef,
    Notice,
    Resolution,
    RuleChange,
    Stored,
    Tallies,
)
from signaldesk.store.bell import RING
from signaldesk.store.copying import EVENT_COLUMNS, event_rows
from signaldesk.store.urls import libpq_url

Compose = Callable[[list[Firing], dict[GroupRef, AlertRow]], list[Notice]]
"""Makes the outbox rows, once it is known which alert each firing belongs to."""


_TOO_MUCH = "54"
"""SQLSTATE class of what exceeds a limit of PostgreSQL's: no server that comes back would take it."""


class Claim(NamedTuple):
    """Ownership of a partition: `epoch` fences every commit."""

    partition: int
    epoch: int
    position: int
    checkpoint: int
    tries: int
    clock: int = 0
    """How far time has come (µs), as far as the stream said so without an event."""
    checkpoint_clock: int = 0
    """The same as of the checkpoint."""


class RuleRow(NamedTuple):
    """A rule as it is judged: its live version, and the position from which on its condition is."""

    org_id: UUID
    org_name: str
    id: UUID
    version: int
    since_version: int
    fingerprint: str
    body: dict[str, Any]
    channels: list[UUID]
    activated_at: int
    begun: int
    """When its condition began (µs)."""


class Progress(NamedTuple):
    org_id: UUID
    lane: str
    watermark: int


class Ledger:
    """One connection; transactions take turns. Raises Unavailable when Postgres is away."""

    def __init__(self, url: str, *, owner: str) -> None:
        self._url = libpq_url(url)
        self._owner = owner
        self._sql = statements.named("postgres/ledger.sql")
        self._connection: psycopg.Connection[Any] | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # --- owning ----------------------------------------------------------------------------------------

    def claim(self, limit: int, lease: float) -> list[Claim]:
        """Take up to `limit` partitions that have no living owner, each with a new epoch."""
        values = {"owner": self._owner, "limit": limit, "lease": lease}
        with self._transaction() as cursor:
            return [Claim(*row) for row in cursor.execute(self._sql["claim"], values).fetchall()]

    def renew(self, lease: float) -> set[int]:
        """Renew the lease of every partition this owner holds; the ones it still holds."""
        with self._transaction() as cursor:
            rows = cursor.execute(self._sql["renew"], {"owner": self._owner, "lease": lease}).fetchall()
            return {row.id for row in rows}

    def release(self, partition: int) -> None:
        """Give a partition back so that another owner need not wait."""
        with self._transaction() as cursor:
            cursor.execute(self._sql["release"], {"id": partition, "owner": self._owner})

    def owners(self) -> int:
        """How many processors hold a lease now, this one included."""
        with self._transaction() as cursor:
            rows = cursor.execute(self._sql["owners"], {"owner": self._owner}).fetchall()
            return int(rows[0][0])

    def positions(self) -> dict[int, int]:
        """The committed position of every partition."""
        with self._transaction() as cursor:
            return {row.id: row.position for row in cursor.execute(self._sql["positions"]).fetchall()}

    def count_try(self, claim: Claim) -> int:
        """Count one more try at what follows the committed position; kept outside the batch's transaction."""
        with self._transaction() as cursor:
            row = cursor.execute(
                self._sql["count_try"], {"id": claim.partition, "epoch": claim.epoch}
            ).fetchone()
            if row is None:
                raise Fenced(f"partition {claim.partition} has a new owner")
            return int(row.tries)

    def look(self, claim: Claim) -> Claim:
        """The claim with the position and checkpoint as they are now. Raises Fenced."""
        with self._transaction() as cursor:
            (row,) = cursor.execute(self._sql["place"], {"id": claim.partition}).fetchall()
            if row.epoch != claim.epoch:
                raise Fenced(f"partition {claim.partition} has a new owner")
            return Claim(claim.partition, *row)

    # --- committing ------------------------------------------------------------------------------------

    def commit(self, claim: Claim, batch: Batch, compose: Compose) -> dict[GroupRef, AlertRow]:
        """Everything a batch comes to, in one transaction, fenced by the epoch and the position before.

        Safe to repeat after Unavailable: when the first try was committed after all, nothing is written.
        Raises Fenced when the partition has a new owner.
        """
        try:
            return self._commit(claim, batch, compose)
        except psycopg.errors.UniqueViolation:
            # A client used the id of an event once more, longer ago than such ids are remembered. To judge it
            # twice makes the same firing, and that is there.
            fresh = self._without_known(batch.firings)
            if len(fresh) == len(batch.firings):
                raise
            return self._commit(claim, replace(batch, firings=fresh), compose)

    def ring(self) -> None:
        """Tell dispatchers that there is something in the outbox."""
        with self._connected() as connection:
            connection.execute(RING)

    def _commit(self, claim: Claim, batch: Batch, compose: Compose) -> dict[GroupRef, AlertRow]:
        with self._transaction() as cursor:
            if not self._advance(cursor, claim, batch):
                return {}
            self._store_events(cursor, batch)
            alerts: dict[GroupRef, AlertRow] = {}
            for firings, resolutions in _waves(batch):
                raised = self._raise_alerts(cursor, firings)
                self._store_firings(cursor, batch.partition, firings, raised)
                self._store_notices(cursor, compose(firings, raised))
                self._resolve_alerts(cursor, resolutions)
                alerts |= raised
            for change in batch.rules:
                since = {"position": batch.after, "begun": batch.begun}
                cursor.execute(self._sql["go_live"], {**change._asdict(), **since})
            for poison in batch.poison:
                cursor.execute(self._sql["set_aside"], {**poison._asdict(), "partition": batch.partition})
            if batch.tallies is not None:
                self._store_tallies(cursor, batch.tallies)
            return alerts

    def _advance(self, cursor: psycopg.Cursor[Any], claim: Claim, batch: Batch) -> bool:
        values = {"id": claim.partition, "epoch": claim.epoch, "before": batch.before, "after": batch.after}
        values |= {"checkpoint": batch.tallies is not None, "clock": batch.clock}
        if cursor.execute(self._sql["advance"], values).rowcount == 1:
            return True
        (row,) = cursor.execute(self._sql["place"], {"id": claim.partition}).fetchall()
        if row.epoch == claim.epoch and row.position == batch.after:
            return False
        raise Fenced(f"partition {claim.partition} has a new owner (epoch {row.epoch}, not {claim.epoch})")

    def _store_events(self, cursor: psycopg.Cursor[Any], batch: Batch) -> None:
        if any(stored.events for stored in batch.stored):
            with cursor.copy(f"COPY events ({EVENT_COLUMNS}) FROM STDIN (FORMAT binary)") as copy:
                copy.write(event_rows(batch.partition, batch.stored))

    def _without_known(self, firings: list[Firing]) -> list[Firing]:
        """The firings that are neither stored nor twice among themselves."""
        with self._transaction() as cursor:
            ids = [firing.id for firing in firings]
            known = {row.id for row in cursor.execute(self._sql["known_firings"], {"ids": ids})}
        fresh = {firing.id: firing for firing in reversed(firings) if firing.id not in known}
        return list(fresh.values())[::-1]

    def _raise_alerts(self, cursor: psycopg.Cursor[Any], firings: list[Firing]) -> dict[GroupRef, AlertRow]:
        """Open or extend one alert per rule, lane and group; shadow firings have none."""
        grouped: dict[GroupRef, list[Firing]] = {}
        for firing in firings:
            if not firing.saved.rule.shadow:
                grouped.setdefault(firing.group, []).append(firing)
        rows = [_alert(group, fired) for group, fired in grouped.items()]
        if not rows:
            return {}
        found = cursor.execute(self._sql["raise_alerts"], {"rows": Jsonb(rows)}).fetchall()
        return {
            (ref := GroupRef(row.rule_id, row.lane, row.group_key)): AlertRow(
                row.id, ref, row.opened, row.firings
            )
            for row in found
        }

    def _store_firings(
        self,
        cursor: psycopg.Cursor[Any],
        partition: int,
        firings: list[Firing],
        alerts: dict[GroupRef, AlertRow],
    ) -> None:
        if firings:
            with cursor.copy(self._sql["copy_firings"]) as copy:
                for firing in firings:
                    copy.write_row(_firing(partition, firing, alerts.get(firing.group)))

    def _resolve_alerts(self, cursor: psycopg.Cursor[Any], resolutions: list[Resolution]) -> None:
        if resolutions:
            rows = [
                {
                    "rule_id": str(one.group.rule_id),
                    "lane": one.group.lane,
                    "group_key": one.group.key,
                    "at": from_us(one.at).isoformat(),
                }
                for one in resolutions
            ]
            cursor.execute(self._sql["resolve_alerts"], {"rows": Jsonb(rows)})

    def _store_notices(self, cursor: psycopg.Cursor[Any], notices: list[Notice]) -> None:
        if notices:
            with cursor.copy(self._sql["copy_notifications"]) as copy:
                for notice in notices:
                    copy.write_row((*notice[:5], from_us(notice.received_at)))

    def _store_tallies(self, cursor: psycopg.Cursor[Any], tallies: Tallies) -> None:
        """Write down what was counted, but for organisations that are gone: nobody is left to read it."""
        orgs = {org for org, *_ in (*tallies.progress, *tallies.minutes, *tallies.held)}
        asked = {"orgs": list(orgs)}
        living = {row.id for row in cursor.execute(self._sql["living"], asked)}
        if tallies.held:
            with cursor.copy(self._sql["copy_suppressions"]) as copy:
                for held in (held for held in tallies.held if held.org_id in living):
                    times = (from_us(held.since), from_us(held.until), held.times)
                    ids = (UUID(bytes=held.first_event), UUID(bytes=held.last_event))
                    copy.write_row((held.org_id, *held.group, Jsonb(held.values), held.reason, *times, *ids))
        for name, rows in _tally_rows(tallies, living).items():
            if rows:
                cursor.executemany(self._sql[name], rows)

    def try_out(self, partition: int, stored: Stored) -> None:
        """Whether Postgres would take these events: stores them and takes it back."""
        with self._transaction() as cursor:
            self._store_events(cursor, Batch(partition, 0, 0, stored=[stored]))
            raise psycopg.Rollback

    # --- recovering ------------------------------------------------------------------------------------

    def rules(self, partition: int, org_id: UUID | None = None) -> list[RuleRow]:
        """The rules of the partition's organisations, or of one of them."""
        with self._transaction() as cursor:
            rows = cursor.execute(self._sql["rules"], {"partition": partition, "org_id": org_id}).fetchall()
            return [RuleRow(*row) for row in rows]

    def not_live(self, partitions: list[int]) -> dict[UUID, tuple[int, list[RuleChange]]]:
        """Organisation -> (its partition, changes of its rules that were saved and are not judged by yet)."""
        found: dict[UUID, tuple[int, list[RuleChange]]] = {}
        with self._transaction() as cursor:
            for partition, *change in cursor.execute(self._sql["not_live"], {"partitions": partitions}):
                found.setdefault(change[0], (partition, []))[1].append(RuleChange(*change))
        return found

    def revisions(self, partitions: list[int]) -> dict[UUID, tuple[int, int]]:
        """Organisation -> (its partition, the number of changes of its rules)."""
        with self._transaction() as cursor:
            rows = cursor.execute(self._sql["revisions"], {"partitions": partitions}).fetchall()
            return {row.id: (row.partition, row.rules_revision) for row in rows}

    def progress(self, partition: int) -> list[Progress]:
        """Watermarks (µs) as of the last checkpoint."""
        with self._transaction() as cursor:
            return [Progress(*row) for row in cursor.execute(self._sql["progress"], {"partition": partition})]

    def last_fired(self, groups: list[GroupRef]) -> dict[GroupRef, int]:
        """Event time (µs) of each group's latest firing; groups that never fired are missing."""
        rules, lanes, keys = zip(*groups, strict=True)
        values = {"rules": list(rules), "lanes": list(lanes), "keys": list(keys)}
        with self._transaction() as cursor:
            rows = cursor.execute(self._sql["last_fired"], values).fetchall()
            return {GroupRef(row.rule_id, row.lane, row.group_key): row.last_fired for row in rows}

    def fired(self, partition: int, after: int) -> set[UUID]:
        """Ids of the firings after a position."""
        with self._transaction() as cursor:
            rows = cursor.execute(self._sql["fired"], {"partition": partition, "after": after})
            return {row.id for row in rows}

    def replay(self, partition: int, after: int, upto: int) -> Generator[Stored]:
        """Stored events of a partition in stream order, `after` < position <= `upto`."""
        yield from self._stored("replay", {"partition": partition, "after": after, "upto": upto})

    def replay_org(self, org_id: UUID, lane: str, since: int, upto: int) -> Generator[Stored]:
        """One lane's stored events later than `since` (event time, µs), in stream order, up to a position."""
        values = {"org_id": org_id, "lane": lane, "since": from_us(since), "upto": upto}
        yield from self._stored("replay_org", values)

    def _stored(self, name: str, values: dict[str, Any]) -> Generator[Stored]:
        current: Stored | None = None
        with self._transaction(), self._replay_cursor() as rows:
            rows.itersize = 5_000
            rows.execute(self._sql[name], values, binary=True)
            for org, lane, position, received, id_, type_, time, payload, source, skewed, behind in rows:
                if current is None or current.position != position:
                    if current is not None:
                        yield current
                    current = Stored(org.bytes, lane, position, received, [], {})
                if behind:
                    current.behind[len(current.events)] = behind
                current.events.append(Event(id_.bytes, type_, time, payload, source, skewed))
        if current is not None:
            yield current

    def _replay_cursor(self) -> psycopg.ServerCursor[tuple[Any, ...]]:
        return self._open().cursor("replay", row_factory=tuple_row)

    # --- the connection --------------------------------------------------------------------------------

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url,
                row_factory=namedtuple_row,
                connect_timeout=3,
                application_name=f"signaldesk processor {self._owner}",
                autocommit=True,
            )
            self._connection.prepare_threshold = 2
        return self._connection

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Cursor[Any]]:
        with self._connected() as connection, connection.transaction(), connection.cursor() as cursor:
            yield cursor

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        try:
            with self._lock:
                yield self._open()
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            self.close()
            if (error.sqlstate or "").startswith(_TOO_MUCH):
                raise
            raise Unavailable("the database is away", retry_after=1) from error


def _waves(batch: Batch) -> list[tuple[list[Firing], list[Resolution]]]:
    """Firings, and the resolutions after them, in as few steps as keep the order within each group."""
    waves: list[tuple[list[Firing], list[Resolution]]] = []
    over: Counter[GroupRef] = Counter()

    def wave(number: int) -> tuple[list[Firing], list[Resolution]]:
        while len(waves) <= number:
            waves.append(([], []))
        return waves[number]

    resolutions = iter([*batch.resolutions, None])
    next_one = next(resolutions)
    for number, firing in enumerate([*batch.firings, None]):
        while next_one is not None and next_one.after <= number:
            wave(over[next_one.group])[1].append(next_one)
            over[next_one.group] += 1
            next_one = next(resolutions)
        if firing is not None:
            wave(over[firing.group])[0].append(firing)
    return waves


def _alert(group: GroupRef, fired: list[Firing]) -> dict[str, Any]:
    """What firings of one group, in the order of the stream, come to; the same however they are portioned."""
    first, last = fired[0], fired[-1]
    rule = last.saved.rule
    return {
        "id": str(first.alert_id),
        "org_id": str(last.saved.org_id),
        "rule_id": str(group.rule_id),
        "rule_version": last.saved.version,
        "lane": group.lane,
        "group_key": group.key,
        "group": last.values,
        "title": rule.name,
        "severity": rule.severity,
        "labels": rule.labels,
        "event_id": str(UUID(bytes=first.event.id)),
        "opened_at": from_us(first.time).isoformat(),
        "last_fired_at": from_us(max(firing.time for firing in fired)).isoformat(),
        "firings": len(fired),
        "value": last.value,
        "at_least": last.at_least,
        "threshold": last.threshold,
        "window": last.window_to - last.window_from,
    }


def _firing(partition: int, firing: Firing, alert: AlertRow | None) -> tuple[Any, ...]:
    return (
        firing.id,
        firing.saved.org_id,
        firing.group.rule_id,
        firing.saved.version,
        firing.group.lane,
        firing.group.key,
        Jsonb(firing.values),
        alert.id if alert else None,
        UUID(bytes=firing.event.id),
        from_us(firing.time),
        firing.value,
        firing.at_least,
        firing.threshold,
        from_us(firing.window_from),
        from_us(firing.window_to),
        [UUID(bytes=member) for member in firing.evidence],
        alert is None,
        partition,
        firing.position,
    )


def _tally_rows(tallies: Tallies, living: set[UUID]) -> dict[str, list[tuple[Any, ...]]]:
    """Statement name -> parameter rows; sorted, so that processors never wait for each other in a ring."""
    return {
        "count_minute": sorted(
            (org, from_us(minute), type_, *counts)
            for (org, minute, type_), counts in tallies.minutes.items()
            if org in living
        ),
        "count_progress": sorted(
            (org, lane, *counts) for (org, lane), counts in tallies.progress.items() if org in living
        ),
        "count_late": sorted((late, rule, since) for (rule, since), late in tallies.late.items()),
        "count_usage": sorted(
            (org, from_us(day), events) for (org, day), events in tallies.received.items() if org in living
        ),
    }


__all__ = ["Claim", "Compose", "Ledger", "Progress", "RuleRow"]
