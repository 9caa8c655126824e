"""A month of real departures, replayed through HTTP: every firing and alert is what the oracle says."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
import yaml
from psycopg.rows import dict_row

from signaldesk.accounts.passwords import Passwords
from signaldesk.accounts.users import Users
from signaldesk.clock import MICROS, to_us
from signaldesk.desk import Urls, opened
from signaldesk.engine.processor import Processor
from signaldesk.intake.server import Shared, serve
from signaldesk.settings import Settings
from signaldesk.store.rules import StoredRule
from tests import flights, oracle
from tests.integration.flights_again import Again
from tests.kinds import ratio as oracle_among
from tests.support import eventually
from tests.support.commands import Terminal
from tests.support.examples import SOAK

FEBRUARY = 24_951
RULES = Path(__file__).parents[2] / "docs" / "examples" / "flights.yaml"
BATCH = 1_000
LATENESS_S = 300

Row = dict[str, Any]

# What the filters of the file mean, said once more by a person in another language.
FILTERS: dict[str, Callable[[Row], bool]] = {
    "dep_delay > 60": lambda p: p["dep_delay"] is not None and p["dep_delay"] > 60,
    "dep_delay IS NULL": lambda p: p["dep_delay"] is None,
    "dep_delay >= 45 OR dep_delay IS NULL": lambda p: p["dep_delay"] is None or p["dep_delay"] >= 45,
    "dep_delay BETWEEN 300 AND 10000": lambda p: p["dep_delay"] is not None and p["dep_delay"] >= 300,
    "distance > 2000 AND dep_delay IS NULL AND carrier NOT IN ('HA', 'AS')": lambda p: (
        p["distance"] > 2000 and p["dep_delay"] is None and p["carrier"] not in ("HA", "AS")
    ),
    "(dest = 'HNL' OR dest LIKE 'S_U') AND NOT dep_delay < 15": lambda p: (
        (p["dest"] == "HNL" or (len(p["dest"]) == 3 and p["dest"][0] + p["dest"][2] == "SU"))
        and p["dep_delay"] is not None
        and p["dep_delay"] >= 15
    ),
}


FILTERS |= {
    "dep_delay > 30": lambda p: p["dep_delay"] is not None and p["dep_delay"] > 30,
    "carrier = 'MQ'": lambda p: p["carrier"] == "MQ",
    "dest IN ('SFO', 'LAX')": lambda p: p["dest"] in ("SFO", "LAX"),
    "distance > 2400": lambda p: p["distance"] > 2400,
    "carrier = 'VX'": lambda p: p["carrier"] == "VX",
    "dest = 'BOS'": lambda p: p["dest"] == "BOS",
}
oracle_among.AMONG |= {"origin = 'LGA'": lambda event: event.payload["origin"] == "LGA"}

OF_EVERY_KIND = """
- name: Slow days to California
  event: departure
  where: dest IN ('SFO', 'LAX')
  by: [carrier, dest]
  when: {kind: aggregate, function: p90, field: dep_delay, within: 6h, above: 60}
  resolve: {threshold: 30}
- name: Many different aircraft
  event: departure
  where: carrier = 'MQ'
  by: dest
  when: {kind: aggregate, function: distinct, field: tailnum, within: 12h, at_least: 4}
  for: 30m
- name: LaGuardia is late
  event: departure
  where: dep_delay > 30
  by: carrier
  when: {kind: ratio, among: "origin = 'LGA'", within: 6h, above: 0.3, min_events: 10}
  resolve: {quiet_for: 2h}
- name: Fewer to the far west
  event: departure
  where: distance > 2400
  by: origin
  when: {kind: change, fall: 0.5, within: 6h, against: day, min_events: 5}
  cooldown: 1h
- name: No plane to Boston
  event: departure
  where: dest = 'BOS'
  by: origin
  when: {kind: absence, within: 5h}
- name: An hour without a plane to Boston
  event: departure
  where: dest = 'BOS'
  when: {kind: absence, expected: {cron: "0 * * * *", grace: 20m, timezone: America/New_York}}
  cooldown: 6h
- name: Three planes to the island in a row
  by: [carrier, origin]
  when: {kind: sequence, steps: [{event: island}, {event: is*}, {event: island}], within: 20h}
  cooldown: 1d
- name: One plane to the island and no other
  by: [carrier, origin]
  when: {kind: sequence, steps: [{event: island}], missing: {event: island}, within: 10h}
- name: A new route
  event: departure
  by: [carrier, origin]
  when: {kind: new_value, field: dest, within: 7d, learn: 3d}
- name: Unusual hours of a carrier
  event: departure
  where: carrier = 'VX'
  when: {kind: anomaly, bin: 2h, min_history: 2d}
- name: Late and closed
  by: origin
  when: {kind: composite, all: ["Departures pile up", "An airport closes"], within: 6h}
"""
"""One of every kind; those of the documentation's file that it is made of are judged beside them."""
ISLANDS = ("BQN", "PSE", "STT")
PARTS = ("Departures pile up", "An airport closes", "Very late")


@dataclass
class Office:
    """An organisation with rules, a way in, and a processor at work."""

    http: httpx.AsyncClient
    database_url: str
    stream: list[oracle.Event | oracle.Rules] = field(default_factory=list)
    """What the oracle is to judge: the rules, and the events in the order in which they were accepted."""

    async def replay(self, name: str, events: list[Row]) -> None:
        """Send the events, a thousand a request, and wait until every one of them is committed."""
        headers = {"Content-Type": "application/x-ndjson", "X-SignalDesk-Replay": name}
        for start in range(0, len(events), BATCH):
            batch = events[start : start + BATCH]
            answer = await self.http.post("/api/v1/events", content=flights.ndjson(batch), headers=headers)
            assert answer.status_code == 202, answer.text
            assert answer.json()["rejected"] == []
            self.stream += [
                sent(name, id_, event) for id_, event in zip(answer.json()["ids"], batch, strict=True)
            ]
        query = "SELECT count(*) AS n FROM events WHERE lane = %s"
        await eventually(lambda: self.rows(query, name)[0]["n"] == len(events), timeout=30, every=0.1)

    def rows(self, query: str, *values: object) -> list[Row]:
        with psycopg.connect(self.database_url, row_factory=dict_row) as connection:
            return connection.execute(query, values).fetchall()


def sent(lane: str, id_: str, event: Row) -> oracle.Event:
    at = to_us(datetime.fromisoformat(event["timestamp"]))
    return oracle.Event(
        org="port",
        id=UUID(id_).bytes,
        type=event["type"],
        timestamp=at,
        received_at=at,
        payload=event["payload"],
        source=event["source"],
        lane=lane,
        tell=False,
    )


def understood(stored: StoredRule) -> oracle.Rule:
    """A rule as the oracle wants it, read from its document as a person would."""
    body = stored.body
    where = FILTERS[body["where"]] if "where" in body else lambda _: True
    return oracle.Rule(
        id=str(stored.id),
        version=1,
        since=1,
        body=body,
        where=lambda event: where(event.payload),
        lateness=LATENESS_S * MICROS,
    )


@asynccontextmanager
async def office(database_url: str, redis_url: str, rules: list[Row]) -> AsyncIterator[Office]:
    settings = Settings(allowed_lateness=LATENESS_S)
    async with opened(settings, Urls(database_url, redis_url)) as desk:
        founded = await Users(database=desk.database, passwords=Passwords()).found(
            org="Port Authority", email="tower@example.com", password="three runways in the rain"
        )
        await desk.rules.apply(founded.org_id, rules)
        stored = await desk.rules.all(founded.org_id)
        _, key = await desk.api_keys.create(founded.org_id, scopes=["events:write"])
        shared = Shared(intake=desk.intake, keys=desk.key_ring, handover=None)
        async with await serve("127.0.0.1", 0, shared) as server, working(desk.processor()):
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            headers = {"Authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as http:
                rules_of_oracle = oracle.Rules("port", tuple(map(understood, stored)))
                yield Office(http, database_url, [rules_of_oracle])


@asynccontextmanager
async def working(processor: Processor) -> AsyncIterator[None]:
    """A processor at work; at the end it writes down what is not written down yet."""
    task = asyncio.create_task(processor.run())
    try:
        yield
    finally:
        processor.stop()
        await task


# --- comparing -----------------------------------------------------------------------------------------


def compare(place: Office) -> oracle.Findings:
    """Every firing, alert, held-back firing and late event, in Postgres and by the oracle."""
    found = oracle.judge(place.stream, skew=LATENESS_S * MICROS)
    assert firings(place) == sorted(found.firings)
    wanted = [(a.group, a.event, a.opened_at, a.last_fired_at, a.firings, a.state) for a in found.alerts]
    assert alerts(place) == sorted(wanted)
    assert held(place) == found.held
    assert late(place) == found.late
    return found


def firings(place: Office) -> list[oracle.Firing]:
    return sorted(
        oracle.Firing(
            group=group(row),
            version=row["rule_version"],
            event=row["event_id"].bytes,
            time=to_us(row["timestamp"]),
            value=row["value"],
            at_least=row["at_least"],
            margin=row["margin"],
            window=(to_us(row["window_from"]), to_us(row["window_to"])),
            evidence=tuple(member.bytes for member in row["evidence"]),
            shadow=row["shadow"],
            told=row["told"] is True,
        )
        for row in place.rows(
            "SELECT *, alert_id IN (SELECT alert_id FROM notifications) AS told FROM firings"
        )
    )


def alerts(place: Office) -> list[tuple[Any, ...]]:
    return sorted(
        (
            group(row),
            row["event_id"].bytes,
            to_us(row["opened_at"]),
            to_us(row["last_fired_at"]),
            row["firings"],
            row["state"],
        )
        for row in place.rows("SELECT * FROM alerts")
    )


def held(place: Office) -> Counter[tuple[oracle.Group, str]]:
    found: Counter[tuple[oracle.Group, str]] = Counter()
    for row in place.rows("SELECT * FROM suppressions"):
        found[group(row), row["reason"]] += row["count"]
    return found


def late(place: Office) -> Counter[tuple[str, int]]:
    rows = place.rows("SELECT * FROM rule_activations WHERE late > 0")
    return Counter({(str(row["rule_id"]), row["since_version"]): row["late"] for row in rows})


def group(row: Row) -> oracle.Group:
    return oracle.Group(str(row["rule_id"]), row["lane"], oracle.canonical(row["group"]))


# --- the tests -----------------------------------------------------------------------------------------


def documents() -> list[Row]:
    return list(yaml.safe_load(RULES.read_text()))


def values_of(place: Office, found: oracle.Findings, name: str) -> set[str]:
    """The groups for which a rule fired."""
    (rule,) = place.rows("SELECT id FROM rules WHERE name = %s", name)
    return {firing.group.values for firing in found.firings if firing.group.rule == str(rule["id"])}


async def test_every_firing_and_alert_of_a_month_is_the_oracles_and_the_backtests(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    events = flights.departures(2)
    assert len(events) == FEBRUARY
    async with office(database_url, redis_url, documents()) as place:
        await place.replay("february", events)
    found = compare(place)
    for one in documents():
        assert values_of(place, found, one["name"]) or one.get("mode") == "paused", one["name"]
    # The snow storm of 8 and 9 February 2013 closed all three airports.
    closed = {oracle.canonical({"origin": origin}) for origin in ("EWR", "JFK", "LGA")}
    assert values_of(place, found, "An airport closes") == closed
    again = Again(database_url, tmp_path, "february", LATENESS_S)
    assert again.compare()["columns"] == len(documents())
    terminal = Terminal(
        tmp_path,
        {
            "SIGNALDESK_DATABASE_URL": database_url,
            "SIGNALDESK_REDIS_URL": redis_url,
            "SIGNALDESK_DATA_DIR": str(tmp_path / "data"),
        },
    )
    for saved in again.rules[:SOAK]:
        (tmp_path / "rule.yaml").write_text(yaml.safe_dump(saved.rule.document()))
        month = ("--from", "2013-02-01", "--to", "2013-03-01", "--replay", "february", "--json")
        said = (await asyncio.to_thread(terminal.run, "backtest", "rule.yaml", *month)).json()
        alerts = [{name: one[name] for name in ("id", "firings", "state")} for one in said["alerts"]]
        assert sorted(alerts, key=lambda one: str(one["id"])) == again.alerts(saved)


async def test_events_as_late_as_the_aircraft_are_judged_within_the_lateness(
    database_url: str, redis_url: str
) -> None:
    """Of the first half of the month, with the storm; with SIGNALDESK_TEST_SOAK of all of it."""
    events = flights.as_they_left(flights.departures(2))
    events = events if SOAK > 1 else events[: len(events) // 2]
    rules = [{**one, "allowed_lateness": ["90m", "12h", "5m"][n % 3]} for n, one in enumerate(documents())]
    async with office(database_url, redis_url, rules) as place:
        await place.replay("as-they-left", events)
    found = compare(place)
    assert found.late.total() > 500
    assert len(found.firings) > 200, found.late


async def test_an_import_sent_again_adds_nothing_and_under_another_name_it_is_another_import(
    database_url: str, redis_url: str
) -> None:
    events = flights.departures(2)[:2_000]
    async with office(database_url, redis_url, documents()) as place:
        await place.replay("first", events)
        once = list(place.stream)
        await place.replay("first", events)
        place.stream = once
        await place.replay("second", events)
        assert place.rows("SELECT count(*) AS n FROM events") == [{"n": 2 * len(events)}]
    compare(place)


@pytest.mark.parametrize(
    ("late", "some"),
    [(False, range(4, 12)), (True, range(7, 10))],
    ids=["a week in order", "three days as they left"],
)
async def test_a_rule_of_every_kind_finds_in_a_snow_storm_what_the_oracle_does(
    database_url: str, redis_url: str, late: bool, some: range, tmp_path: Path
) -> None:
    """With SIGNALDESK_TEST_SOAK the whole month."""
    days = [f"2013-02-{day:02}" for day in (range(1, 29) if SOAK > 1 else some)]
    events = [one for one in flights.departures(2) if one["timestamp"][:10] in days]
    events = flights.as_they_left(events) if late else events
    events = [{**one, "type": "island"} if one["payload"]["dest"] in ISLANDS else one for one in events]
    rules = [one for one in documents() if one["name"] in PARTS] + yaml.safe_load(OF_EVERY_KIND)
    if late:
        rules = [{"allowed_lateness": ["90m", "12h", "5m"][n % 3], **one} for n, one in enumerate(rules)]
    assert {one["when"]["kind"] for one in rules} == set(oracle.KINDS)
    async with office(database_url, redis_url, rules) as place:
        await place.replay("storm", events)
    found = compare(place)
    Again(database_url, tmp_path, "storm", LATENESS_S).compare()
    for one in yaml.safe_load(OF_EVERY_KIND) if not late else ():
        assert values_of(place, found, one["name"]), one["name"]


@pytest.mark.slow
def test_the_months_are_all_there_and_in_utc() -> None:
    found = list(flights.rows())
    assert len(found) == 336_776
    # One row in fifty: the table's own hour in UTC, which we do not use, says the same as ours.
    assert all(f"{flights.scheduled(row):%Y-%m-%dT%H:00:00Z}" == row["time_hour"] for row in found[::50])
