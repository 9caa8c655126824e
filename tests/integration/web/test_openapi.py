"""The description is made from the route table: it names every route, and nothing else is served."""

from __future__ import annotations

import re

import httpx

from signaldesk.accounts.roles import SCOPES
from signaldesk.web.routes import API, LISTING


async def test_every_route_is_described_and_every_reference_leads_somewhere(
    stranger: httpx.AsyncClient,
) -> None:
    answer = await stranger.get("/api/v1/openapi.json")
    document = answer.json()
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(route.method, route.path) for route in API}
    schemas = document["components"]["schemas"]
    for name in re.findall(r'"#/components/schemas/([^"]+)"', answer.text):
        assert name in schemas
    operations = [one["operationId"] for methods in document["paths"].values() for one in methods.values()]
    assert len(operations) == len(set(operations))


def test_every_list_has_pages() -> None:
    lists = [route for route in API if getattr(route.answer, "__name__", "").startswith("Page[")]
    assert len(lists) > 10
    assert [route.path for route in lists if not set(LISTING) <= set(route.query)] == []


async def test_every_route_wants_credentials_unless_it_says_otherwise(stranger: httpx.AsyncClient) -> None:
    for route in API:
        path = route.path.replace("{id}", "0" * 32)
        answer = await stranger.request(route.method, path)
        expected = 415 if route.path.endswith("/auth/login") else 401
        assert answer.status_code == expected, (route.method, route.path, answer.text)


def test_scopes_in_the_table_exist() -> None:
    assert {route.scope for route in API} - {None} <= set(SCOPES)
