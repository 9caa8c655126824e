"""Whatever is wrong with a request, the answer is a problem document with a request id, and never a 5xx."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.web import Org, Web

RULE = {"name": "r", "event": "e", "when": {"kind": "each"}}
NUL = b'{"name": "a\\u0000b"}'


async def test_every_answer_carries_a_request_id(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    for asking, path in (
        (client, "/api/v1/me"),
        (stranger, "/api/v1/me"),
        (stranger, "/"),
        (stranger, "/healthz"),
    ):
        assert (await asking.get(path)).headers["X-Request-ID"]
    mine = await client.get("/api/v1/me", headers={"X-Request-ID": "my-own_1"})
    assert mine.headers["X-Request-ID"] == "my-own_1"
    forged = await client.get("/api/v1/me", headers={"X-Request-ID": "two words"})
    assert forged.headers["X-Request-ID"] != "two words"


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"", "application/json", 400, "malformed"),
        (b"{", "application/json", 400, "malformed"),
        (b'{"name": NaN}', "application/json", 400, "malformed"),
        (b"1" * 5_000, "application/json", 400, "malformed"),
        (b"[" * 200_000, "application/json", 400, "malformed"),
        (b'"\\ud800"', "application/json", 400, "malformed"),
        (b'"\xff"', "application/json", 400, "malformed"),
        (b"[" * 100 + b"]" * 100, "application/json", 422, "invalid"),
        (NUL, "application/json", 422, "invalid"),
        (b"[]", "application/json", 422, "invalid"),
        (b"name=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"{}", "", 415, "unsupported_media_type"),
        (b" " * (2 << 20), "application/json", 413, "too_large"),
    ],
)
async def test_a_wrong_body_is_refused_with_the_reason(
    client: httpx.AsyncClient, body: bytes, kind: str, status: int, code: str
) -> None:
    answer = await client.post("/api/v1/api-keys", content=body, headers={"Content-Type": kind})
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == status and problem["detail"] and problem["request_id"]


async def test_an_oversized_body_without_a_length_is_cut_off(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * 65_536

    answer = await client.post(
        "/api/v1/api-keys", content=endless(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/login", "/logout", "/healthz", "/overview", "/nope"])
async def test_a_long_body_is_refused_in_words_outside_the_api_too(
    stranger: httpx.AsyncClient, path: str
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await stranger.post(path, content=b"a" * 100_000, headers=form)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    page = await stranger.post(path, content=b"a" * 100_000, headers={**form, "Accept": "text/html"})
    assert page.status_code == 413 and "<h1" in page.text
    assert (await stranger.get("/healthz")).status_code == 200


@pytest.mark.parametrize("path", ["/login", "/api/v1/api-keys", "/api/v1/events"])
async def test_a_body_too_long_to_be_heard_out_is_refused_before_it_is_sent(
    web: Web, org: Org, path: str
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", web.server.port)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {org.key}\r\n"
    writer.write(f"{head}Content-Length: {1 << 40}\r\n\r\n".encode())
    said = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    assert said.startswith(b"HTTP/1.1 413 ") and said.count(b"HTTP/1.1") == 1
    assert b'"code":"too_large"' in said


async def test_names_that_are_given_twice_are_refused_with_their_places(client: httpx.AsyncClient) -> None:
    when = '{"kind": "count", "at_least": 3, "within": "60s", "at_least": 30}'
    body = f'{{"name": "a", "event": "y", "when": {when}, "name": "b", "labels": [{{"x": 1, "x": 2}}]}}'
    headers = {"Content-Type": "application/json"}
    answer = await client.post("/api/v1/rules", content=body, headers=headers)
    assert answer.status_code == 422
    assert [(one["field"], one["message"]) for one in answer.json()["errors"]] == [
        ("labels[0].x", "is given twice"),
        ("name", "is given twice"),
        ("when.at_least", "is given twice"),
    ]
    long = f'{{"name": {"9" * 5_000}}}'  # more digits than Python reads by itself
    assert (await client.post("/api/v1/rules", content=long, headers=headers)).status_code in (400, 422)


async def test_unknown_fields_and_parameters_are_named(client: httpx.AsyncClient) -> None:
    body = await client.post("/api/v1/api-keys", json={"scopes": ["*"], "nmae": "x"})
    assert [fault["field"] for fault in body.json()["errors"]] == ["nmae"]
    query = await client.get("/api/v1/alerts", params={"sate": "open"})
    assert [fault["field"] for fault in query.json()["errors"]] == ["sate"]
    assert (body.status_code, query.status_code) == (422, 422)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=abc", "limit=99999999999999999999", "limit=%D9%A1", "limit=%FF", "cursor=x",
        "cursor=AAAA", "state=odd", "state=open&state=open", "rule_id=1", "rule_id=%00",
    ],
)  # fmt: skip
async def test_a_wrong_query_is_refused_by_field(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/api/v1/alerts?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


async def test_a_wrong_method_names_the_right_ones(client: httpx.AsyncClient) -> None:
    answer = await client.patch("/api/v1/me")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, OPTIONS"
    assert (await client.request("BREW", "/api/v1/me")).status_code == 405


async def test_a_path_that_is_not_there_is_404(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    for path in ("/api/v1/nope", "/api", "/api/v2/rules", "/nope"):
        answer = await stranger.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    html = await stranger.get("/nope", headers={"Accept": "text/html"})
    assert html.status_code == 404 and "<h1" in html.text


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer sk_1", "Basic dTpw", f"Bearer sk_{'0' * 48}", "x"])
async def test_wrong_credentials_are_401(stranger: httpx.AsyncClient, header: str) -> None:
    answer = await stranger.get("/api/v1/rules", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_the_database_being_away_is_503_and_passes(
    web: Web, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.get("/api/v1/me")  # the key is remembered from here on
    good = web.services.database._engine
    from signaldesk.store.database import Database

    nobody = Database("postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.setattr(web.services.database, "_engine", nobody._engine)
    answer = await client.get("/api/v1/alerts")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    ready = await client.get("/readyz")
    assert ready.status_code == 503 and ready.json()["checks"]["database"] == "away"
    monkeypatch.setattr(web.services.database, "_engine", good)
    assert (await client.get("/api/v1/alerts")).status_code == 200
    assert (await client.get("/readyz")).status_code == 200
    await nobody.close()


async def test_a_fault_of_ours_says_nothing_but_its_id(
    web: Web, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret plan")

    monkeypatch.setattr(web.services.alerts.__class__, "page", broken)
    answer = await client.get("/api/v1/alerts")
    assert answer.status_code == 500
    assert "secret" not in answer.text and answer.json()["request_id"] == answer.headers["X-Request-ID"]


async def test_listed_origins_may_use_the_api_with_a_key(database_url: str, redis_url: str) -> None:
    from tests.support.web import running_web

    async with running_web(database_url, redis_url, cors_origins=("https://app.test",)) as web:
        org = await web.found("Acme")
        async with web.client() as browser:
            origin = {"Origin": "https://app.test"}
            asked = await browser.options("/api/v1/rules", headers=origin)
            assert asked.status_code == 204
            assert asked.headers["Access-Control-Allow-Origin"] == "https://app.test"
            answer = await browser.get("/api/v1/me", headers={**org.headers, **origin})
            refused = await browser.get("/api/v1/me", headers=origin)
            stranger = await browser.options("/api/v1/rules", headers={"Origin": "https://evil.test"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.test"
    assert refused.status_code == 401 and refused.headers["Access-Control-Allow-Origin"] == "https://app.test"
    assert "Access-Control-Allow-Origin" not in stranger.headers


async def test_a_request_that_is_not_http_closes_the_connection(web: Web) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", web.server.port)
    writer.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
    assert b"200" not in await reader.read()
    writer.close()
