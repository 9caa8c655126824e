"""Known incidents over HTTP."""

from __future__ import annotations

import asyncio

import httpx

from tests.support.web import Web, paged

STORM = {
    "name": "Storm",
    "starts_at": "2013-02-08T12:00:00Z",
    "ends_at": "2013-02-09T12:00:00Z",
    "group": {"origin": "EWR"},
}
CSV = {"Content-Type": "text/csv"}


async def test_a_label_is_told_read_and_deleted(client: httpx.AsyncClient) -> None:
    made = await client.post("/api/v1/labels", json=STORM)
    assert made.status_code == 201
    label = made.json()
    assert {name: label[name] for name in STORM} == STORM
    assert (await client.get(made.headers["Location"])).json() == label
    assert (await client.delete(made.headers["Location"])).status_code == 204
    assert (await client.get(made.headers["Location"])).status_code == 404


async def test_a_file_is_taken_whole_and_read_back_in_pages(client: httpx.AsyncClient) -> None:
    lines = [f"Day {day},1963-02-{day:02}T00:00Z,1963-02-{day + 1:02}T00:00Z" for day in range(1, 8)]
    text = "\n".join(["name,starts_at,ends_at", *lines])
    answer = await client.post("/api/v1/labels/import", content=text, headers=CSV)
    assert (answer.status_code, answer.json()) == (201, {"imported": 7, "known": 0})
    found = await paged(client, "/api/v1/labels", limit=3)
    assert [one["name"] for one in found] == [f"Day {day}" for day in range(7, 0, -1)]
    overlap = {"from": "1963-02-03T12:00:00Z", "to": "1963-02-05T00:00:00Z"}
    found = (await client.get("/api/v1/labels", params=overlap)).json()["items"]
    assert [one["name"] for one in found] == ["Day 4", "Day 3"]
    asked = {"sql": "SELECT labels.name, ends_at - starts_at FROM labels ORDER BY starts_at LIMIT 1"}
    assert (await client.post("/api/v1/query", json=asked)).json()["rows"] == [["Day 1", "1 day"]]


async def test_an_incident_of_a_file_is_taken_once(client: httpx.AsyncClient) -> None:
    times = "2013-02-08T13:00+01:00,2013-02-09T12:00Z"
    other = ["Storm,2013-02-08T12:00Z,2013-02-09T13:00Z,EWR,", f"Fog,{times},EWR,", f"Storm,{times},JFK,"]
    assert (await client.post("/api/v1/labels", json={**STORM, "group": {"origin": 7}})).status_code == 201
    for lines, answer in (
        ([f"Storm,{times},7,the comment of somebody else", *other], {"imported": 3, "known": 1}),
        ([f"Storm,{times},7,", *other, f"Storm,{times},,", f"Storm,{times},,"], {"imported": 1, "known": 5}),
        (other, {"imported": 0, "known": 3}),
    ):
        text = "\n".join(["name,starts_at,ends_at,group.origin,comment", *lines])
        found = await client.post("/api/v1/labels/import", content=text, headers=CSV)
        assert found.json() == answer
    stored = await paged(client, "/api/v1/labels", limit=3)
    groups = [(one["name"], one["group"].get("origin")) for one in stored]
    assert sorted(map(str, groups)) == sorted(
        map(str, [("Storm", 7), ("Storm", "EWR"), ("Fog", "EWR"), ("Storm", "JFK"), ("Storm", None)])
    )


async def test_one_file_that_comes_twice_at_once_is_taken_once(client: httpx.AsyncClient) -> None:
    text = "name,starts_at,ends_at\nStorm,2013-02-08T12:00Z,2013-02-09T12:00Z\n"
    sent = (client.post("/api/v1/labels/import", content=text, headers=CSV) for _ in range(8))
    assert sum([one.json()["imported"] for one in await asyncio.gather(*sent)]) == 1


async def test_of_a_file_with_faults_nothing_is_taken(
    client: httpx.AsyncClient,
) -> None:
    text = "name,starts_at,ends_at\nStorm,2013-02-08T12:00Z,2013-02-09T12:00Z\nFog,soon,\nRain\n"
    answer = await client.post("/api/v1/labels/import", content=text, headers=CSV)
    assert answer.status_code == 422
    assert [fault["field"] for fault in answer.json()["errors"]] == ["line 3", "line 4"]
    assert (await client.get("/api/v1/labels")).json()["items"] == []


async def test_what_is_no_label_is_refused(client: httpx.AsyncClient) -> None:
    backwards = {**STORM, "starts_at": STORM["ends_at"], "ends_at": STORM["starts_at"]}
    assert "must come after" in (await client.post("/api/v1/labels", json=backwards)).text
    zoneless = {**STORM, "starts_at": "2013-02-08T12:00:00"}
    assert "has no time zone" in (await client.post("/api/v1/labels", json=zoneless)).text
    for blank in ({"name": " "}, {"group": {"": 1}}):  # the CSV that lists them could not be read again
        assert (await client.post("/api/v1/labels", json={**STORM, **blank})).status_code == 422
    ages = {**STORM, "starts_at": "0001-01-01T00:00:00+14:00", "ends_at": "9999-12-31T23:59:59-14:00"}
    faults = (await client.post("/api/v1/labels", json=ages)).json()["errors"]
    assert [fault["field"] for fault in faults] == ["starts_at", "ends_at"]
    assert (await client.post("/api/v1/labels/import", json=[STORM])).status_code == 415
    latin = await client.post("/api/v1/labels/import", content=b"name\xe9", headers=CSV)
    assert (latin.status_code, latin.json()["code"]) == (400, "malformed")


async def test_labels_want_the_scopes_of_rules(web: Web, client: httpx.AsyncClient) -> None:
    made = await client.post("/api/v1/api-keys", json={"scopes": ["rules:read"]})
    async with web.client(headers={"Authorization": f"Bearer {made.json()['key']}"}) as reader:
        assert (await reader.get("/api/v1/labels")).status_code == 200
        assert (await reader.post("/api/v1/labels", json=STORM)).status_code == 403
