"""The engine's book: partitions, their owners and positions, and the one transaction per batch.

Synchronous on purpose: the engine calls it in a thread, so that a commit costs the event loop nothing.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import tuple_row

from signaldesk import log, statements
from signaldesk.clock import from_us
from signaldesk.errors import Fenced
from signaldesk.model.event import Event
from signaldesk.model.life import STORM_AFTER, Alert
from signaldesk.model.outcome import Batch, Firing, GroupRef, Held, RuleChange, SetAside, Stored, Tallies
from signaldesk.store.alert_book import AlertBook, Asked, Compose
from signaldesk.store.bell import RING
from signaldesk.store.copying import EVENT_COLUMNS, event_rows
from signaldesk.store.engine_line import FROZEN_S, Connection, EngineLine
from signaldesk.store.outcome_rows import firing_row, suppression_row, tally_rows
from signaldesk.store.rows import put

logger = log.get_logger(__name__)


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
    off: list[str]
    """Names of channels that it would tell as well, were they switched on."""
    activated_at: int
    begun: int
    """When its condition began (µs)."""


_COPY_EVENTS = f"COPY events ({EVENT_COLUMNS}) FROM STDIN (FORMAT binary)"


class Progress(NamedTuple):
    org_id: UUID
    lane: str
    watermark: int


class Ledger(EngineLine):
    """Raises Unavailable when Postgres is away."""

    def __init__(
        self, url: str, *, owner: str, storm_after: int = STORM_AFTER, frozen_s: float = FROZEN_S
    ) -> None:
        """`frozen_s`: Postgres ends a transaction in which this process does nothing for so many seconds; and
        a commit of a process that lost its lease so long ago is ended, whatever it is at."""
        super().__init__(url, owner=owner, frozen_s=frozen_s)
        self._alerts = AlertBook(storm_after=storm_after)
        self._sql = statements.named("postgres/ledger.sql")

    # --- owning ----------------------------------------------------------------------------------------

    def claim(self, limit: int, lease: float) -> list[Claim]:
        """Take up to `limit` partitions that have no living owner, each with a new epoch."""
        values = {"owner": self._owner, "limit": limit, "lease": lease}
        with self._transaction() as cursor:
            claims = [Claim(*row) for row in cursor.execute(self._sql["claim"], values).fetchall()]
        if len(claims) < limit:
            self._end_frozen()
        return claims

    def _end_frozen(self) -> None:
        """End commits that keep a partition from being claimed long after their owner lost it."""
        try:
            with self._transaction() as cursor:
                ended = cursor.execute(self._sql["end_frozen"], {"frozen": self._frozen_ms / 1000}).fetchall()
        except psycopg.errors.InsufficientPrivilege as error:
            mend = "have all processors log in as one user, or GRANT pg_signal_backend to this one"
            logger.warning("a frozen commit cannot be ended", reason=str(error), mend=mend)
        else:
            for row in ended:
                logger.warning("frozen commit ended", partition=row.partition)

    def renew(self, lease: float) -> set[int]:
        """Renew the lease of every partition this owner holds; the ones it still holds."""
        with self._transaction() as cursor:
            rows = cursor.execute(self._sql["renew"], {"owner": self._owner, "lease": lease}).fetchall()
            return {row.partition for row in rows}

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

    def commit(self, claim: Claim, batch: Batch, compose: Compose) -> list[Alert]:
        """Everything a batch comes to, in one transaction, fenced by the epoch and the position before.

        Returns the alerts that it changed. Safe to repeat after Unavailable: when the first try was committed
        after all, nothing is written. Raises Fenced when the partition has a new owner.
        """
        try:
            return self._commit(claim, batch, compose)
        except psycopg.errors.UniqueViolation as error:
            if error.diag.constraint_name == "alerts_open_key":
                # A person re-opened an alert of a group at the moment in which a firing opened another.
                return self._commit(claim, batch, compose)
            # A client used the id of an event once more, longer ago than such ids are remembered. To judge it
            # twice makes the same firing, and that is there.
            fresh = self._without_known(batch)
            if len(fresh.firings) == len(batch.firings):
                raise
            return self._commit(claim, fresh, compose)

    def _commit(self, claim: Claim, batch: Batch, compose: Compose) -> list[Alert]:
        """Four round trips: what is asked before anything is written, the events, what came of them, and the
        commit with the bell travel together."""
        with self._writing() as connection:
            with connection.pipeline():
                connection.execute("BEGIN")
                advanced = self._advance(connection, claim, batch)
                asked = self._alerts.ask(connection, batch)
            if not self._is_ahead(connection, advanced, claim, batch):
                connection.rollback()
                return []
            self._store_events(connection, batch)
            with connection.pipeline():
                changed = self._store_outcomes(connection, batch, asked, compose)
                connection.execute("COMMIT")
                if batch.tells:
                    connection.execute(RING)
            return changed

    def _store_outcomes(
        self, connection: Connection, batch: Batch, asked: Asked, compose: Compose
    ) -> list[Alert]:
        changed: list[Alert] = []
        if batch.firings or batch.resolutions:
            lives = self._alerts.live(connection, batch, self._alerts.ground(asked), compose)
            changed = lives.alerts
            firings = [firing_row(batch.partition, one, lives.of_firing.get(one.id)) for one in batch.firings]
            put(connection, self._sql["put_firings"], firings)
            self._store_held(connection, lives.held)
        self._set_aside(connection, batch.set_aside)
        for change in batch.rules:
            self._go_live(connection, change, batch)
        for poison in batch.poison:
            values = {**poison._asdict(), "partition": batch.partition}
            connection.execute(self._sql["set_event_aside"], values)
        if batch.tallies is not None:
            self._store_tallies(connection, batch.tallies)
        return changed

    def _go_live(self, connection: Connection, change: RuleChange, batch: Batch) -> None:
        since = {"position": batch.after, "begun": batch.begun}
        over = connection.execute(self._sql["go_live"], {**change._asdict(), **since}).fetchall()
        self._alerts.note(
            connection, [(row.org_id, row.id, "resolved", row.resolved_at, {"by": "rule"}) for row in over]
        )

    def _advance(self, connection: Connection, claim: Claim, batch: Batch) -> psycopg.Cursor[Any]:
        values = {"id": claim.partition, "epoch": claim.epoch, "before": batch.before, "after": batch.after}
        values |= {"checkpoint": batch.tallies is not None, "clock": batch.clock}
        return connection.execute(self._sql["advance"], values)

    def _is_ahead(
        self, connection: Connection, advanced: psycopg.Cursor[Any], claim: Claim, batch: Batch
    ) -> bool:
        """Whether the batch is still to be written, and ours to write. Raises Fenced."""
        if advanced.rowcount == 1:
            return True
        (row,) = connection.execute(self._sql["place"], {"id": claim.partition}).fetchall()
        if row.epoch == claim.epoch and row.position == batch.after:
            return False
        raise Fenced(f"partition {claim.partition} has a new owner (epoch {row.epoch}, not {claim.epoch})")

    def _store_events(self, connection: Connection, batch: Batch) -> None:
        if any(stored.events for stored in batch.stored):
            rows = event_rows(batch.partition, batch.stored)
            with connection.cursor().copy(_COPY_EVENTS) as copy:
                copy.write(rows)

    def _without_known(self, batch: Batch) -> Batch:
        """The batch with those firings only that are neither stored nor twice among themselves."""
        with self._transaction() as cursor:
            ids = [firing.id for firing in batch.firings]
            known = {row.id for row in cursor.execute(self._sql["known_firings"], {"ids": ids})}
        places = [0]
        fresh: list[Firing] = []
        for firing in batch.firings:
            if firing.id not in known:
                known.add(firing.id)
                fresh.append(firing)
            places.append(len(fresh))
        over = [one._replace(after=places[one.after]) for one in batch.resolutions]
        return replace(batch, firings=fresh, resolutions=over)

    def _store_held(self, connection: Connection, held: Iterable[Held]) -> None:
        put(connection, self._sql["put_suppressions"], [suppression_row(one) for one in held])

    def _store_tallies(self, connection: Connection, tallies: Tallies) -> None:
        """Write down what was counted, but for organisations that are gone: nobody is left to read it."""
        orgs = {org for org, *_ in (*tallies.progress, *tallies.minutes, *tallies.held)}
        asked = {"orgs": list(orgs)}
        living = {row.id for row in connection.execute(self._sql["living"], asked)}
        self._store_held(connection, (held for held in tallies.held if held.org_id in living))
        for name, rows in tally_rows(tallies, living).items():
            if rows:
                connection.cursor().executemany(self._sql[name], rows)

    def set_aside(self, claim: Claim, rules: Iterable[SetAside]) -> None:
        """Judge these rules no more. Raises Fenced when the partition has a new owner."""
        with self._transaction() as cursor:
            values = {"id": claim.partition, "epoch": claim.epoch}
            if not cursor.execute(self._sql["hold"], values).fetchall():
                raise Fenced(f"partition {claim.partition} has a new owner")
            self._set_aside(cursor.connection, rules)

    def _set_aside(self, connection: Connection, rules: Iterable[SetAside]) -> None:
        for one in rules:
            values = {**one._asdict(), "at": from_us(one.at) if one.at else None}
            connection.execute(self._sql["set_rule_aside"], values)

    def try_out(self, partition: int, stored: Stored) -> None:
        """Whether Postgres would take these events: stores them and takes it back."""
        with self._transaction() as cursor:
            self._store_events(cursor.connection, Batch(partition, 0, 0, stored=[stored]))
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
        with self._transaction() as cursor, self._replay_cursor() as rows:
            # Between rows they are judged, which takes as long as it takes.
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
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


__all__ = ["Claim", "Compose", "Ledger", "Progress", "RuleRow"]
