"""The engine and the oracle agree on every firing, alert, suppression and count, whatever happens to owners.

SIGNALDESK_TEST_SOAK, a number, makes that many times more examples; SIGNALDESK_TEST_NO_SHRINK shows the first
failure as it was found.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings

from signaldesk.clock import to_us
from signaldesk.engine import snapshot
from signaldesk.engine.partition import _SLACK as SLACK
from signaldesk.ids import derived_id
from signaldesk.model.rule import SavedRule
from tests import oracle
from tests.integration.engine.scenarios import FILTERS, Delete, Empty, Row, Save, Send, Step, Work, scenarios
from tests.support.examples import SOAK
from tests.support.lab import LATENESS_US, SKEW_S, Lab, Life, Owner

SHRINK = not os.environ.get("SIGNALDESK_TEST_NO_SHRINK")
EXAMPLES = 30
AFTERWARDS_S = 7200.0
"""How long, on its clock, a scenario goes on with nothing but deadlines."""


@pytest.fixture(name="_small_portions")
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A save takes a few windows at a time, and much is judged in between."""
    monkeypatch.setattr(snapshot, "_WINDOWS", 2)


@settings(
    max_examples=EXAMPLES * SOAK,
    phases=tuple(Phase) if SHRINK else (Phase.reuse, Phase.generate),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=scenarios)
async def test_the_engine_does_what_the_oracle_says(
    lab: Lab, _small_portions: None, steps: list[Step]
) -> None:
    run = Run(lab)
    try:
        for step in steps:
            await run.step(step)
        await run.finish()
        found = oracle.judge(run.stream, skew=SKEW_S * 1_000_000)
        compare(run, found)
    finally:
        await run.clear_away()
    event(f"firings: {min(len(found.firings), 3)}")
    event(f"held: {min(sum(found.held.values()), 3)}")
    event(f"late: {min(sum(found.late.values()), 3)}")


class Run:
    """One scenario on its way: what was sent, in the order of the stream, and who works."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.stream: list[oracle.Event | oracle.Rules | oracle.Passed] = []
        self.orgs: dict[int, UUID] = {}
        self._rules: dict[int, dict[int, SavedRule]] = {}
        self._begun: dict[tuple[int, int], int] = {}
        self._seen: set[tuple[str, str, bytes]] = set()
        self._owner: Owner | None = None
        self._left: list[Owner] = []

    async def step(self, step: Step) -> None:
        match step:
            case Send():
                await self._send(step)
            case Save():
                await self._save(step)
            case Delete():
                await self._delete(step)
            case Work():
                await self._work(step)
            case Empty():
                await self.lab.empty_windows()

    async def finish(self) -> None:
        """A last owner, to whom nothing happens, brings everything home."""
        await self._work(Work(Life(), "dies", True))
        assert self._owner is not None
        self.stream.append(oracle.Passed(await self.lab.pass_time(AFTERWARDS_S)))
        await self._owner.work_off()
        await self._owner.end()

    async def clear_away(self) -> None:
        for owner in [*self._left, *([self._owner] if self._owner else [])]:
            await owner.cut_off()
        await self.lab.forget(self.orgs.values())
        for owner in self._left:
            owner.fault()

    async def _org(self, number: int) -> UUID:
        if number not in self.orgs:
            self.orgs[number] = await self.lab.org()
        return self.orgs[number]

    async def _send(self, step: Send) -> None:
        org_id = await self._org(step.org)
        self.lab.clock.advance(step.after / 1_000_000)
        now = self.lab.clock.now_us()
        rows = [self._row(row, now) for row in step.events]
        ids = await self.lab.send(org_id, rows, lane=step.lane, notify=step.notify)
        for id_, row in zip(ids, rows, strict=True):
            seen = (str(org_id), step.lane, id_)
            if seen not in self._seen:
                self._seen.add(seen)
                self.stream.append(
                    oracle.Event(
                        org=str(org_id),
                        id=id_,
                        type=row["type"],
                        timestamp=round(row["timestamp"] * 1_000_000) if "timestamp" in row else now,
                        received_at=now,
                        payload=row["payload"],
                        source=row.get("source"),
                        lane=step.lane,
                        tell=not step.lane or step.notify,
                    )
                )

    @staticmethod
    def _row(row: Row, now: int) -> Row:
        row = {name: value for name, value in row.items() if value is not None}
        offset = row.pop("offset", None)
        return row if offset is None else row | {"timestamp": (now + offset) / 1_000_000}

    async def _save(self, step: Save) -> None:
        org_id = await self._org(step.org)
        rules = self._rules.setdefault(step.org, {})
        body = {"name": f"rule {step.number}", **step.body}
        rules[step.number] = await self.lab.save_rule(org_id, body, rules.get(step.number))
        self._note_rules(step.org, (step.number, rules[step.number]))

    async def _delete(self, step: Delete) -> None:
        rules = self._rules.get(step.org, {})
        if step.number in rules:
            await self.lab.delete_rule(rules.pop(step.number))
            self._note_rules(step.org)

    def _note_rules(self, org: int, changed: tuple[int, SavedRule] | None = None) -> None:
        now = self.lab.clock.now_us()
        if changed is not None and changed[1].version == changed[1].since_version:
            self._begun[org, changed[0]] = now
        rules = [_understood(saved, self._begun[org, number]) for number, saved in self._rules[org].items()]
        self.stream.append(oracle.Passed(now - SLACK))
        self.stream.append(oracle.Rules(str(self.orgs[org]), tuple(rules)))

    async def _work(self, step: Work) -> None:
        before, self._owner = self._owner, None
        if before:
            if step.before == "ends":
                await before.end()
            elif step.before == "dies":
                await before.cut_off()
                before.fault()
            else:
                self._left.append(before)
        self._owner = await self.lab.owner(step.life)
        if step.wait:
            await self._owner.work_off()


def _understood(saved: SavedRule, begun: int) -> oracle.Rule:
    """A rule as the oracle wants it: its document, and what a document does not say."""
    body = saved.rule.document()
    return oracle.Rule(
        id=str(saved.id),
        version=saved.version,
        since=saved.since_version,
        body=body,
        where=FILTERS[body.get("where")],
        lateness=LATENESS_US,
        tells="notify" in body,
        begun=begun if body["when"]["kind"] == "absence" else None,
    )


# --- what Postgres says ------------------------------------------------------------------------------------


def compare(run: Run, found: oracle.Findings) -> None:
    """Every row that the engine wrote for the scenario's organisations is what the oracle says."""
    rows = partial(run.lab.rows, orgs=list(run.orgs.values()))
    assert not rows(
        "SELECT error FROM rule_activations WHERE org_id = ANY(%(orgs)s) AND failed_at IS NOT NULL"
    )
    assert stored(rows) == Counter(
        (event.org, event.lane, event.id, event.type, time, skewed, behind, _text(event.payload))
        for event, time, skewed, behind in found.stored
    )
    assert firings(rows) == sorted(found.firings)
    assert alerts(rows) == sorted(
        (a.group, a.event, a.opened_at, a.last_fired_at, a.firings, a.version, a.state) for a in found.alerts
    )
    assert told(rows, "firing") == Counter((one.group.rule, one.event) for one in found.firings if one.told)
    assert told(rows, "resolved") == found.told_over
    assert held(rows) == found.held
    assert late(rows) == found.late
    assert counts(rows) == found.counts
    assert watermarks(rows) == found.watermarks


Rows = Callable[[str], list[Row]]


def stored(rows: Rows) -> Counter[tuple[Any, ...]]:
    return Counter(
        (
            str(row["org_id"]),
            row["lane"],
            row["id"].bytes,
            row["type"],
            to_us(row["timestamp"]),
            row["clock_skewed"],
            row["behind"],
            _text(row["payload"]),
        )
        for row in rows("SELECT * FROM events WHERE org_id = ANY(%(orgs)s)")
    )


def firings(rows: Rows) -> list[oracle.Firing]:
    told = {row["id"] for row in rows("SELECT id FROM notifications WHERE org_id = ANY(%(orgs)s)")}
    channels = [str(row["id"]) for row in rows("SELECT id FROM channels WHERE org_id = ANY(%(orgs)s)")]
    return sorted(
        oracle.Firing(
            group=_group(row),
            version=row["rule_version"],
            event=row["event_id"].bytes,
            time=to_us(row["timestamp"]),
            value=row["value"],
            at_least=row["at_least"],
            margin=row["margin"],
            window=(to_us(row["window_from"]), to_us(row["window_to"])),
            evidence=tuple(member.bytes for member in row["evidence"]),
            shadow=row["shadow"],
            told=any(derived_id("notification", str(row["id"]), channel) in told for channel in channels),
        )
        for row in rows("SELECT * FROM firings WHERE org_id = ANY(%(orgs)s)")
    )


def alerts(rows: Rows) -> list[tuple[Any, ...]]:
    return sorted(
        (
            _group(row),
            row["event_id"].bytes,
            to_us(row["opened_at"]),
            to_us(row["last_fired_at"]),
            row["firings"],
            row["rule_version"],
            row["state"],
        )
        for row in rows("SELECT * FROM alerts WHERE org_id = ANY(%(orgs)s)")
    )


def told(rows: Rows, kind: str) -> Counter[tuple[str, bytes]]:
    return Counter(
        (row["message"]["rule"]["id"], UUID(row["message"]["event"]["id"]).bytes)
        for row in rows("SELECT message FROM notifications WHERE org_id = ANY(%(orgs)s)")
        if row["message"]["kind"] == kind
    )


def held(rows: Rows) -> Counter[tuple[oracle.Group, str]]:
    found: Counter[tuple[oracle.Group, str]] = Counter()
    for row in rows("SELECT * FROM suppressions WHERE org_id = ANY(%(orgs)s)"):
        found[_group(row), row["reason"]] += row["count"]
    return found


def late(rows: Rows) -> Counter[tuple[str, int]]:
    query = "SELECT * FROM rule_activations WHERE org_id = ANY(%(orgs)s) AND late > 0"
    return Counter({(str(row["rule_id"]), row["since_version"]): row["late"] for row in rows(query)})


def counts(rows: Rows) -> dict[tuple[str, int, str], tuple[int, int]]:
    return {
        (str(row["org_id"]), to_us(row["minute"]), row["type"]): (row["events"], row["matched"])
        for row in rows("SELECT * FROM event_counts WHERE org_id = ANY(%(orgs)s)")
    }


def watermarks(rows: Rows) -> dict[tuple[str, str], int]:
    query = "SELECT * FROM org_progress WHERE org_id = ANY(%(orgs)s)"
    return {(str(row["org_id"]), row["lane"]): row["watermark"] for row in rows(query)}


def _group(row: Row) -> oracle.Group:
    return oracle.Group(str(row["rule_id"]), row["lane"], oracle.canonical(row["group"]))


def _text(payload: Row) -> str:
    return json.dumps(payload, sort_keys=True)
