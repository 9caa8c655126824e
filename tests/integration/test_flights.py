"""A month of real departures, replayed through HTTP: every firing and alert is what the oracle says."""

from __future__ import annotations

import asyncio
import json
from bisect import bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
import yaml
from psycopg.rows import dict_row

from signaldesk import filters
from signaldesk.accounts.passwords import Passwords
from signaldesk.accounts.users import Users
from signaldesk.clock import from_us, to_us
from signaldesk.desk import Urls, opened
from signaldesk.engine.processor import Processor
from signaldesk.intake.server import Shared, serve
from signaldesk.model.rule import Mode, Rule
from signaldesk.rules import document
from signaldesk.settings import Settings
from tests import flights
from tests.support import eventually

FEBRUARY = 24_951
RULES = Path(__file__).parents[2] / "docs" / "examples" / "flights.yaml"
BATCH = 1_000
LATENESS = 5 * 60 * 1_000_000

Row = dict[str, Any]


@dataclass
class Office:
    """An organisation with rules, a way in, and a processor at work."""

    http: httpx.AsyncClient
    database_url: str
    sent: list[tuple[UUID, Row]] = field(default_factory=list)

    async def replay(self, name: str, events: list[Row]) -> None:
        """Send the events, a thousand a request, and wait until every one of them is committed."""
        headers = {"Content-Type": "application/x-ndjson", "X-SignalDesk-Replay": name}
        for start in range(0, len(events), BATCH):
            batch = events[start : start + BATCH]
            answer = await self.http.post("/api/v1/events", content=flights.ndjson(batch), headers=headers)
            assert answer.status_code == 202, answer.text
            assert answer.json()["rejected"] == []
            self.sent += zip(map(UUID, answer.json()["ids"]), batch, strict=True)
        query = "SELECT count(*) AS n FROM events WHERE lane = %s"
        await eventually(lambda: self.rows(query, name)[0]["n"] == len(events), timeout=30, every=0.1)

    def rows(self, query: str, *values: object) -> list[Row]:
        with psycopg.connect(self.database_url, row_factory=dict_row) as connection:
            return connection.execute(query, values).fetchall()

    def count(self, table: str) -> int:
        return int(self.rows(f"SELECT count(*) AS n FROM {table}")[0]["n"])


@asynccontextmanager
async def office(database_url: str, redis_url: str, rules: list[Row]) -> AsyncIterator[Office]:
    settings = Settings(allowed_lateness=LATENESS // 1_000_000)
    async with opened(settings, Urls(database_url, redis_url)) as desk:
        founded = await Users(database=desk.database, passwords=Passwords()).found(
            org="Port Authority", email="tower@example.com", password="three runways in the rain"
        )
        await desk.rules.apply(founded.org_id, rules)
        _, key = await desk.api_keys.create(founded.org_id, scopes=["events:write"])
        shared = Shared(intake=desk.intake, keys=desk.key_ring, handover=None)
        async with await serve("127.0.0.1", 0, shared) as server, working(desk.processor()):
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            headers = {"Authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as http:
                yield Office(http, database_url)


@asynccontextmanager
async def working(processor: Processor) -> AsyncIterator[None]:
    """A processor at work; at the end it writes down what is not written down yet."""
    task = asyncio.create_task(processor.run())
    try:
        yield
    finally:
        processor.stop()
        await task


# --- what must come out, the slow and obvious way ------------------------------------------------------


@dataclass
class Outcome:
    """What one rule comes to: firings, how often what was held back for which group, what came too late."""

    fired: list[Row] = field(default_factory=list)
    held: Counter[tuple[str, str]] = field(default_factory=Counter)
    late: int = 0


def judged(rule: Rule, sent: list[tuple[UUID, Row]]) -> Outcome:
    """One rule over all events in the order of the stream, by the definition of a window and nothing else."""
    outcome, watermark = Outcome(), 0
    members: defaultdict[str, list[int]] = defaultdict(list)
    last_fired: dict[str, int] = {}
    lateness = LATENESS if rule.allowed_lateness is None else rule.allowed_lateness
    matches = filters.parse(rule.where).predicate if rule.where else lambda *_: True
    need, width = getattr(rule.when, "at_least", 1), getattr(rule.when, "within", 1)
    for id_, event in sent:
        time = to_us(datetime.fromisoformat(event["timestamp"]))
        watermark = max(watermark, time)
        if not matches(event["payload"], event["type"], event["source"], time):
            continue
        if watermark - time > lateness:
            outcome.late += 1
            continue
        group = {name: event["payload"][name] for name in rule.by}
        place = named(group)
        insort(members[place], time)
        if bisect_right(members[place], time) - bisect_right(members[place], time - width) < need:
            continue
        if rule.mode is Mode.PAUSED:
            outcome.held["paused", place] += 1
        elif place in last_fired and time < last_fired[place] + rule.cooldown:
            outcome.held["cooldown", place] += 1
        else:
            last_fired[place] = max(time, last_fired.get(place, time))
            outcome.fired.append({"group": group, "event_id": id_, "timestamp": from_us(time), "value": need})
    return outcome


def alerts_of(fired: list[Row]) -> list[Row]:
    """One alert for each group that fired: opened by its first firing, and all the others added to it."""
    groups: dict[str, list[Row]] = {}
    for firing in fired:
        groups.setdefault(named(firing["group"]), []).append(firing)
    return [
        {
            "group": firings[0]["group"],
            "event_id": firings[0]["event_id"],
            "opened_at": firings[0]["timestamp"],
            "last_fired_at": max(firing["timestamp"] for firing in firings),
            "firings": len(firings),
            "state": "open",
        }
        for firings in groups.values()
    ]


def named(group: Row) -> str:
    """The group as a text that is the same for the same group."""
    return json.dumps(group, sort_keys=True)


# --- what did come out ---------------------------------------------------------------------------------

FIRINGS = """
    SELECT "group", event_id, timestamp, value FROM firings f JOIN rules r ON r.id = f.rule_id
    WHERE r.name = %s AND lane = %s"""
ALERTS = """
    SELECT "group", event_id, opened_at, last_fired_at, firings, state
    FROM alerts a JOIN rules r ON r.id = a.rule_id WHERE r.name = %s AND lane = %s"""
HELD = """
    SELECT reason, "group", sum(s.count)::int AS times FROM suppressions s JOIN rules r ON r.id = s.rule_id
    WHERE r.name = %s AND lane = %s GROUP BY 1, 2"""
LATE = "SELECT a.late FROM rule_activations a JOIN rules r ON r.id = a.rule_id WHERE r.name = %s"


def by_event(rows: list[Row]) -> dict[UUID, Row]:
    found = {row["event_id"]: row for row in rows}
    assert len(found) == len(rows), "an event fired twice"
    return found


def compare(place: Office, lane: str, rules: list[Rule]) -> dict[str, Outcome]:
    """Every firing, alert, held-back firing and late event of every rule, in Postgres and by the oracle."""
    outcomes = {}
    for rule in rules:
        wanted = outcomes[rule.name] = judged(rule, place.sent)
        assert by_event(place.rows(FIRINGS, rule.name, lane)) == by_event(wanted.fired), rule.name
        alerts = [] if rule.mode is Mode.SHADOW else alerts_of(wanted.fired)
        assert by_event(place.rows(ALERTS, rule.name, lane)) == by_event(alerts), rule.name
        held = {
            (row["reason"], named(row["group"])): row["times"] for row in place.rows(HELD, rule.name, lane)
        }
        assert held == dict(wanted.held), rule.name
        assert place.rows(LATE, rule.name) == [{"late": wanted.late}], rule.name
    return outcomes


def documents() -> list[Row]:
    return list(yaml.safe_load(RULES.read_text()))


async def test_every_firing_and_alert_of_a_month_is_the_oracles(database_url: str, redis_url: str) -> None:
    events = flights.departures(2)
    assert len(events) == FEBRUARY
    async with office(database_url, redis_url, documents()) as place:
        await place.replay("february", events)
    outcomes = compare(place, "february", [document.parse(one) for one in documents()])
    assert all(outcome.fired or rule == "A busy route, switched off" for rule, outcome in outcomes.items())
    assert place.count("notifications") == 0, "an import tells nobody unless asked to"
    # The snow storm of 8 and 9 February 2013 closed all three airports.
    closed = {firing["group"]["origin"] for firing in outcomes["An airport closes"].fired}
    assert closed == {"EWR", "JFK", "LGA"}


async def test_events_as_late_as_the_aircraft_are_judged_within_the_lateness(
    database_url: str, redis_url: str
) -> None:
    events = flights.as_they_left(flights.departures(2))
    rules = [{**one, "allowed_lateness": ["5m", "45m", "3h"][n % 3]} for n, one in enumerate(documents())]
    async with office(database_url, redis_url, rules) as place:
        await place.replay("as-they-left", events)
    outcomes = compare(place, "as-they-left", [document.parse(one) for one in rules])
    assert sum(outcome.late for outcome in outcomes.values()) > 5_000


async def test_an_import_sent_again_adds_nothing_and_under_another_name_it_is_another_import(
    database_url: str, redis_url: str
) -> None:
    events = flights.departures(2)[:2_000]
    rules = documents()
    async with office(database_url, redis_url, rules) as place:
        for name in ("first", "first", "second"):
            place.sent.clear()
            await place.replay(name, events)
        assert place.count("events") == 2 * len(events)
    for name in ("first", "second"):
        compare(place, name, [document.parse(one) for one in rules])


def test_the_months_are_all_there_and_in_utc() -> None:
    found = list(flights.rows())
    assert len(found) == 336_776
    # The table's own hour in UTC, which we do not use, says the same as ours, summer time and all.
    assert all(f"{flights.scheduled(row):%Y-%m-%dT%H:00:00Z}" == row["time_hour"] for row in found)
