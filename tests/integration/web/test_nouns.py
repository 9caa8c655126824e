"""What the API does with rules, channels, alerts, events and notifications: the plain, good cases."""

from __future__ import annotations

from datetime import timedelta

import httpx
import orjson
import pytest

from signaldesk.stream.events import PARTITIONS
from signaldesk.web.api import events as api_events
from tests.support import rows
from tests.support.tenants import put_notifications
from tests.support.web import Org, Web, paged

RULE = {
    "name": "Checkout failures by country",
    "event": "checkout_failed",
    "by": "country",
    "when": {"kind": "count", "at_least": 3, "within": "60s"},
    "severity": "critical",
}


async def test_a_rule_is_made_read_changed_and_deleted(client: httpx.AsyncClient) -> None:
    made = await client.post("/api/v1/rules", json=RULE)
    assert made.status_code == 201
    rule = made.json()
    assert (rule["name"], rule["version"], rule["rule"]["by"]) == (RULE["name"], 1, "country")
    assert (await client.get(made.headers["Location"])).json() == rule
    assert (await client.get("/api/v1/rules")).json() == {"items": [rule], "next": None}
    changed = await client.put(made.headers["Location"], json={**rule["rule"], "severity": "error"})
    assert (changed.json()["version"], changed.json()["fingerprint"]) == (2, rule["fingerprint"])
    versions = (await client.get(made.headers["Location"] + "/versions")).json()["items"]
    assert [version["version"] for version in versions] == [2, 1]
    assert (await client.post("/api/v1/rules", json=RULE)).status_code == 409
    assert (await client.delete(made.headers["Location"])).status_code == 204
    assert (await client.get(made.headers["Location"])).status_code == 404


async def test_every_fault_of_a_rule_is_named(client: httpx.AsyncClient) -> None:
    wrong = {"name": "", "event": "e", "when": {"kind": "count", "at_leest": 3}, "wheer": "x"}
    answer = await client.post("/api/v1/rules", json=wrong)
    assert answer.status_code == 422
    fields = {fault["field"] for fault in answer.json()["errors"]}
    assert {"name", "wheer", "when.at_leest"} <= fields


async def test_a_channel_shows_its_secret_once_and_never_again(client: httpx.AsyncClient) -> None:
    hook = {"name": "ops", "kind": "webhook", "config": {"url": "https://hooks.test/x"}}
    made = await client.post("/api/v1/channels", json=hook)
    assert made.status_code == 201
    secret = made.json()["once"]["secret"]
    assert secret.startswith("whsec_")
    again = await client.get(made.headers["Location"])
    assert secret not in again.text and again.json()["name"] == "ops"
    off = await client.put(made.headers["Location"], json={"enabled": False})
    assert off.json()["enabled"] is False
    assert (await client.put(made.headers["Location"], json={"kind": "slack"})).status_code == 422
    rotated = await client.post(made.headers["Location"] + "/rotate-secret")
    assert rotated.json()["once"]["secret"] != secret
    assert (await client.delete(made.headers["Location"])).status_code == 204


async def test_testing_a_channel_says_what_came_back(client: httpx.AsyncClient) -> None:
    made = await client.post("/api/v1/channels", json={"name": "page", "kind": "in_app", "config": {}})
    tried = await client.post(made.headers["Location"] + "/test")
    assert tried.status_code == 200 and tried.json()["delivered"] is True
    private = {"name": "hook", "kind": "webhook", "config": {"url": "https://127.0.0.1:1/x"}}
    made = await client.post("/api/v1/channels", json=private)
    refused = await client.post(made.headers["Location"] + "/test")
    assert refused.json()["delivered"] is False and refused.json()["error"]


async def test_an_alert_is_acknowledged_then_resolved_and_pages_hear_of_it(
    web: Web, client: httpx.AsyncClient, org: Org
) -> None:
    alert_id = await rows.alert(web.services.database, org.id, margin=0.01)
    heard: list[object] = []
    web.services.hub.watch(org.id, heard.extend)
    path = f"/api/v1/alerts/{alert_id}"
    shown = (await client.get(path)).json()
    assert (shown["window_seconds"], shown["at_least"], shown["margin"]) == (60, False, 0.01)
    first = await client.post(path + "/acknowledge")
    assert (first.status_code, first.json()["state"]) == (200, "acknowledged")
    assert (await client.post(path + "/acknowledge")).json() == first.json()
    resolved = await client.post(path + "/resolve")
    assert resolved.json()["state"] == "resolved" and resolved.json()["resolved_at"]
    late = await client.post(path + "/acknowledge")
    assert (late.status_code, late.json()["code"]) == (409, "conflict")
    assert (await client.get("/api/v1/alerts")).json()["items"] == []
    done = await client.get("/api/v1/alerts", params={"state": "resolved"})
    assert [alert["id"] for alert in done.json()["items"]] == [str(alert_id)]


async def test_lists_come_in_pages_without_gaps_or_doubles(
    web: Web, client: httpx.AsyncClient, org: Org
) -> None:
    same = rows.now()
    made = {str(await rows.alert(web.services.database, org.id, last_fired_at=same)) for _ in range(5)}
    made |= {
        str(await rows.alert(web.services.database, org.id, last_fired_at=same - timedelta(seconds=i)))
        for i in (1, 2)
    }
    seen = [alert["id"] for alert in await paged(client, "/api/v1/alerts", limit=3)]
    assert len(seen) == 7 and set(seen) == made


async def test_channels_come_in_pages_and_are_found_by_kind_state_and_name(client: httpx.AsyncClient) -> None:
    path = "/api/v1/channels"
    for number in range(5):
        made = await client.post(path, json={"name": f"page {number}", "kind": "in_app", "config": {}})
    await client.put(made.headers["Location"], json={"enabled": False})
    hook = {"name": "100%", "kind": "webhook", "config": {"url": "https://hooks.test/x"}}
    assert (await client.post(path, json=hook)).status_code == 201

    async def names(**wanted: str) -> list[str]:
        return [one["name"] for one in (await client.get(path, params=wanted)).json()["items"]]

    everything = ["100%", *(f"page {number}" for number in range(5))]
    assert [one["name"] for one in await paged(client, path, limit=2)] == everything == await names()
    assert await names(kind="webhook,email") == ["100%"]
    assert await names(enabled="false") == ["page 4"]
    assert await names(enabled="true", q="PAGE", limit="2") == ["page 0", "page 1"]
    assert await names(q="%") == ["100%"]
    for wrong in ({"kind": "pigeon"}, {"enabled": "1"}, {"cursor": "?"}, {"limit": "0"}):
        assert [*wrong] == [one["field"] for one in (await client.get(path, params=wrong)).json()["errors"]]


async def test_event_types_come_in_pages_most_used_first(
    web: Web, client: httpx.AsyncClient, org: Org
) -> None:
    minute, path = rows.now().replace(second=0, microsecond=0), "/api/v1/event-types"
    for name, events in (("b", 3), ("a", 3), ("often", 9), ("seldom", 1), ("a_b", 2)):
        await rows.count_events(web.services.database, org.id, minute, events, type=name)
    seen = [one["type"] for one in await paged(client, path, limit=2)]
    assert seen == ["often", "a", "b", "a_b", "seldom"]
    fitting = (await client.get(path, params={"type": "a*"})).json()["items"]
    assert [one["type"] for one in fitting] == ["a", "a_b"]
    wrong = await client.get(path, params={"cursor": "eHh4"})
    assert [one["field"] for one in wrong.json()["errors"]] == ["cursor"]


async def test_events_go_in_through_the_web_server_as_through_the_lean_one(
    web: Web, client: httpx.AsyncClient, org: Org
) -> None:
    one = await client.post("/api/v1/events", json={"type": "checkout_failed", "payload": {"country": "DE"}})
    assert (one.status_code, one.json()["accepted"]) == (202, 1)
    mixed = await client.post("/api/v1/events", json=[{"type": "a"}, {"typ": "b"}])
    assert (mixed.status_code, mixed.json()["accepted"]) == (202, 1)
    assert mixed.json()["rejected"][0]["index"] == 1
    wrong = await client.post("/api/v1/events", json=[{"typ": "b"}])
    assert wrong.status_code == 422 and wrong.json()["rejected"]
    lines = await client.post(
        "/api/v1/events",
        content=b'{"type":"a"}\n{"type":"b"}\n',
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert lines.json()["accepted"] == 2
    large = b"[" + b",".join([b'{"type":"a","payload":{"x":"%s"}}' % (b"x" * 1000)] * 2000) + b"]"
    headers = {"Content-Type": "application/json"}
    assert (await client.post("/api/v1/events", content=large, headers=headers)).status_code == 202
    over = await client.post("/api/v1/events", content=b" " * (9 << 20), headers=headers)
    assert over.status_code == 413
    partition = org.founded.org_id.int % PARTITIONS
    assert await web.desk.redis.xlen(f"sd:{{p{partition}}}:events") >= 4


async def test_stored_events_are_read_by_type_time_and_id(
    web: Web, client: httpx.AsyncClient, org: Org
) -> None:
    database, now = web.services.database, rows.now()
    newest = await rows.event(database, org.id, type="checkout_failed", timestamp=now)
    older = await rows.event(database, org.id, type="checkout_done", timestamp=now - timedelta(minutes=5))
    await rows.event(database, org.id, type="search", timestamp=now - timedelta(minutes=9))

    async def found(**params: str) -> list[str]:
        answer = await client.get("/api/v1/events", params=params)
        assert answer.status_code == 200, answer.text
        return [event["id"] for event in answer.json()["items"]]

    assert await found(type="checkout_*") == [str(newest), str(older)]
    assert await found(type="checkout_failed") == [str(newest)]
    assert await found(to=(now - timedelta(minutes=1)).isoformat(), limit="1") == [str(older)]
    assert len(await found(**{"from": (now - timedelta(minutes=6)).isoformat()})) == 2
    assert (await client.get(f"/api/v1/events/{newest}")).json()["payload"] == {"country": "DE"}
    no_zone = await client.get("/api/v1/events", params={"from": "2026-01-01T00:00:00"})
    assert no_zone.status_code == 422


async def test_events_are_read_by_a_filter_page_by_page(
    web: Web, client: httpx.AsyncClient, org: Org, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_events, "LOOKED_AT", 4)
    monkeypatch.setattr(api_events, "_STEP", 2)
    database, now = web.services.database, rows.now()
    amounts = [5, 30, 30, 1, 1, 1, 1, 1, 1, 1, 30]
    sent = [
        await rows.event(database, org.id, timestamp=now - timedelta(seconds=ago), payload={"amount": amount})
        for ago, amount in enumerate(amounts)
    ]

    async def page(**params: str) -> tuple[list[str], str | None]:
        answer = await client.get("/api/v1/events", params={"where": "amount > 20", **params})
        assert answer.status_code == 200, answer.text
        return [event["id"] for event in answer.json()["items"]], answer.json()["next"]

    first, more = await page(limit="1")
    assert first == [str(sent[1])] and more
    second, more = await page(limit="1", cursor=more)
    assert second == [str(sent[2])] and more  # as far as one request looks
    third, more = await page(limit="5", cursor=more)
    assert third == [] and more
    last, more = await page(limit="5", cursor=more)
    assert last == [str(sent[10])] and more is None

    wrong = await client.get("/api/v1/events", params={"where": "lenght(country) > 1"})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["field"] == "where"
    assert "did you mean" in wrong.json()["errors"][0]["message"]


async def test_event_types_are_counted(web: Web, client: httpx.AsyncClient, org: Org) -> None:
    minute = rows.now().replace(second=0, microsecond=0)
    await rows.count_events(web.services.database, org.id, minute, 5, 2)
    await rows.count_events(web.services.database, org.id, minute - timedelta(minutes=1), 7, 0)
    (only,) = (await client.get("/api/v1/event-types")).json()["items"]
    assert (only["type"], only["events"], only["matched"]) == ("checkout_failed", 12, 2)


async def test_a_notification_shows_its_message_and_attempts(
    web: Web, client: httpx.AsyncClient, org: Org
) -> None:
    made = await client.post("/api/v1/channels", json={"name": "page", "kind": "in_app", "config": {}})
    (sent_id,) = await put_notifications(web.services.database, org.id, made.json()["id"])
    (listed,) = (await client.get("/api/v1/notifications")).json()["items"]
    assert (listed["id"], listed["status"], listed["channel"]) == (str(sent_id), "pending", "page")
    one = (await client.get(f"/api/v1/notifications/{sent_id}")).json()
    assert one["tries"] == [] and one["message"]["title"] == listed["title"]
    none = await client.get("/api/v1/notifications", params={"status": "failed,sent"})
    assert none.json()["items"] == []
    later = (rows.now() + timedelta(minutes=1)).isoformat()
    for wanted, times in (({"to": later}, 1), ({"from": later}, 0)):
        found = (await client.get("/api/v1/notifications", params=wanted)).json()["items"]
        assert len(found) == times


async def test_answers_keep_to_their_description(client: httpx.AsyncClient) -> None:
    described = (await client.get("/api/v1/openapi.json")).json()
    assert described["openapi"].startswith("3.1")
    rule = (await client.post("/api/v1/rules", json=RULE)).json()
    schema = described["components"]["schemas"]["RuleOut"]
    assert set(schema["required"]) == set(rule)
    assert orjson.dumps(described)
