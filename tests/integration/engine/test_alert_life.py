"""Whatever happens to alerts, in whatever order: what is stored of them is what a small model says.

The engine's own commits and the stores behind the API act on a real Postgres. After each step everything is
compared: states, firings, timelines with who and when, whom people were told of, and the reasons why not.

SIGNALDESK_TEST_SOAK, a number, makes that many times more examples; SIGNALDESK_TEST_NO_SHRINK shows the first
failure as it was found.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.rows import namedtuple_row
from sqlalchemy import delete, insert

from signaldesk.clock import ManualClock, from_us, to_us
from signaldesk.engine.notices import composer, firing_message
from signaldesk.errors import Conflict
from signaldesk.ids import derived_id, new_id
from signaldesk.model.actor import Actor
from signaldesk.model.event import Event
from signaldesk.model.outcome import Batch, Firing, GroupRef, Resolution, RuleChange
from signaldesk.model.rule import SavedRule
from signaldesk.model.silence import Matcher
from signaldesk.rules import document
from signaldesk.store import rules as rule_rows
from signaldesk.store import tables as t
from signaldesk.store.alerts import AlertStore, Snooze
from signaldesk.store.database import Database
from signaldesk.store.housekeeping import Housekeeping
from signaldesk.store.ledger import Claim, Ledger
from signaldesk.store.silences import SilenceDraft, SilenceStore
from signaldesk.store.urls import libpq_url
from tests.integration.engine.alert_model import HOUR, MINUTE, SECOND, Alert, Model, Silence
from tests.support.examples import SOAK

T = TypeVar("T")
SHRINK = not os.environ.get("SIGNALDESK_TEST_NO_SHRINK")
EXAMPLES, STEPS = 8, 30
STORM_AFTER = 2
START = 1_700_000_040 * SECOND

_groups = st.sampled_from(["DE", "DE", "DE", "FR", "IT", "ES", "PL"])
_gaps = st.sampled_from(
    [0, SECOND, SECOND, 20 * SECOND, MINUTE, MINUTE + 1, 10 * MINUTE, 2 * HOUR, -5 * SECOND]
)
_values = st.integers(1, 5).map(float)
_reasons = st.sampled_from(["quiet", "threshold"])
_places = st.sampled_from([0, 0, 0, 1, 2, 3, 7])
"""How long ago an alert was opened, in alerts."""
_fires = st.tuples(st.just("fire"), _groups, _gaps, _values)
_ends = st.tuples(st.just("end"), _groups, _gaps, _reasons)
_snoozes = st.none() | st.tuples(
    st.none() | st.sampled_from([SECOND, MINUTE, HOUR]), st.none() | _values, st.none() | st.integers(0, 2)
).filter(lambda quiet: any(part is not None for part in quiet))
_acts = st.one_of(
    *(
        st.tuples(st.just(what), st.none())
        for what in ("acknowledge", "resolve", "reopen", "unsnooze", "comment")
    ),
    st.tuples(st.just("snooze"), _snoozes),
    st.tuples(st.just("assign"), st.booleans()),
)
_MATCHERS = {
    "DE": (Matcher("country", "=", "DE"), lambda group, severity: group == "DE"),
    "not DE": (Matcher("country", "!=", "DE"), lambda group, severity: group != "DE"),
    "F. or I.": (Matcher("country", "=~", "F.|I."), lambda group, severity: group[0] in "FI"),
    "critical": (Matcher("severity", "=", "critical"), lambda group, severity: severity == "critical"),
    "rule": (Matcher("rule", "!~", "Fail.*"), lambda group, severity: False),
}


@dataclass
class Bench:
    """What all examples share: a database, the ledger of an owner, and how far its partition has come."""

    url: str
    runner: asyncio.Runner
    database: Database
    ledger: Ledger
    claim: Claim
    reading: psycopg.Connection[Any]
    clock: ManualClock = field(default_factory=lambda: ManualClock(START))
    position: int = 0

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def commit(self, **parts: Any) -> None:
        before, self.position = self.position, self.position + 1
        batch = Batch(self.claim.partition, before, self.position, **parts)
        self.ledger.commit(self.claim, batch, composer("http://desk.test"))


@pytest.fixture
def bench(database_url: str) -> Iterator[Bench]:
    database = Database(database_url)
    ledger = Ledger(database_url, owner="one", storm_after=STORM_AFTER)
    claim = next(claim for claim in ledger.claim(8, 3600.0) if claim.partition == 0)
    with (
        asyncio.Runner() as runner,
        psycopg.connect(libpq_url(database_url), row_factory=namedtuple_row, autocommit=True) as reading,
    ):
        yield Bench(database_url, runner, database, ledger, claim, reading)
        runner.run(database.close())
    ledger.close()


def test_alerts_live_as_the_model_says(bench: Bench) -> None:
    class Machine(Life):
        pass

    Machine.bench = bench
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES * SOAK,
            stateful_step_count=STEPS,
            phases=tuple(Phase) if SHRINK else (Phase.reuse, Phase.generate),
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


class Life(RuleBasedStateMachine):
    """One organisation with one rule, which fires by country; event time only moves as the steps say."""

    bench: Bench

    @initialize()
    def begin(self) -> None:
        self.org_id, self.channel, self.person = new_id(), new_id(), new_id()
        self.now, self.count = START, 0
        self.model = Model(STORM_AFTER)
        self.saved: SavedRule | None = None
        self.silences: list[tuple[UUID, Silence]] = []
        self.bench.do(self._found())
        self.save("warning", None, anew=True)

    async def _found(self) -> None:
        org = {"org_id": self.org_id}
        async with self.bench.database.system() as connection:
            await connection.execute(
                insert(t.orgs).values(
                    id=self.org_id, slug=str(self.org_id), name="Lab", plan="free", partition=0
                )
            )
            await connection.execute(
                insert(t.channels).values(id=self.channel, **org, name="hook", kind="webhook", config={})
            )
            await connection.execute(insert(t.users).values(id=self.person, email=f"{self.person}@lab.test"))
            await connection.execute(insert(t.memberships).values(**org, user_id=self.person, role="owner"))

    def teardown(self) -> None:
        if hasattr(self, "model"):
            event(f"storms: {min(len(self.model.storms), 2)}")
            event(f"flapping: {any(alert.flapping for alert in self.model.alerts)}")
            event(f"alerts: {min(len(self.model.alerts), 4)}")
            self.bench.do(self._forget())

    async def _forget(self) -> None:
        async with self.bench.database.system() as connection:
            await connection.execute(delete(t.orgs).where(t.orgs.c.id == self.org_id))
            await connection.execute(delete(t.users).where(t.users.c.id == self.person))

    # --- what the engine does --------------------------------------------------------------------------

    @rule(steps=st.lists(_fires | _fires | _ends, min_size=1, max_size=6))
    def commit(self, steps: list[Any]) -> None:
        firings: list[Firing] = []
        resolutions: list[Resolution] = []
        for kind, country, gap, what in steps:
            self.now += max(gap, 0)
            at = self.now + min(gap, 0)
            if kind == "fire":
                firings.append(self._firing(country, at, what))
                self.model.fire(firings[-1].id, country, at, what)
            else:
                resolutions.append(self._resolution(country, at, what, len(firings)))
                self.model.end(country, at, what)
        self.bench.commit(firings=firings, resolutions=resolutions)

    @rule(times=st.integers(2, 5), gap=st.sampled_from([SECOND, MINUTE, 10 * MINUTE]), group=_groups)
    def come_and_go(self, times: int, gap: int, group: str) -> None:
        self.commit([("fire", group, gap, 1.0), ("end", group, gap, "quiet")] * times)

    @rule(
        severity=st.sampled_from(["warning", "critical"]),
        repeat=st.sampled_from([None, None, 0, MINUTE]),
        anew=st.sampled_from([False, False, False, True]),
    )
    def save(self, severity: str, repeat: int | None, anew: bool) -> None:
        """The rule becomes another; `anew`: with another condition, so that its alerts are over."""
        before = self.saved
        version = before.version + 1 if before else 1
        since = version if anew or before is None else before.since_version
        body: dict[str, Any] = {"name": "Failures", "event": "e", "by": "country", "when": {"kind": "each"}}
        body |= {"notify": "hook", "severity": severity, "where": f"x = {since}"}
        body |= {} if repeat is None else {"repeat": f"{repeat // SECOND}s" if repeat else "never"}
        parsed = document.parse(body)
        judged = document.fingerprint(parsed)
        assert before is None or (judged != before.fingerprint) == anew
        id_ = before.id if before else new_id()
        versions: dict[str, Any] = {"version": version, "since_version": since, "fingerprint": judged}
        self.saved = SavedRule(org_id=self.org_id, id=id_, rule=parsed, **versions)
        self.bench.do(self._keep(self.saved, new=before is None))
        self.bench.commit(rules=[RuleChange(self.org_id, id_, version, since)], begun=self.now)
        self.model.severity, self.model.repeat = severity, repeat
        if anew:
            self.model.another_condition()

    async def _keep(self, saved: SavedRule, *, new: bool) -> None:
        async with self.bench.database.tenant(self.org_id) as connection:
            await (rule_rows.add if new else rule_rows.replace)(connection, saved, None)

    @rule(seconds=st.sampled_from([1, 60, 3600]))
    def pass_time(self, seconds: int) -> None:
        """The scheduler comes by."""
        self.now += seconds * SECOND
        self.bench.clock.set(self.now)
        self.bench.do(Housekeeping(database=self.bench.database, clock=self.bench.clock).wake_snoozed())
        self.model.pass_time(self.now)

    def _firing(self, country: str, at: int, value: float) -> Firing:
        assert self.saved is not None
        self.count += 1
        id_ = derived_id("e", str(self.org_id), str(self.count))
        return Firing(
            id=derived_id("firing", str(id_)), saved=self.saved, org_name="Lab", channels=[self.channel],
            group=GroupRef(self.saved.id, "", country), values={"country": country},
            event=Event(id_.bytes, "e", at, b"{}"), time=at, timer=False, value=value, at_least=False,
            threshold=1, window_from=at, window_to=at, evidence=[id_.bytes], words="", received_at=at,
            position=self.bench.position, margin=value / 100,
        )  # fmt: skip

    def _resolution(self, country: str, at: int, reason: str, after: int) -> Resolution:
        assert self.saved is not None
        group, values = GroupRef(self.saved.id, "", country), {"country": country}
        return Resolution(self.saved, "Lab", [self.channel], group, values, at, reason, after, at)

    # --- what people do --------------------------------------------------------------------------------

    def _some(self, place: int) -> tuple[Alert, UUID]:
        """One of the alerts, the latest ones first."""
        place = len(self.model.alerts) - 1 - place % len(self.model.alerts)
        return self.model.alerts[place], self._ids()[place]

    def _ids(self) -> list[UUID]:
        """The alerts in the order in which they were opened."""
        query = "SELECT c.alert_id FROM alert_changes c WHERE org_id = %s AND kind = 'opened' ORDER BY id"
        return [row.alert_id for row in self.bench.reading.execute(query, [self.org_id])]

    @property
    def by(self) -> Actor:
        return Actor(self.person, "Mira")

    @precondition(lambda self: self.model.alerts)
    @rule(place=_places, acts=st.lists(_acts, min_size=2, max_size=6))
    def handle(self, place: int, acts: list[Any]) -> None:
        """Somebody does something with one alert, or some things."""
        alert, id_ = self._some(place)
        for act in acts:
            self._handle(alert, id_, act)

    @precondition(lambda self: self.model.alerts)
    @rule(place=_places, quiet=_snoozes, fires=st.lists(st.tuples(_gaps, _values), min_size=1, max_size=5))
    def snooze_and_fire(self, place: int, quiet: Any, fires: list[Any]) -> None:
        alert, id_ = self._some(place)
        self._handle(alert, id_, ("snooze", quiet))
        self.commit([("fire", alert.group, gap, value) for gap, value in fires])

    @rule(group=_groups, times=st.integers(2, 4))
    def come_and_be_resolved_by_a_person(self, group: str, times: int) -> None:
        for _ in range(times):
            self.commit([("fire", group, SECOND, 1.0)])
            alert = self.model.unresolved(group)
            assert alert is not None
            self._handle(alert, self._ids()[self.model.alerts.index(alert)], ("resolve", None))

    def _handle(self, alert: Alert, id_: UUID, act: tuple[str, Any]) -> None:
        what, how = act
        at = self.now
        parts: list[Any] = []
        told: list[Any] = []
        if what == "snooze":
            until, value, firings = how or (None, None, None)
            ends = at + until if until else None
            firings = None if firings is None else alert.firings + firings
            told = [(ends, value, firings) if how else None]
            parts = [Snooze(from_us(ends) if ends else None, value, firings) if how else None]
        elif what == "assign":
            told, parts = [how], [self.person if how else None]
        elif what == "comment":
            parts = ["hm"]
        possible = getattr(self.model, what)(alert, *told, at, "Mira")
        work = getattr(AlertStore(database=self.bench.database), what)
        try:
            self.bench.do(work(self.org_id, id_, *parts, by=self.by, at=from_us(at)))
            assert possible
        except Conflict:
            assert not possible

    @rule(
        kind=st.sampled_from(["silence", "maintenance"]),
        what=st.sampled_from(sorted(_MATCHERS)),
        begins=st.sampled_from([0, 0, MINUTE]),
        lasts=st.sampled_from([20 * SECOND, 10 * MINUTE]),
    )
    def silence(self, kind: str, what: str, begins: int, lasts: int) -> None:
        matcher, fits = _MATCHERS[what]
        starts = self.now + begins
        draft = SilenceDraft(kind, (matcher,), from_us(starts), from_us(starts + lasts), "")
        store = SilenceStore(database=self.bench.database)
        made = self.bench.do(store.create(self.org_id, draft, by=self.by, at=from_us(self.now)))
        self.silences.append((made.id, Silence(kind, fits, starts, starts + lasts)))
        self.model.silences.append(self.silences[-1][1])

    @precondition(lambda self: self.silences)
    @rule(place=_places)
    def expire(self, place: int) -> None:
        id_, silence = self.silences[place % len(self.silences)]
        silence.ends_at = min(silence.ends_at, self.now)
        store, at = SilenceStore(database=self.bench.database), from_us(self.now)
        self.bench.do(
            store.change(self.org_id, id_, {"ends_at": from_us(silence.ends_at)}, by=self.by, at=at)
        )

    # --- the comparison --------------------------------------------------------------------------------

    def _rows(self, query: str) -> list[Any]:
        return self.bench.reading.execute(query, {"org": self.org_id}, prepare=True).fetchall()

    @invariant()
    def what_is_stored_is_what_the_model_says(self) -> None:
        ids = self._ids()
        places = {id_: place for place, id_ in enumerate(ids)}
        self._compare_alerts(ids)
        self._compare_timelines(places)
        self._compare_tellings(places)

    def _compare_alerts(self, ids: list[UUID]) -> None:
        rows = {row.id: row for row in self._rows("SELECT * FROM alerts WHERE org_id = %(org)s")}
        found = [
            (
                *(
                    row.group["country"],
                    to_us(row.opened_at),
                    row.severity,
                    row.state,
                    row.firings,
                    row.value,
                    row.margin,
                ),
                *(row.resolved_reason, _us(row.notified_at), row.flapping, row.assigned_to is not None),
                (_us(row.snoozed_until), row.snoozed_value, row.snoozed_firings),
            )
            for row in (rows[id_] for id_ in ids)
        ]
        assert found == [
            (
                *(one.group, one.opened_at, one.severity, one.state, one.firings, one.value, one.value / 100),
                *(one.over, one.told_at, one.flapping, one.assigned, one.quiet),
            )
            for one in self.model.alerts
        ]
        assert len(rows) == len(self.model.alerts)
        opened = [row for row in rows.values() if row.state in ("open", "snoozed")]
        assert all(row.acknowledged_at is None for row in opened)
        assert all(row.snoozed_by is None for row in opened if row.state == "open")

    def _compare_timelines(self, places: dict[UUID, int]) -> None:
        """What happened, how often, by whom and when."""
        found: list[list[Any]] = [[] for _ in places]
        expected = [
            [(one.kind, one.times, one.by, one.at) for one in alert.timeline] for alert in self.model.alerts
        ]
        for row in self._rows("SELECT * FROM alert_changes WHERE org_id = %(org)s ORDER BY id"):
            timeline = found[places[row.alert_id]]
            known = expected[places[row.alert_id]][len(timeline) : len(timeline) + 1]
            untimed = bool(known) and known[0][3] is None
            timeline.append((row.kind, row.count, row.actor, None if untimed else to_us(row.at)))
        assert found == expected

    def _compare_tellings(self, places: dict[UUID, int]) -> None:
        """Whom people were told of, and for what they were not told of, the reason."""
        rows = self._rows(
            "SELECT id, alert_id, message ->> 'kind' AS kind, (message ->> 'alerts')::int AS alerts"
            " FROM notifications WHERE org_id = %(org)s"
        )
        told = {row.id for row in rows if row.kind == "firing"}
        assert told == {firing_message(firing, self.channel) for firing in self.model.told}
        assert Counter(places[row.alert_id] for row in rows if row.kind == "resolved") == self.model.ended
        storms = sorted(row.alerts for row in rows if row.kind == "storm")
        assert storms == sorted(storm.alerts for storm in self.model.storms)
        held = self._rows(
            "SELECT \"group\" ->> 'country' AS country, reason, sum(count) AS times FROM suppressions"
            " WHERE org_id = %(org)s GROUP BY 1, 2"
        )
        assert {(row.country, row.reason): row.times for row in held} == self.model.held


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else to_us(moment)
