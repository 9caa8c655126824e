"""The alerts of a batch: read under lock, and written back, inside the transaction that commits the batch.

What becomes of them in between is decided by `model.life`, which knows no database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from signaldesk import log, statements
from signaldesk.clock import from_us, to_us
from signaldesk.ids import derived_id
from signaldesk.model.life import Gathered, Ground, Lives, Opening, Over, Step, Storm, Told
from signaldesk.model.outcome import Batch, Firing, GroupRef, Notice, Resolution, in_short
from signaldesk.model.telling import CROWD_WITHIN, HOUR
from signaldesk.store.outcome_rows import (
    alert_of,
    alert_row,
    change_row,
    group_columns,
    moment_of,
    notice_row,
    silence_of,
    storm_of,
    storm_row,
)
from signaldesk.store.rows import as_json, put

logger = log.get_logger(__name__)

Telling = Told | Over | Gathered
Compose = Callable[[Telling], list[Notice]]
"""Makes the outbox rows of one thing that people are to be told."""

GATHER_FIRST, GATHER_LATER = 10.0, 60.0
"""Seconds that a message about a storm waits for more alerts: the first one, and those after it."""

Connection = psycopg.Connection[Any]


Asked = list[psycopg.Cursor[Any]]
"""Questions on their way to the server, in the order of `AlertBook.ask`; none for a batch of no alerts."""


class AlertBook:
    """Holds statements only; every method works in the transaction of the connection it is given.

    In pipeline mode they cost one round trip together, as long as nothing that was asked is read.
    """

    def __init__(self, *, storm_after: int) -> None:
        self._sql = statements.named("postgres/alert_book.sql")
        self._storm_after = storm_after

    def live(self, connection: Connection, batch: Batch, ground: Ground, compose: Compose) -> Lives:
        """Carry a batch's firings and resolutions into the alerts and the outbox."""
        lives = Lives(ground, storm_after=self._storm_after)
        lives.run(batch.firings, batch.resolutions)
        put(connection, self._sql["change"], [alert_row(alert) for alert in lives.alerts if not alert.new])
        put(connection, self._sql["open"], [alert_row(alert) for alert in lives.alerts if alert.new])
        self._note(connection, lives.steps)
        self._put_notices(connection, self._composed(connection, lives.tellings, compose))
        self._tell_of_storms(connection, list(lives.storms.values()), compose)
        return lives

    def note(
        self, connection: Connection, changes: list[tuple[UUID, UUID, str, datetime, dict[str, Any]]]
    ) -> None:
        """Write changes (organisation, alert, kind, time, detail) into timelines."""
        rows = [change_row(org, alert, kind, at, at, 1, detail) for org, alert, kind, at, detail in changes]
        put(connection, self._sql["put_changes"], rows)

    # --- before ----------------------------------------------------------------------------------------

    def ask(self, connection: Connection, batch: Batch) -> Asked:
        """Ask for the ground on which a batch falls; `ground` reads the answers."""
        firings, coming = _visible(batch)
        if not coming:
            return []
        groups = as_json([group_columns(group) for group in dict.fromkeys(one.group for one in coming)])
        since, until = _span(batch, firings)
        asked = [
            connection.execute(self._sql["unresolved"], {"groups": groups}),
            connection.execute(self._sql["earlier"], {"groups": groups, "since": from_us(since - HOUR)}),
        ]
        if orgs := list({one.saved.org_id for one in coming if one.channels}):
            rules = list({one.group.rule_id for one in firings})
            lately = {"rules": rules, "since": from_us(since - CROWD_WITHIN), "most": self._storm_after + 1}
            bounds = {"orgs": orgs, "since": from_us(since), "until": from_us(until)}
            asked += [
                connection.execute(self._sql["told"], lately),
                connection.execute(self._sql["storms"], lately),
                connection.execute(self._sql["silences"], bounds),
            ]
        return asked

    @staticmethod
    def ground(asked: Asked) -> Ground:
        """The answers to what `ask` asked."""
        ground = Ground()
        if not asked:
            return ground
        unresolved, earlier, *lately = asked
        for row in unresolved.fetchall():
            alert = alert_of(row)
            ground.alerts[alert.group] = alert
        for row in earlier.fetchall():
            group = GroupRef(row.rule_id, row.lane, row.group_key)
            opening = Opening(to_us(row.at), row.flapping, moment_of(row.notified_at))
            ground.earlier.setdefault(group, []).append(opening)
        if lately:
            told, storms, silences = lately
            for row in told.fetchall():
                ground.told.setdefault(row.rule_id, {})[row.id] = to_us(row.at)
            for row in storms.fetchall():
                ground.storms[row.rule_id] = storm_of(row)
            for row in silences.fetchall():
                ground.silences.setdefault(row.org_id, []).append(silence_of(row))
        return ground

    # --- after -----------------------------------------------------------------------------------------

    def _note(self, connection: Connection, steps: list[Step]) -> None:
        """Write the steps down. The first of an alert, if it is a mere `fired`, extends one that is there."""
        rows, known = [], set[UUID]()
        for step in steps:
            alert, first = step.alert, step.alert.id not in known
            known.add(alert.id)
            at, until = from_us(step.at), from_us(step.until)
            row = change_row(alert.org_id, alert.id, step.kind, at, until, step.times, step.detail)
            rows.append(row | {"extends": first and step.kind == "fired"})
        put(connection, self._sql["put_changes"], rows)

    def _composed(
        self, connection: Connection, tellings: Iterable[Telling], compose: Compose
    ) -> list[Notice]:
        """The outbox rows. What cannot be put into words is set aside alone, with a system alert: its alert
        stands, and everything else is told."""
        notices: list[Notice] = []
        for telling in tellings:
            try:
                notices += compose(telling)
            except Exception as error:
                unsaid = _unsaid(telling, error)
                logger.error("message set aside", **unsaid)
                connection.execute(self._sql["set_message_aside"], unsaid)
        return notices

    def _put_notices(self, connection: Connection, notices: list[Notice]) -> None:
        put(connection, self._sql["put_notifications"], [notice_row(notice) for notice in notices])

    def _tell_of_storms(self, connection: Connection, storms: list[Storm], compose: Compose) -> None:
        """One message for each channel: it grows while it waits; what was begun is followed by another."""
        latest = {
            storm_message(storm.id, channel, number)
            for storm in storms
            if storm.firing is not None
            for channel in storm.firing.channels
            if (number := storm.messages.get(str(channel), 0))
        }
        waiting: set[UUID] = set()
        if latest:
            found = connection.execute(self._sql["waiting"], {"ids": list(latest)}).fetchall()
            waiting = {row.id for row in found}
        notices: list[dict[str, Any]] = []
        for storm in storms:
            notices += self._messages_of(connection, storm, waiting, compose)
        put(connection, self._sql["gather"], notices)
        put(connection, self._sql["keep_storms"], [storm_row(storm) for storm in storms])

    def _messages_of(
        self, connection: Connection, storm: Storm, waiting: set[UUID], compose: Compose
    ) -> list[dict[str, Any]]:
        """The rows of a storm's messages; it then knows which they are."""
        firing = storm.firing
        assert firing is not None
        numbers: dict[UUID, int] = {}
        for channel in firing.channels:
            number = storm.messages.get(str(channel), 0)
            grows = bool(number) and storm_message(storm.id, channel, number) in waiting
            numbers[channel] = number if grows else number + 1
        rows = []
        for notice in self._composed(connection, [Gathered(storm, firing, numbers)], compose):
            number = storm.messages[str(notice.channel_id)] = numbers[notice.channel_id]
            rows.append(notice_row(notice) | {"wait": GATHER_FIRST if number == 1 else GATHER_LATER})
        return rows


def storm_message(storm_id: UUID, channel_id: UUID, number: int) -> UUID:
    """The id of the so-manieth message about a storm through a channel."""
    return derived_id("notification", str(storm_id), str(channel_id), str(number))


def _unsaid(telling: Telling, error: Exception) -> dict[str, Any]:
    """What a system alert says of a message that could not be composed."""
    saved = telling.resolution.saved if isinstance(telling, Over) else telling.firing.saved
    alert_id = None if isinstance(telling, Gathered) else telling.alert.id
    return {
        "org_id": saved.org_id,
        "rule_id": saved.id,
        "name": saved.rule.name,
        "alert_id": alert_id,
        "error": in_short(error),
    }


def _visible(batch: Batch) -> tuple[list[Firing], list[Firing | Resolution]]:
    """Firings of rules that are no shadows, and with them what is over: what alerts are made of."""
    firings = [firing for firing in batch.firings if not firing.saved.rule.shadow]
    return firings, [*firings, *batch.resolutions]


def _span(batch: Batch, firings: list[Firing]) -> tuple[int, int]:
    """From when to when (µs) it all happened."""
    times = [firing.time for firing in firings] + [over.at for over in batch.resolutions]
    return min(times), max(times)
