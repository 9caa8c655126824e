"""Backtests over HTTP: taken on, worked off in a process of their own, read, ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.support import rows
from tests.support.sharing import shared_loop
from tests.support.waiting import eventually
from tests.support.web import Org, Web, paged, running_web

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
RULE: dict[str, Any] = {
    "name": "Checkout failures by country",
    "event": "checkout_failed",
    "by": "country",
    "when": {"kind": "count", "at_least": 3, "within": "60s"},
    "cooldown": "1m",
}
DAY = {"from": "2026-01-31T00:00:00Z", "to": "2026-02-01T00:00:00Z"}


@shared_loop
async def web(own_web: Web) -> Web:
    """Of each test: they narrow its limits, and fill its places."""
    return own_web


@shared_loop
async def stored(web: Web, org: Org) -> None:
    """Five minutes of failures, one every ten seconds, and one of the next day."""
    for number in (*range(30), 9_000):
        moment = NOON + timedelta(seconds=10 * number)
        await rows.event(web.desk.database, org.id, timestamp=moment, received_at=moment)


async def ended(client: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    """What came of a backtest that was taken on."""
    assert answer.status_code == 202, answer.text
    address = answer.headers["Location"]
    assert address == f"/api/v1/backtests/{answer.json()['id']}"

    async def done() -> dict[str, Any] | None:
        found: dict[str, Any] = (await client.get(address)).json()
        return found if found["state"] != "running" else None

    return await eventually(done, 60, every=0.1) or {}


@pytest.mark.usefixtures("stored")
async def test_a_rule_is_judged_over_the_past_and_its_firings_are_read_in_pages(
    client: httpx.AsyncClient,
) -> None:
    found = await ended(client, await client.post("/api/v1/backtests", json={"rule": RULE, **DAY}))
    assert (found["state"], found["problem"], found["missing"]) == ("done", None, [])
    assert found["progress"] == {"done": 30, "total": 30}
    assert (found["summary"]["events"], found["summary"]["firings"]) == (30, 5)
    assert (found["rule"], found["from"]) == (RULE["name"], DAY["from"])
    assert found["kept_since"] == "2026-01-31T12:00:00Z"
    assert "no events from before 2026-01-31 12:00 UTC" in found["summary"]["notes"][0]
    assert [one["group"] for one in found["alerts"]] == [{"country": "DE"}]
    firings = await paged(client, f"/api/v1/backtests/{found['id']}/firings", limit=2)
    assert [one["at"] for one in firings] == [f"2026-01-31T12:0{n}:20.000000Z" for n in range(5)]
    gone = await client.delete(f"/api/v1/backtests/{found['id']}")
    assert gone.status_code == 204
    assert (await client.get(f"/api/v1/backtests/{found['id']}/firings")).status_code == 404


@pytest.mark.usefixtures("stored")
async def test_a_sweep_of_a_saved_version_is_compared_with_stored_labels(client: httpx.AsyncClient) -> None:
    made = (await client.post("/api/v1/rules", json=RULE)).json()
    await client.put(f"/api/v1/rules/{made['id']}", json={**RULE, "severity": "critical"})
    storm = {"name": "Storm", "starts_at": "2026-01-31T12:00:00Z", "ends_at": "2026-01-31T12:10:00Z"}
    await client.post("/api/v1/labels", json=storm)
    asked = {
        "rule": made["id"], "version": 1, **DAY, "labels": "stored",
        "sweep": {"at_least": [3, 4, 9], "within": ["60s", "120s"]},
    }  # fmt: skip
    found = await ended(client, await client.post("/api/v1/backtests", json=asked))
    assert found["progress"] == {"done": 6, "total": 6}
    points = {tuple(one["parameters"].values()): one for one in found["points"]}
    assert (points[3, "60s"]["firings"], points[9, "60s"]["firings"]) == (5, 0)
    assert points[3, "60s"]["score"]["recall"] == 1
    assert found["recommended"]
    assert found["summary"] is None
    assert (found["kept_since"], len(found["notes"])) == ("2026-01-31T12:00:00Z", 1)


@pytest.mark.usefixtures("stored")
async def test_a_rule_is_compared_with_a_saved_one(client: httpx.AsyncClient) -> None:
    await client.post("/api/v1/rules", json=RULE)
    strict = {**RULE, "name": "Strict", "when": {**RULE["when"], "at_least": 6}, "mode": "shadow"}
    asked = {"rule": strict, "against": RULE["name"], **DAY}
    found = (await ended(client, await client.post("/api/v1/backtests", json=asked)))["comparison"]
    assert (found["new"]["firings"], found["old"]["firings"]) == (5, 5)
    assert found["later"] == 30.0
    assert found["missed"] == found["extra"] == []
    assert found["sentence"].endswith("and missed nothing")
    both = await client.post("/api/v1/backtests", json={**asked, "sweep": {"at_least": [2, 3]}})
    assert [fault["field"] for fault in both.json()["errors"]] == ["against"]


@pytest.mark.usefixtures("stored")
async def test_whatever_is_wrong_is_said_at_once_with_its_place(client: httpx.AsyncClient) -> None:
    async def faults(**asked: Any) -> set[str]:
        answer = await client.post("/api/v1/backtests", json={"rule": RULE, **DAY, **asked})
        assert answer.status_code == 422, answer.text
        return {f"{one['field']}: {one['message']}" for one in answer.json()["errors"]}

    assert "to: does not come after `from`; nothing lies between them" in await faults(to=DAY["from"])
    assert "from: has no time zone; write e.g. 2026-01-31T00:00:00Z" in await faults(
        **{"from": "2026-01-31T00:00:00"}
    )
    assert await faults(**{"from": "yesterday", "untill": DAY["to"]}) == {
        "from: is no time; write e.g. 2026-01-31T12:00:00Z",
        "untill: unknown field; known are rule, version, from, to, replay, against, sweep, labels",
    }
    backwards = {"name": "a", "starts_at": "2026-01-31T12:00:00Z", "ends_at": "2026-01-31T11:00:00Z"}
    assert await faults(labels=[{**backwards, "ends_at": "2026-01-31T13:00:00Z"}, backwards]) == {
        "labels.1: `ends_at` must come after `starts_at`"
    }
    assert await faults(labels=[{"name": "a"}], rule=5) == {
        "labels.0.starts_at: is missing", "labels.0.ends_at: is missing",
        "rule: must be a text", "rule: must be an object",
    }  # fmt: skip
    assert "labels: are what a sweep is compared with; add `sweep`" in await faults(labels="stored")
    assert "labels: must be stored" in await faults(labels="storde")
    assert "rule: there is no rule 'nobody'; there are none yet" in await faults(rule="nobody")
    assert any("when.within" in one for one in await faults(rule={**RULE, "when": {"kind": "count"}}))
    assert any(one.startswith("sweep.at_leats") for one in await faults(sweep={"at_leats": [2, 3]}))
    assert any(one.startswith("sweep.when: ") for one in await faults(sweep={"when": [1]}))
    assert any("most is 1,000" in one for one in await faults(sweep={"at_least": list(range(2, 2000))}))
    old = {"rule": RULE, "from": "2013-01-01T00:00:00Z", "to": "2013-02-01T00:00:00Z"}
    found = await ended(client, await client.post("/api/v1/backtests", json=old))
    assert found["state"] == "failed"
    assert "older events are not kept" in found["problem"]["errors"][0]["message"]


async def test_a_backtest_that_nobody_wants_any_more_ends_and_makes_room(
    web: Web, org: Org, client: httpx.AsyncClient
) -> None:
    lock = "LOCK TABLE events IN ACCESS EXCLUSIVE MODE"
    async with web.desk.database.system() as connection:
        await connection.execute(text(lock))  # so that it stays under way
        first = await client.post("/api/v1/backtests", json={"rule": RULE, **DAY})
        assert first.status_code == 202
        second = await client.post("/api/v1/backtests", json={"rule": RULE, **DAY})
        assert (second.status_code, second.json()["code"]) == (429, "too_many_requests")
        assert "as many backtests running as it may (1)" in second.json()["detail"]
        assert (await client.delete(first.headers["Location"])).status_code == 204
        again = await client.post("/api/v1/backtests", json={"rule": RULE, **DAY})
        assert again.status_code == 202
    assert (await client.get(first.headers["Location"])).status_code == 404
    assert (await ended(client, again))["state"] == "done"


async def test_one_that_takes_too_long_is_ended_with_one_clear_error(
    database_url: str, redis_url: str
) -> None:
    async with running_web(database_url, redis_url, backtest_seconds=0.05) as web:
        org = await web.found("Acme")
        async with web.client(headers=org.headers) as client:
            found = await ended(client, await client.post("/api/v1/backtests", json={"rule": RULE, **DAY}))
    message = found["problem"]["errors"][0]["message"]
    assert message == "takes longer than 0.05 s; name a shorter time, or fewer points"


@pytest.mark.usefixtures("stored")
async def test_one_that_needs_too_much_memory_is_ended_with_one_clear_error(
    web: Web, org: Org, client: httpx.AsyncClient
) -> None:
    wide = {"text": "x" * 20_000}
    for number in range(300):
        moment = NOON + timedelta(seconds=number)
        await rows.event(
            web.desk.database, org.id, type="wide", timestamp=moment, received_at=moment, payload=wide
        )
    jobs = web.services.backtests
    jobs._limits = jobs._limits._replace(memory=8 << 20)
    rule = {**RULE, "event": ["wide", "checkout_failed"]}
    found = await ended(client, await client.post("/api/v1/backtests", json={"rule": rule, **DAY}))
    assert found["state"] == "failed"
    assert "memory; name a shorter time" in found["problem"]["errors"][0]["message"]


async def test_results_are_forgotten_after_a_week(web: Web, client: httpx.AsyncClient) -> None:
    found = await ended(client, await client.post("/api/v1/backtests", json={"rule": RULE, **DAY}))
    assert await web.desk.housekeeping.sweep_backtests() == 0
    async with web.desk.database.system() as connection:
        await connection.execute(text("UPDATE backtests SET created_at = now() - interval '8 days'"))
    assert await web.desk.housekeeping.sweep_backtests() == 1
    assert (await client.get(f"/api/v1/backtests/{found['id']}")).status_code == 404


async def test_backtests_of_another_organisation_are_not_there(
    web: Web, org: Org, other: Org, client: httpx.AsyncClient
) -> None:
    found = await ended(client, await client.post("/api/v1/backtests", json={"rule": RULE, **DAY}))
    async with web.client(headers=other.headers) as stranger:
        for method, path in (("GET", ""), ("GET", "/firings"), ("DELETE", "")):
            answer = await stranger.request(method, f"/api/v1/backtests/{found['id']}{path}")
            assert answer.status_code == 404


async def test_one_whose_process_is_gone_says_so(web: Web, client: httpx.AsyncClient) -> None:
    found = await ended(client, await client.post("/api/v1/backtests", json={"rule": RULE, **DAY}))
    async with web.desk.database.system() as connection:
        late = "UPDATE backtests SET state = 'running', changed_at = now() - interval '1 minute'"
        await connection.execute(text(late))
    lost = (await client.get(f"/api/v1/backtests/{found['id']}")).json()
    assert (lost["state"], lost["problem"]["status"]) == ("failed", 500)
    assert "ask for it again" in lost["problem"]["detail"]
