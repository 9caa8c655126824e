"""What people do with alerts through the API, and the silences that keep them quiet."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import insert

from signaldesk.store import tables as t
from tests.support import rows
from tests.support.web import Org, Web, paged


async def change(client: httpx.AsyncClient, alert: Any, what: str, body: Any = None) -> dict[str, Any]:
    answer = await client.post(f"/api/v1/alerts/{alert}/{what}", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def timeline(client: httpx.AsyncClient, alert: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get(f"/api/v1/alerts/{alert}/timeline")).json()["items"]
    return found


async def test_every_change_is_in_the_timeline_with_who_and_when(
    web: Web, org: Org, client: httpx.AsyncClient
) -> None:
    alert = await rows.alert(web.services.database, org.id)
    until = (rows.now() + timedelta(hours=1)).isoformat()
    assert (await change(client, alert, "acknowledge"))["state"] == "acknowledged"
    assert (await change(client, alert, "snooze", {"until": until}))["state"] == "snoozed"
    awake = await change(client, alert, "unsnooze")
    assert (awake["state"], awake["acknowledged_at"]) == ("open", None)
    me = str(org.founded.user_id)
    assert (await change(client, alert, "assign", {"to": me}))["assigned_to"] == me
    await change(client, alert, "comment", {"text": "looking into it"})
    over = await change(client, alert, "resolve")
    assert (over["state"], over["resolved_reason"]) == ("resolved", "person")
    again = await change(client, alert, "reopen")
    assert (again["state"], again["resolved_at"], again["resolved_reason"]) == ("open", None, None)
    entries = await timeline(client, alert)
    assert [entry["kind"] for entry in entries] == [
        *("acknowledged", "snoozed", "woke", "assigned", "commented", "resolved", "reopened")
    ]
    assert all(entry["actor"] for entry in entries)
    assert entries[4]["detail"] == {"text": "looking into it"}


async def test_what_happened_at_one_moment_is_told_in_the_order_in_which_it_did(
    web: Web, org: Org, client: httpx.AsyncClient
) -> None:
    alert, at = await rows.alert(web.services.database, org.id), rows.now()
    kinds = ["opened", "flapping", "fired", "storm"]
    async with web.services.database.system() as connection:
        for number, kind in enumerate(kinds):
            await connection.execute(
                insert(t.alert_changes).values(
                    id=UUID(int=number), org_id=org.id, alert_id=alert, kind=kind, at=at, until=at, actor="",
                    detail={},
                )
            )  # fmt: skip
    assert [entry["kind"] for entry in await timeline(client, alert)] == kinds
    path = f"/api/v1/alerts/{alert}/timeline"
    assert [entry["kind"] for entry in await paged(client, path, limit=3)] == kinds
    some = await client.get(path, params={"kind": "storm,opened"})
    assert [entry["kind"] for entry in some.json()["items"]] == ["opened", "storm"]
    assert (await client.get(path, params={"kind": "weather"})).status_code == 422


async def test_what_changes_nothing_leaves_no_trace(web: Web, org: Org, client: httpx.AsyncClient) -> None:
    alert = await rows.alert(web.services.database, org.id)
    for what in ("reopen", "unsnooze", "acknowledge", "acknowledge", "resolve", "resolve"):
        await change(client, alert, what)
    assert [entry["kind"] for entry in await timeline(client, alert)] == ["acknowledged", "resolved"]


async def test_a_resolved_alert_can_only_be_reopened(web: Web, org: Org, client: httpx.AsyncClient) -> None:
    alert = await rows.alert(web.services.database, org.id, state="resolved")
    for what, body in (("acknowledge", None), ("snooze", {"grows": True})):
        answer = await client.post(f"/api/v1/alerts/{alert}/{what}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_an_alert_is_not_reopened_beside_another_one_of_its_group(
    web: Web, org: Org, client: httpx.AsyncClient
) -> None:
    rule = await rows.rule(web.services.database, org.id)
    same: dict[str, Any] = {"rule_id": rule, "group_key": "DE"}
    old = await rows.alert(web.services.database, org.id, state="resolved", **same)
    await rows.alert(web.services.database, org.id, **same)
    answer = await client.post(f"/api/v1/alerts/{old}/reopen")
    assert answer.status_code == 409 and "another alert" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("what", "body", "field"),
    [
        ("snooze", {}, ""),
        ("snooze", {"until": "2001-01-01T00:00:00Z"}, "until"),
        ("snooze", {"until": "2101-01-01T00:00:00"}, "until"),
        ("snooze", {"grows": True, "firings": 3}, ""),
        ("snooze", {"firings": 0}, "firings"),
        ("comment", {"text": ""}, "text"),
        ("assign", {}, "to"),
        ("assign", {"to": str(uuid4())}, "to"),
    ],
)
async def test_bad_input_is_named(
    web: Web, org: Org, client: httpx.AsyncClient, what: str, body: Any, field: str
) -> None:
    alert = await rows.alert(web.services.database, org.id)
    answer = await client.post(f"/api/v1/alerts/{alert}/{what}", json=body)
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]


async def test_what_is_anothers_is_missing(web: Web, other: Org, client: httpx.AsyncClient) -> None:
    foreign, nowhere = await rows.alert(web.services.database, other.id), uuid4()
    for what in ("acknowledge", "resolve", "reopen", "unsnooze"):
        answers = [await client.post(f"/api/v1/alerts/{id_}/{what}") for id_ in (foreign, nowhere)]
        assert {answer.status_code for answer in answers} == {404}
    for id_ in (foreign, nowhere):
        assert (await client.get(f"/api/v1/alerts/{id_}/timeline")).status_code == 404


async def test_many_alerts_are_changed_at_once(
    web: Web, org: Org, other: Org, client: httpx.AsyncClient
) -> None:
    mine = [str(await rows.alert(web.services.database, org.id)) for _ in range(2)]
    theirs = str(await rows.alert(web.services.database, other.id))
    done = await client.post(
        "/api/v1/alerts/bulk", json={"action": "acknowledge", "ids": [*mine, theirs, mine[0]]}
    )
    assert [alert["id"] for alert in done.json()["items"]] == mine
    assert [(one["id"], one["code"]) for one in done.json()["failed"]] == [(theirs, "not_found")]


async def test_alerts_are_filtered(web: Web, org: Org, client: httpx.AsyncClient) -> None:
    database, me = web.services.database, org.founded.user_id
    slow = await rows.alert(database, org.id, title="Slow search", severity="warning", labels={"team": "web"})
    mine = await rows.alert(database, org.id, assigned_to=me, group={"country": "FR"})

    async def found(query: str) -> list[str]:
        answer = await client.get(f"/api/v1/alerts?{query}")
        assert answer.status_code == 200, answer.text
        return [alert["id"] for alert in answer.json()["items"]]

    assert await found("severity=warning") == [str(slow)]
    assert await found("label=team=web") == await found("label=team") == await found("q=slow") == [str(slow)]
    assert await found(f"assignee={me}") == await found("q=FR") == [str(mine)]
    assert await found("assignee=nobody") == [str(slow)]
    assert await found("field=country=FR") == [str(mine)] and await found("field=plan") == []
    assert await found("to=2001-01-01T00:00:00Z") == []


MATCHERS = [{"name": "severity", "value": "critical"}, {"name": "country", "operator": "=~", "value": "D."}]


async def test_a_silence_is_made_changed_ended_and_deleted(client: httpx.AsyncClient) -> None:
    ends = (rows.now() + timedelta(hours=1)).isoformat()
    made = await client.post("/api/v1/silences", json={"matchers": MATCHERS, "ends_at": ends, "comment": "x"})
    assert made.status_code == 201, made.text
    address, silence = made.headers["Location"], made.json()
    assert (silence["state"], silence["matchers"][0]["operator"]) == ("active", "=")
    assert (await client.get("/api/v1/silences")).json()["items"] == [silence]
    for kind, found in (("silence", [silence]), ("maintenance", [])):
        assert (await client.get("/api/v1/silences", params={"kind": kind})).json()["items"] == found
    changed = await client.put(address, json={"kind": "maintenance", "matchers": MATCHERS, "ends_at": ends})
    assert (changed.json()["kind"], changed.json()["starts_at"]) == ("maintenance", silence["starts_at"])
    assert (await client.post(f"{address}/expire")).json()["state"] == "expired"
    assert (await client.post(f"{address}/expire")).status_code == 409
    assert (await client.get("/api/v1/silences")).json()["items"] == []
    assert len((await client.get("/api/v1/silences?state=expired")).json()["items"]) == 1
    assert (await client.delete(address)).status_code == 204
    assert (await client.get(address)).status_code == 404


NIGHT = {"days": "mon-fri", "from": "23:30", "to": "01:00", "timezone": "Europe/Berlin"}


async def test_a_maintenance_window_comes_again_without_an_end(client: httpx.AsyncClient) -> None:
    made = await client.post(
        "/api/v1/silences", json={"kind": "maintenance", "matchers": MATCHERS, "hours": NIGHT}
    )
    assert made.status_code == 201, made.text
    window = made.json()
    assert (window["state"], window["ends_at"]) == ("active", None)
    assert window["hours"] == {**NIGHT, "days": ["mon", "tue", "wed", "thu", "fri"]}
    first, last = (datetime.fromisoformat(window[name]) for name in ("holds_from", "holds_until"))
    assert timedelta(0) < last - first <= timedelta(minutes=90) and last > rows.now()
    (listed,) = (await client.get("/api/v1/silences?limit=1")).json()["items"]
    assert listed["id"] == window["id"]
    over = (await client.post(f"{made.headers['Location']}/expire")).json()
    assert (over["state"], over["holds_from"]) == ("expired", None) and over["ends_at"] is not None


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "only one with `hours` can go without"),
        ({"hours": {"timezone": "Berlin"}}, "is no IANA time zone"),
        ({"hours": {"from": "9"}}, "expected a time of day"),
        ({"hours": {"untill": "09:00"}}, "unknown field"),
    ],
)
async def test_hours_that_cannot_be_are_named(
    client: httpx.AsyncClient, more: dict[str, Any], said: str
) -> None:
    answer = await client.post("/api/v1/silences", json={"matchers": MATCHERS, **more})
    assert answer.status_code == 422
    assert said in answer.json()["errors"][0]["message"]


async def test_a_silence_that_would_be_over_at_once_is_refused_unless_it_tells_of_the_past(
    client: httpx.AsyncClient,
) -> None:
    past = {"matchers": MATCHERS, "ends_at": "2026-01-31T12:00:00Z"}
    refused = await client.post("/api/v1/silences", json=past)
    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {"field": "ends_at", "message": "is over already; name a time to come"}
    ]
    told = await client.post("/api/v1/silences", json={**past, "starts_at": "2026-01-31T11:00:00Z"})
    assert (told.status_code, told.json()["state"]) == (201, "expired")


async def test_a_preview_counts_what_matches_now(
    web: Web, org: Org, other: Org, client: httpx.AsyncClient
) -> None:
    database = web.services.database
    german = await rows.alert(database, org.id)
    await rows.alert(database, org.id, group={"country": "FR"})
    await rows.alert(database, org.id, state="resolved")
    await rows.alert(database, other.id)
    found = (await client.post("/api/v1/silences/preview", json={"matchers": MATCHERS})).json()
    assert found["alerts"] == 1 and [one["id"] for one in found["first_alerts"]] == [str(german)]


@pytest.mark.parametrize(
    "matcher", [{"name": "a", "operator": "=~", "value": "("}, {"name": "a", "operator": "~", "value": "b"}]
)
async def test_a_matcher_that_cannot_be_read_is_refused(
    client: httpx.AsyncClient, matcher: dict[str, str]
) -> None:
    answer = await client.post("/api/v1/silences/preview", json={"matchers": [matcher]})
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"].startswith("matchers.0")
