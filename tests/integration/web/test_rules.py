"""Rules over HTTP: changed by several hands, validated, rolled back, listed, paused by label, tried out."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.sharing import shared_loop
from tests.support.web import Org, Web, paged

RULE: dict[str, Any] = {
    "name": "Checkout failures",
    "event": "checkout_failed",
    "by": "country",
    "when": {"kind": "count", "at_least": 3, "within": "60s"},
    "labels": {"team": "payments", "tier": "1"},
}


async def make(client: httpx.AsyncClient, **changed: Any) -> str:
    """The address of a new rule."""
    made = await client.post("/api/v1/rules", json={**RULE, **changed})
    assert made.status_code == 201, made.text
    return str(made.headers["Location"])


async def found(client: httpx.AsyncClient, **params: Any) -> list[str]:
    """Names of the listed rules."""
    answer = await client.get("/api/v1/rules", params=params)
    assert answer.status_code == 200, answer.text
    return [rule["name"] for rule in answer.json()["items"]]


# --- changing ------------------------------------------------------------------------------------------


async def test_a_patch_changes_what_it_names_and_takes_away_what_is_null(client: httpx.AsyncClient) -> None:
    address = await make(client)
    patch = {"when": {"at_least": 5}, "labels": {"tier": None}, "by": None, "severity": "error"}
    headers = {"Content-Type": "application/merge-patch+json"}
    changed = await client.patch(address, json=patch, headers=headers)
    assert changed.status_code == 200, changed.text
    assert changed.json()["rule"] == {
        "name": "Checkout failures",
        "event": "checkout_failed",
        "when": {"kind": "count", "at_least": 5, "within": "1m"},
        "severity": "error",
        "labels": {"team": "payments"},
    }
    assert (changed.json()["version"], changed.json()["since_version"]) == (2, 2)
    assert (await client.patch(address, json={"severity": "error"})).json() == changed.json()


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"severity": "crit"}, "severity"),
        ({"event": None}, "event"),
        ({"when": {"kind": "each"}}, "when.at_least"),
    ],
)
async def test_a_patch_that_makes_no_rule_is_refused_by_field(
    client: httpx.AsyncClient, patch: dict[str, Any], field: str
) -> None:
    answer = await client.patch(await make(client), json=patch)
    assert answer.status_code == 422 and field in {fault["field"] for fault in answer.json()["errors"]}


async def test_a_patch_is_an_object_of_a_type_that_says_so(client: httpx.AsyncClient) -> None:
    address = await make(client)
    assert (await client.patch(address, json=[1])).status_code == 422
    headers = {"Content-Type": "text/plain"}
    assert (await client.patch(address, content=b"{}", headers=headers)).status_code == 415
    put = await client.put(address, json=RULE, headers={"Content-Type": "application/merge-patch+json"})
    assert put.status_code == 415


async def test_of_two_who_change_a_rule_at_once_the_second_hears_of_the_first(
    client: httpx.AsyncClient,
) -> None:
    address = await make(client)
    seen = (await client.get(address)).headers["ETag"]
    assert seen == '"1"'
    mine = {"If-Match": seen}
    first = await client.put(address, json={**RULE, "severity": "error"}, headers=mine)
    assert (first.status_code, first.headers["ETag"]) == (200, '"2"')
    for method, path, body in (
        ("PUT", address, RULE),
        ("PATCH", address, {"severity": "info"}),
        ("POST", f"{address}/rollback", {"version": 1}),
        ("DELETE", address, None),
    ):
        late = await client.request(method, path, json=body, headers=mine)
        assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
        assert "version 2 now" in late.json()["detail"]
    for match in ('"7", "2"', "*"):
        kept = await client.patch(address, json={"severity": "error"}, headers={"If-Match": match})
        assert kept.status_code == 200
    weak = await client.patch(address, json={"severity": "info"}, headers={"If-Match": 'W/"2"'})
    assert weak.status_code == 412
    assert (await client.get(address)).json()["version"] == 2


async def test_a_reader_who_has_the_newest_version_is_told_so(client: httpx.AsyncClient) -> None:
    address = await make(client)
    same = await client.get(address, headers={"If-None-Match": '"1"'})
    assert (same.status_code, same.content) == (304, b"")
    await client.patch(address, json={"severity": "info"})
    assert (await client.get(address, headers={"If-None-Match": '"1"'})).json()["version"] == 2


async def test_validating_says_what_saving_would_come_to(client: httpx.AsyncClient) -> None:
    notified = {**RULE, "notify": "email:a@b.test"}
    new = await client.post("/api/v1/rules/validate", json=notified)
    assert new.json() == {
        "change": "created",
        "version": 1,
        "rule": {
            **RULE,
            "when": {"kind": "count", "at_least": 3, "within": "1m"},
            "notify": "email:a@b.test",
        },
        "condition": "3 or more in 60 s",
        "fields": [],
        "begins_anew": False,
    }
    assert await found(client) == [] and (await client.get("/api/v1/channels")).json()["items"] == []
    address = await make(client)
    changed = {**RULE, "when": {**RULE["when"], "at_least": 4}}
    updated = (await client.post("/api/v1/rules/validate", json=changed)).json()
    assert updated["fields"] == [{"field": "when.at_least", "before": 3, "after": 4}]
    assert (updated["change"], updated["version"], updated["begins_anew"]) == ("updated", 2, True)
    same = (await client.post("/api/v1/rules/validate", json=RULE)).json()
    assert (same["change"], same["version"]) == ("unchanged", 1)
    assert (await client.get(address)).json()["version"] == 1


async def test_validating_names_every_fault_at_once(client: httpx.AsyncClient) -> None:
    wrong = {**RULE, "severity": "crit", "notify": ["ops"], "where": "lenght(a) > 1", "coldown": "5m"}
    answers = [await client.post(f"/api/v1/rules{path}", json=wrong) for path in ("", "/validate")]
    for answer in answers:
        assert answer.status_code == 422
        told = {fault["field"]: fault["message"] for fault in answer.json()["errors"]}
        assert set(told) == {"severity", "notify.0", "where", "coldown"}
        assert "critical" in told["severity"] and "`cooldown`" in told["coldown"]
        assert "lenght" in told["where"]


# --- versions ------------------------------------------------------------------------------------------


async def test_going_back_makes_a_new_version_that_equals_the_old_one(client: httpx.AsyncClient) -> None:
    address = await make(client)
    first = (await client.get(address)).json()
    await client.patch(address, json={"severity": "error"})
    await client.patch(address, json={"when": {"at_least": 9}, "name": "Renamed"})
    back = await client.post(f"{address}/rollback", json={"version": 1})
    assert (back.status_code, back.headers["ETag"]) == (200, '"4"')
    assert back.json()["rule"] == first["rule"] and back.json()["fingerprint"] == first["fingerprint"]
    assert back.json()["since_version"] == 4
    one = (await client.get(f"{address}/versions/3")).json()
    assert one["rule"]["name"] == "Renamed"
    assert one["changes"] == [
        {"field": "name", "before": "Checkout failures", "after": "Renamed"},
        {"field": "when.at_least", "before": 3, "after": 9},
    ]
    assert (await client.get(f"{address}/versions/1")).json()["changes"] == []
    again = await client.post(f"{address}/rollback", json={"version": 4})
    assert again.json()["version"] == 4


async def test_versions_come_in_pages_newest_first(client: httpx.AsyncClient) -> None:
    address = await make(client)
    for number in range(2, 8):
        await client.patch(address, json={"description": f"the {number}th"})
    seen = [version["version"] for version in await paged(client, f"{address}/versions", limit=3)]
    assert seen == [7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("number", ["0", "9", "x", "-1", "99999999999", "1e0", "%31%31"])
async def test_a_version_that_is_not_there_is_missing(client: httpx.AsyncClient, number: str) -> None:
    assert (await client.get(f"{await make(client)}/versions/{number}")).status_code == 404


@pytest.mark.parametrize("version", [7, 2**31, 10**18, 0, -1, "1", 1.5, None])
async def test_going_back_to_no_version_is_refused(client: httpx.AsyncClient, version: Any) -> None:
    answer = await client.post(f"{await make(client)}/rollback", json={"version": version})
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "version"


async def test_going_back_to_a_channel_that_is_gone_is_refused(client: httpx.AsyncClient) -> None:
    channel = await client.post("/api/v1/channels", json={"name": "ops", "kind": "in_app", "config": {}})
    address = await make(client, notify="ops")
    await client.patch(address, json={"notify": None})
    assert (await client.delete(channel.headers["Location"])).status_code == 204
    answer = await client.post(f"{address}/rollback", json={"version": 1})
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "notify.0"


# --- many at once --------------------------------------------------------------------------------------


@shared_loop
async def three(client: httpx.AsyncClient) -> list[str]:
    """Addresses of rules B, a and C."""
    each, sure = {"kind": "each"}, "100% sure"
    return [
        await make(client, name="B", labels={"team": "payments"}, mode="shadow", severity="critical"),
        await make(client, name="a", labels={"team": "payments", "x": ""}, when=each, description=sure),
        await make(client, name="C", labels={}, event=["refund_issued", "b_b"], when=each, mode="paused"),
    ]


@pytest.mark.usefixtures("three")
async def test_rules_are_found_by_label_mode_severity_kind_and_text(client: httpx.AsyncClient) -> None:
    assert await found(client, label="team=payments") == ["B", "a"]
    assert await found(client, label=["team=payments", "x"]) == ["a"]
    assert await found(client, label="x=") == ["a"] and await found(client, label="team=") == []
    assert await found(client, mode="live") == ["a"] and await found(client, mode="live,paused") == ["C", "a"]
    assert await found(client, severity="critical") == ["B"]
    assert await found(client, severity="warning") == ["C", "a"]
    assert await found(client, kind="each", mode="live,shadow") == ["a"]
    assert await found(client, q="REFUND") == ["C"] and await found(client, q="100% S") == ["a"]
    assert await found(client, q="b_b") == ["C"]
    for wrong in ({"mode": "off"}, {"label": "=x"}, {"kind": "gone"}, {"severity": ""}):
        answer = await client.get("/api/v1/rules", params=wrong)
        assert answer.status_code == 422 and answer.json()["errors"][0]["field"] in wrong


@pytest.mark.usefixtures("three")
async def test_rules_come_in_pages_by_name(client: httpx.AsyncClient) -> None:
    seen = [rule["name"] for rule in await paged(client, "/api/v1/rules", limit=1)]
    assert seen == await found(client) and len(seen) == 3


async def test_rules_are_paused_by_label_and_resume_as_they_were(
    client: httpx.AsyncClient, three: list[str]
) -> None:
    async def modes() -> dict[str, str]:
        rules = (await client.get("/api/v1/rules")).json()["items"]
        return {rule["name"]: rule["rule"].get("mode", "live") for rule in rules}

    async def bulk(**body: Any) -> dict[str, tuple[str, int]]:
        answer = await client.post("/api/v1/rules/bulk", json=body)
        assert answer.status_code == 200, answer.text
        return {one["name"]: (one["change"], one["version"]) for one in answer.json()["items"]}

    before, payments = await modes(), {"team": "payments"}
    assert await bulk(action="pause", labels=payments) == {"a": ("updated", 2), "B": ("updated", 2)}
    assert set((await modes()).values()) == {"paused"}
    assert await bulk(action="pause", labels=payments) == {"a": ("unchanged", 2), "B": ("unchanged", 2)}
    assert await bulk(action="resume", labels=payments) == {"a": ("updated", 3), "B": ("updated", 3)}
    assert await modes() == before
    ids = [address.rpartition("/")[2] for address in three]
    assert await bulk(action="pause", ids=ids[:1]) == {"B": ("updated", 4)}
    assert await bulk(action="resume", ids=ids[2:]) == {"C": ("updated", 2)}
    assert await bulk(action="pause", labels={"team": "nobody"}) == {}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "pause"}, "labels"),
        ({"action": "stop", "labels": {"a": "b"}}, "action"),
        ({"action": "pause", "ids": [str(uuid4())]}, "ids"),
        ({"action": "pause", "ids": ["x"]}, "ids.0"),
    ],
)
async def test_many_rules_are_not_paused_by_accident(
    client: httpx.AsyncClient, three: list[str], body: dict[str, Any], field: str
) -> None:
    answer = await client.post("/api/v1/rules/bulk", json=body)
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == field


async def test_a_strangers_rule_cannot_be_paused(web: Web, client: httpx.AsyncClient, other: Org) -> None:
    async with web.client(headers=other.headers) as owner:
        theirs = await make(owner)
        body = {"action": "pause", "ids": [theirs.rpartition("/")[2]]}
        assert (await client.post("/api/v1/rules/bulk", json=body)).status_code == 422
        mine = await client.post("/api/v1/rules/bulk", json={"action": "pause", "labels": RULE["labels"]})
        assert mine.json() == {"items": []}
        assert (await owner.get(theirs)).json()["version"] == 1


# --- trying out ----------------------------------------------------------------------------------------


async def test_a_test_notification_goes_to_every_channel_and_says_what_came_back(
    web: Web, client: httpx.AsyncClient, org: Org
) -> None:
    await client.post("/api/v1/channels", json={"name": "page", "kind": "in_app", "config": {}})
    private = {"name": "hook", "kind": "webhook", "config": {"url": "https://127.0.0.1:1/x"}}
    await client.post("/api/v1/channels", json=private)
    heard: list[Any] = []
    web.services.hub.watch(org.id, heard.extend)
    address = await make(client, notify=["page", "hook"])
    answer = await client.post(f"{address}/test-notification")
    assert answer.status_code == 200, answer.text
    told = {one["channel"]: (one["kind"], one["delivered"]) for one in answer.json()["items"]}
    assert told == {"page": ("in_app", True), "hook": ("webhook", False)}
    assert (await client.get("/api/v1/alerts")).json()["items"] == []


async def test_a_rule_that_notifies_nobody_cannot_be_tried(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{await make(client)}/test-notification")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "notify" in answer.json()["detail"]


async def test_parts_that_are_missing_are_named_whatever_else_is_wrong(client: httpx.AsyncClient) -> None:
    await make(client)
    when = {"kind": "composite", "all": ["Checkuot", 5], "any": RULE["name"], "within": "soon"}
    whole = {"name": "whole", "severity": "loud", "when": when}
    answer = await client.post("/api/v1/rules", json=whole)
    faults = {one["field"]: one["message"] for one in answer.json()["errors"]}
    assert set(faults) == {"severity", "when.within", "when.all.0", "when.all.1", "when.any.0"}
    assert "there is no rule 'Checkuot'" in faults["when.all.0"]
    assert "groups by country" in faults["when.any.0"]
