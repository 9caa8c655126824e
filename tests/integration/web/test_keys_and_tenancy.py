"""API keys over HTTP; and that one organisation's things do not exist for another."""

from __future__ import annotations

from uuid import uuid4

import httpx
import pytest

from signaldesk.web.routes import API
from tests.support import rows
from tests.support.web import Org, Web, paged


async def test_a_key_is_made_shown_once_listed_and_revoked(web: Web, client: httpx.AsyncClient) -> None:
    made = await client.post("/api/v1/api-keys", json={"name": "shop", "scopes": ["events:write"]})
    assert made.status_code == 201
    key = made.json()
    listed = (await client.get("/api/v1/api-keys")).json()["items"]
    assert key["key"] not in str(listed)
    assert {item["name"] for item in listed} == {"shop", ""}
    async with web.client(headers={"Authorization": f"Bearer {key['key']}"}) as shop:
        assert (await shop.get("/api/v1/me")).json()["scopes"] == ["events:write"]
        refused = await shop.get("/api/v1/rules")
        assert refused.status_code == 403 and "rules:read" in refused.json()["detail"]
        assert (await client.delete(made.headers["Location"])).status_code == 204
        assert (await shop.get("/api/v1/me")).status_code in (200, 401)  # within a second, see the accounts


async def test_keys_come_in_pages_and_by_state(client: httpx.AsyncClient) -> None:
    path = "/api/v1/api-keys"
    for name in "abc":
        made = await client.post(path, json={"name": name, "scopes": ["events:write"]})
    await client.delete(made.headers["Location"])
    assert [one["name"] for one in await paged(client, path, limit=2)] == ["c", "b", "a", ""]
    for state, names in (("revoked", ["c"]), ("active", ["b", "a", ""]), ("expired", [])):
        found = (await client.get(path, params={"state": state})).json()["items"]
        assert [one["name"] for one in found] == names


async def test_what_a_key_did_names_the_key(web: Web, client: httpx.AsyncClient, org: Org) -> None:
    hints = [one["hint"] for one in (await client.get("/api/v1/api-keys")).json()["items"]]
    made = await client.post("/api/v1/api-keys", json={"name": "terraform", "scopes": ["*"]})
    alert = await rows.alert(web.services.database, org.id)
    rule = {"name": "a", "event": "y", "when": {"kind": "each"}}
    address = (await client.post("/api/v1/rules", json=rule)).headers["Location"]
    await client.post(f"/api/v1/alerts/{alert}/acknowledge")
    async with web.client(headers={"Authorization": f"Bearer {made.json()['key']}"}) as terraform:
        await terraform.patch(address, json={"severity": "info"})
        await terraform.post(f"/api/v1/alerts/{alert}/resolve")
    versions = (await client.get(f"{address}/versions")).json()["items"]
    entries = (await client.get(f"/api/v1/alerts/{alert}/timeline")).json()["items"]
    first, second = f"API key {hints[0]}…", "API key terraform"
    assert [(one["created_by"], one["author"]) for one in versions] == [(None, second), (None, first)]
    assert [(one["user_id"], one["actor"]) for one in entries] == [(None, first), (None, second)]


async def test_a_key_is_told_whose_it_is(client: httpx.AsyncClient, org: Org) -> None:
    me = (await client.get("/api/v1/me")).json()
    whose = {"id": str(org.id), "slug": org.name.lower(), "name": org.name}
    assert me["org"] == {**whose, "plan": me["org"]["plan"]}
    assert me["email"] is None and me["csrf"] is None


async def test_nobody_gives_away_more_than_they_have(web: Web, client: httpx.AsyncClient) -> None:
    made = await client.post("/api/v1/api-keys", json={"scopes": ["keys:write", "events:write"]})
    async with web.client(headers={"Authorization": f"Bearer {made.json()['key']}"}) as lesser:
        assert (await lesser.post("/api/v1/api-keys", json={"scopes": ["rules:write"]})).status_code == 403
        assert (await lesser.post("/api/v1/api-keys", json={"scopes": ["*"]})).status_code == 403
        assert (await lesser.post("/api/v1/api-keys", json={"scopes": ["events:write"]})).status_code == 201


@pytest.mark.parametrize(
    "body", [{}, {"scopes": []}, {"scopes": "x"}, {"scopes": ["nothing"]}, {"scopes": ["*"], "name": 1},
             {"scopes": ["*"], "expires_at": "2020-01-01T00:00:00Z"},
             {"scopes": ["*"], "expires_at": "2099-01-01T00:00:00"}],
)  # fmt: skip
async def test_a_wrong_key_request_is_422_by_field(
    client: httpx.AsyncClient, body: dict[str, object]
) -> None:
    answer = await client.post("/api/v1/api-keys", json=body)
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"]


BODIES = {
    ("PUT", "rules/{id}"): b'{"name": "r", "event": "e", "when": {"kind": "each"}}',
    ("PATCH", "rules/{id}"): b'{"severity": "error"}',
    ("POST", "rules/{id}/rollback"): b'{"version": 1}',
    ("PUT", "channels/{id}"): b'{"name": "c"}',
    ("POST", "alerts/{id}/snooze"): b'{"grows": true}',
    ("POST", "alerts/{id}/assign"): b'{"to": null}',
    ("POST", "alerts/{id}/comment"): b'{"text": "mine"}',
    ("PUT", "silences/{id}"): (
        b'{"matchers": [{"name": "severity", "value": "critical"}], "ends_at": "2099-01-01T00:00:00Z"}'
    ),
}
QUERIES = {"rules/{id}/explain": {"at": "2026-01-31T12:00:00Z"}}
WITH_ID = sorted({(route.method, route.path) for route in API if "{id}" in route.path})


@pytest.mark.parametrize(("method", "path"), WITH_ID)
async def test_a_foreign_thing_is_answered_like_a_missing_one_to_the_byte(
    web: Web, client: httpx.AsyncClient, other: Org, method: str, path: str
) -> None:
    foreign_id = await make_one(web, other, path)
    headers = {"X-Request-ID": "same", "Content-Type": "application/json"}
    name = path.removeprefix("/api/v1/")
    body, params = BODIES.get((method, name), b""), QUERIES.get(name, {})
    path = path.replace("{n}", "1")
    answers = [
        await client.request(
            method, path.replace("{id}", wanted), headers=headers, content=body, params=params
        )
        for wanted in (str(foreign_id), str(uuid4()), "not-an-id")
    ]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert len({answer.content for answer in answers}) == 1
    assert len({tuple(sorted(answer.headers.keys())) for answer in answers}) == 1


async def make_one(web: Web, org: Org, path: str) -> object:
    """The id of something of the organisation that the path could name."""
    noun = path.split("/")[3]
    async with web.client(headers=org.headers) as owner:
        if noun == "rules":
            rule = {"name": "theirs", "event": "e", "when": {"kind": "each"}}
            return (await owner.post("/api/v1/rules", json=rule)).json()["id"]
        if noun == "api-keys":
            return (await owner.get("/api/v1/api-keys")).json()["items"][0]["id"]
        if noun == "channels":
            channel = {"name": "theirs", "kind": "in_app", "config": {}}
            return (await owner.post("/api/v1/channels", json=channel)).json()["id"]
        if noun == "silences":
            silence = {
                "matchers": [{"name": "severity", "value": "critical"}],
                "ends_at": "2099-01-01T00:00:00Z",
            }
            return (await owner.post("/api/v1/silences", json=silence)).json()["id"]
        if noun == "labels":
            label = {"name": "theirs", "starts_at": "2026-01-31T12:00Z", "ends_at": "2026-01-31T13:00Z"}
            return (await owner.post("/api/v1/labels", json=label)).json()["id"]
    from tests.support import rows

    return await getattr(rows, noun.replace("-", "_").rstrip("s"))(web.services.database, org.id)
