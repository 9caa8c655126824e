"""The outbox: claims what is due, and writes down what came of it. Every method raises Unavailable.

A claim is a lease: a token and a time. Who lets it run out has lost the row to the next claim, and what it
reports later is not written. The number of an attempt is counted when it is claimed, so that a message that
kills its sender runs out of attempts like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from signaldesk import statements
from signaldesk.clock import from_us
from signaldesk.ids import new_id
from signaldesk.model.delivery import Claimed, Rooms, Settled, SwitchedOff
from signaldesk.store.database import Database
from signaldesk.store.line import Line

FAILURES_TO_SWITCH_OFF = 20
DAYS_TO_SWITCH_OFF = 3
"""A channel that failed so many attempts in a row, the first of them so long ago, is switched off."""


class Outbox:
    """The table `notifications`, as the dispatcher sees it. All times are microseconds of its clock."""

    def __init__(self, database: Database) -> None:
        self._sql = statements.named("postgres/outbox.sql")
        # Losing a lease in a crash of Postgres costs a message sent twice with the same id, which a crash may
        # cost anyway; waiting for the disk would cost every message milliseconds.
        self._leases = Line(database.url, application="signaldesk outbox leases", durable=False)
        self._books = Line(database.url, application="signaldesk outbox books")

    async def claim(self, rooms: Rooms, *, held: Iterable[UUID], now_us: int, until_us: int) -> list[Claimed]:
        """Lease what is due until `until_us`, as far as there is room; never what is `held` already."""
        token = new_id()
        values = {
            "now": from_us(now_us),
            "until": from_us(until_us),
            "token": token,
            "held": list(held),
            "total": rooms.total,
            "per_org": rooms.per_org,
            "per_channel": rooms.per_channel,
            "orgs": list(rooms.orgs),
            "org_rooms": list(rooms.orgs.values()),
            "channels": list(rooms.channels),
            "channel_rooms": list(rooms.channels.values()),
        }
        rows = await self._leases.fetch(self._sql["claim"], values)
        return [_claimed(row, token, now_us) for row in rows]

    async def renew(self, claims: Sequence[Claimed], *, until_us: int) -> set[UUID]:
        """Prolong the leases; the ids of those that are still ours."""
        values = {**_leases(claims), "until": from_us(until_us)}
        return {row[0] for row in await self._leases.fetch(self._sql["renew"], values)}

    async def release(self, claims: Sequence[Claimed], *, begun: bool) -> None:
        """Give leases back so that others need not wait. `begun`: the sending was begun and broken off."""
        await self._leases.fetch(self._sql["release"], {**_leases(claims), "begun": [begun] * len(claims)})

    async def settle(self, settled: Sequence[Settled], *, now_us: int) -> tuple[set[UUID], list[SwitchedOff]]:
        """Write down what came of attempts, in one transaction.

        Returns the ids that were written (the others' leases were lost), and the channels that were switched
        off for their failures.
        """
        recovered, failing, gone = health(settled)
        values = {"rows": Jsonb([_row(one) for one in settled]), "recovered": sorted(recovered)}
        if not failing:
            kept = await self._books.fetch(self._sql["settle"], values)
            return {row[0] for row in kept}, []
        async with self._books.transaction() as books:
            await books.fetch(self._sql["lock_channels"], {"ids": sorted({*recovered, *failing})})
            kept = await books.fetch(self._sql["settle"], values)
            off = await self._count_failures(books, failing, gone, now_us)
        return {row[0] for row in kept}, off

    async def close(self) -> None:
        """Let go of the connections; they are opened again when needed."""
        await self._leases.close()
        await self._books.close()

    async def _count_failures(
        self, books: Line.Within, failing: dict[UUID, int], gone: set[UUID], now_us: int
    ) -> list[SwitchedOff]:
        """Count failures in a row per channel; switch off what is gone or has failed for days."""
        now, ids = from_us(now_us), list(failing)
        await books.fetch(self._sql["failing"], {"ids": ids, "counts": list(failing.values()), "now": now})
        values = {
            "ids": ids,
            "gone": sorted(gone),
            "failures": FAILURES_TO_SWITCH_OFF,
            "before": now - timedelta(days=DAYS_TO_SWITCH_OFF),
            "now": now,
        }
        return [SwitchedOff(*row) for row in await books.fetch(self._sql["switch_off"], values)]


def health(settled: Sequence[Settled]) -> tuple[set[UUID], dict[UUID, int], set[UUID]]:
    """Per channel, in the order in which attempts ended: recovered, failures since, gone for good."""
    recovered: set[UUID] = set()
    failing: dict[UUID, int] = {}
    gone: set[UUID] = set()
    for claimed, attempt, *_ in settled:
        channel = claimed.channel_id
        if not attempt.counts:
            continue
        if attempt.result == "sent":
            recovered.add(channel)
            failing.pop(channel, None)
            gone.discard(channel)
        else:
            failing[channel] = failing.get(channel, 0) + 1
        if attempt.gone:
            gone.add(channel)
    return recovered, failing, gone


def _claimed(row: Any, token: UUID, now_us: int) -> Claimed:
    return Claimed(
        id=row[0],
        org_id=row[1],
        alert_id=row[2],
        channel_id=row[3],
        number=row[4],
        message=row[5],
        kind=row[6],
        channel=row[7],
        config=row[8],
        enabled=row[9],
        disabled_reason=row[10],
        token=token,
        leased_us=now_us,
    )


def _leases(claims: Sequence[Claimed]) -> dict[str, list[UUID]]:
    return {"ids": [claim.id for claim in claims], "tokens": [claim.token for claim in claims]}


def _row(settled: Settled) -> dict[str, Any]:
    claimed, attempt = settled.claimed, settled.attempt
    ended_us = attempt.started_us + round(attempt.duration_ms * 1000)
    return {
        "id": str(claimed.id),
        "token": str(claimed.token),
        "status": settled.status,
        "next_attempt_at": None if settled.next_us is None else from_us(settled.next_us).isoformat(),
        "sent_at": from_us(ended_us).isoformat() if settled.status == "sent" else None,
        "number": claimed.number,
        "started_at": from_us(attempt.started_us).isoformat(),
        "duration_ms": attempt.duration_ms,
        "outcome": attempt.result,
        "status_code": attempt.status_code,
        "error": _storable(attempt.error),
        "response": _storable(attempt.response),
    }


def _storable(text: str | None) -> str | None:
    """Postgres keeps no NUL, and a destination may answer one."""
    return None if text is None else text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
