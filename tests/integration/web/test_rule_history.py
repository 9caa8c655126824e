"""How a rule stands and what came of it, as the API tells it from what the engine wrote down."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import insert

from signaldesk.ids import new_id
from signaldesk.store import tables as t
from tests.support import rows
from tests.support.sharing import shared_loop
from tests.support.web import Org, Web, paged

COOLDOWN = timedelta(minutes=5)


@shared_loop
async def rule(client: httpx.AsyncClient) -> UUID:
    body = {
        "name": "Checkout failures",
        "event": "checkout_failed",
        "by": "country",
        "when": {"kind": "count", "at_least": 3, "within": "60s"},
        "cooldown": "5m",
    }
    return UUID((await client.post("/api/v1/rules", json=body)).json()["id"])


def of(country: str) -> dict[str, Any]:
    """Columns of a row of that country's group."""
    return {
        "group": {"country": country},
        "group_key": json.dumps({"country": country}, separators=(",", ":")),
    }


async def items(client: httpx.AsyncClient, path: str, **params: str) -> list[dict[str, Any]]:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_firings_are_listed_newest_first_by_group_time_and_import(
    web: Web, client: httpx.AsyncClient, org: Org, rule: UUID
) -> None:
    database, path = web.services.database, f"/api/v1/rules/{rule}/firings"
    minutes = [
        (await rows.firing(database, org.id, rule, ago=timedelta(minutes=ago), **of(country)), country)
        for ago, country in enumerate(("DE", "FR", "DE"))
    ]
    await rows.firing(database, org.id, rule, lane="january", **of("DE"))
    await rows.firing(database, org.id, await rows.rule(database, org.id), **of("DE"))
    listed = await items(client, path)
    assert [(one["id"], one["group"]["country"]) for one in listed] == [(str(id), of) for id, of in minutes]
    assert (listed[0]["value"], listed[0]["at_least"], listed[0]["replay"]) == (3.0, True, None)
    assert {one["margin"] for one in listed} == {None}
    german = await items(client, path, group='{"country": "DE"}')
    assert [one["id"] for one in german] == [str(minutes[0][0]), str(minutes[2][0])]
    since = (rows.now() - timedelta(seconds=90)).isoformat()
    assert len(await items(client, path, **{"from": since})) == 2
    assert [one["id"] for one in await items(client, path, to=since)] == [str(minutes[2][0])]
    assert [one["replay"] for one in await items(client, path, replay="january")] == ["january"]
    about = await rows.firing(web.services.database, org.id, rule, at_least=False, margin=0.02, **of("SE"))
    (swedish,) = await items(client, path, group='{"country": "SE"}')
    assert (swedish["id"], swedish["at_least"], swedish["margin"]) == (str(about), False, 0.02)
    state = (await client.get(f"/api/v1/rules/{rule}/state")).json()
    assert [one["margin"] for one in state["groups"] if one["group"] == {"country": "SE"}] == [0.02]


async def test_a_firing_without_any_event_names_none(
    web: Web, client: httpx.AsyncClient, org: Org, rule: UUID
) -> None:
    database, none = web.services.database, UUID(int=0)
    alert = await rows.alert(database, org.id, rule_id=rule, event_id=none)
    await rows.firing(database, org.id, rule, alert_id=alert, event_id=none, **of("DE"))
    await rows.suppression(database, org.id, rule, first_event=none, last_event=none, **of("DE"))
    (firing,) = await items(client, f"/api/v1/rules/{rule}/firings")
    (held,) = await items(client, f"/api/v1/rules/{rule}/suppressions")
    (shown,) = await items(client, "/api/v1/alerts")
    found = (firing["event_id"], held["first_event"], held["last_event"], shown["event_id"])
    assert found == (None, None, None, None)


async def test_firings_of_one_moment_come_in_pages_without_gaps_or_doubles(
    web: Web, client: httpx.AsyncClient, org: Org, rule: UUID
) -> None:
    moment = rows.now()
    made = {
        str(await rows.firing(web.services.database, org.id, rule, timestamp=moment, **of(str(number))))
        for number in range(7)
    }
    seen = [one["id"] for one in await paged(client, f"/api/v1/rules/{rule}/firings", limit=3)]
    assert len(seen) == 7 and set(seen) == made


async def test_what_was_held_back_is_listed_by_reason_and_time(
    web: Web, client: httpx.AsyncClient, org: Org, rule: UUID
) -> None:
    database, path, now = web.services.database, f"/api/v1/rules/{rule}/suppressions", rows.now()
    hour = timedelta(hours=1)
    await rows.suppression(database, org.id, rule, since=now - 2 * hour, until=now, count=9, **of("DE"))
    await rows.suppression(
        database, org.id, rule, reason="paused", since=now - 3 * hour, until=now - 3 * hour, **of("FR")
    )
    listed = await items(client, path)
    assert [(one["reason"], one["times"]) for one in listed] == [("cooldown", 9), ("paused", 1)]
    assert [one["reason"] for one in await items(client, path, reason="paused,silence")] == ["paused"]
    assert [one["reason"] for one in await items(client, path, group='{"country":"FR"}')] == ["paused"]
    # Whatever touches the range is in it, also when it began before.
    assert len(await items(client, path, **{"from": (now - hour).isoformat(), "to": now.isoformat()})) == 1
    assert (await client.get(path, params={"reason": "boredom"})).status_code == 422


async def test_the_state_tells_of_every_group_its_firing_alert_and_what_was_held_back(
    web: Web, client: httpx.AsyncClient, org: Org, rule: UUID
) -> None:
    database, now = web.services.database, rows.now()
    await rows.firing(database, org.id, rule, ago=timedelta(hours=1), **of("DE"))
    await rows.firing(database, org.id, rule, timestamp=now, value=5.0, **of("DE"))
    alert = await rows.alert(database, org.id, rule_id=rule, firings=2, **of("DE"))
    await rows.alert(database, org.id, rule_id=rule, state="resolved", **of("DE"))
    await rows.suppression(database, org.id, rule, until=now, count=4, **of("DE"))
    await rows.suppression(database, org.id, rule, reason="paused", **of("FR"))
    await rows.firing(database, org.id, rule, lane="january", **of("US"))
    async with database.system() as connection:
        values = {"org_id": org.id, "rule_id": rule, "position": 1, "late": 17}
        await connection.execute(insert(t.rule_activations).values(**values, since_version=1))
    state = (await client.get(f"/api/v1/rules/{rule}/state")).json()
    german, french = state.pop("groups")
    assert state == {
        "id": str(rule), "version": 1, "since_version": 1, "live_version": None, "late": 17, "next": None,
        "set_aside": None,
        "condition": "3 or more in 60 s", "window_seconds": 60.0,
    }  # fmt: skip
    assert (german["group"], german["value"]) == ({"country": "DE"}, 5.0)
    assert german["last_fired_at"] == _z(now) and german["cooldown_until"] == _z(now + COOLDOWN)
    assert german["held"] == {"reason": "cooldown", "at": _z(now), "times": 4}
    assert (german["alert"]["id"], german["alert"]["firings"]) == (str(alert), 2)
    assert (french["last_fired_at"], french["held"]["reason"], french["alert"]) == (None, "paused", None)
    (american,) = (await client.get(f"/api/v1/rules/{rule}/state?replay=january")).json()["groups"]
    assert american["group"] == {"country": "US"}


async def test_groups_come_in_pages(web: Web, client: httpx.AsyncClient, org: Org, rule: UUID) -> None:
    for number in range(5):
        row = rows.firing if number % 2 else rows.suppression
        await row(web.services.database, org.id, rule, **of(str(number)))
    groups = await paged(client, f"/api/v1/rules/{rule}/state", limit=2, items="groups")
    seen = [one["group"]["country"] for one in groups]
    assert seen == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("group", ["DE", "[]", "{", "1", '{"country":', ""])
async def test_a_group_that_is_no_object_is_refused(
    client: httpx.AsyncClient, rule: UUID, group: str
) -> None:
    answer = await client.get(f"/api/v1/rules/{rule}/firings", params={"group": group})
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "group"


async def test_numbers_of_a_group_are_compared_as_the_engine_does(
    web: Web, client: httpx.AsyncClient, org: Org, rule: UUID
) -> None:
    row: dict[str, Any] = {"group": {"a": 1, "b": None}, "group_key": '{"a":1,"b":null}'}
    await rows.firing(web.services.database, org.id, rule, **row)
    path = f"/api/v1/rules/{rule}/firings"
    assert len(await items(client, path, group='{"b": null, "a": 1.0}')) == 1
    assert await items(client, path, group='{"b": null, "a": true}') == []


async def test_an_unknown_rule_has_no_history(client: httpx.AsyncClient) -> None:
    for what in ("firings", "suppressions", "state", "versions", "versions/1"):
        assert (await client.get(f"/api/v1/rules/{new_id()}/{what}")).status_code == 404


def _z(moment: Any) -> str:
    return str(moment.isoformat()).replace("+00:00", "Z")


async def test_a_moment_is_explained(client: httpx.AsyncClient, rule: UUID) -> None:
    path = f"/api/v1/rules/{rule}/explain"
    asked = {"at": "2026-01-31T14:02:00Z", "group": '{"country": "DE"}'}
    found = (await client.get(path, params=asked)).json()
    assert (found["answer"], found["version"], found["group"]) == ("not_yet", 0, {"country": "DE"})
    assert found["condition"] == "3 or more in 60 s"


async def test_a_moment_that_is_not_named_is_now(client: httpx.AsyncClient, rule: UUID) -> None:
    asked, before = {"group": '{"country": "DE"}'}, rows.now()
    found = (await client.get(f"/api/v1/rules/{rule}/explain", params=asked)).json()
    assert before <= datetime.fromisoformat(found["at"]) <= rows.now()


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"at": "yesterday"}, "at"),
        ({"at": "2026-01-31T14:02:00Z"}, "group"),
        ({"at": "2026-01-31T14:02:00Z", "group": "[1]"}, "group"),
    ],
)
async def test_a_question_that_is_not_whole_says_what_is_missing(
    client: httpx.AsyncClient, rule: UUID, asked: dict[str, str], field: str
) -> None:
    answer = await client.get(f"/api/v1/rules/{rule}/explain", params=asked)
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == [field]
