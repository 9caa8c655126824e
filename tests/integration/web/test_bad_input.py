"""Thousands of wrong bodies, paths and queries: each is refused, none is our fault."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest

from tests.support.examples import SOAK

BODIES = 100 * SOAK
"""For each route that takes a body; `make soak` sends many times more."""
EVENTS = 50_000 if SOAK > 1 else 400
FORMS = ("application/json", "application/x-ndjson", "application/cloudevents+json",
         "application/cloudevents-batch+json", "text/plain")  # fmt: skip

GOOD: dict[str, Any] = {
    "/api/v1/rules": {
        "name": "r",
        "event": ["a", "b*"],
        "where": "amount > 20 AND country IN ('DE', 'FR')",
        "by": ["country"],
        "when": {"kind": "count", "at_least": 3, "within": "60s"},
        "cooldown": "5m",
        "severity": "critical",
        "notify": ["email:a@b.test"],
        "labels": {"team": "x"},
    },
    "/api/v1/rules/bulk": {"action": "pause", "labels": {"team": "x"}, "ids": [str(UUID(int=7))]},
    "/api/v1/channels": {"name": "c", "kind": "webhook", "config": {"url": "https://hooks.test/x"}},
    "/api/v1/api-keys": {"name": "k", "scopes": ["events:write"], "expires_at": "2099-01-01T00:00:00Z"},
    "/api/v1/auth/login": {"email": "a@b.test", "password": "x" * 12},
    "/api/v1/events": [{"type": "a", "payload": {"x": 1}, "timestamp": "2026-01-01T00:00:00Z", "id": "1"}],
}
ODD: list[Any] = [
    None, True, 0, -1, 1.5, 10**19, -(2**63), 1e300, "",
    "x" * 5000, "\x00", "\u202e", "🤷", "*", "NaN", "2026-13-45",
    "'; DROP TABLE rules; --", [], {}, [[]], {"": ""}, ["*"], {"kind": "count"},
]  # fmt: skip


def mutilate(chance: random.Random, value: Any) -> Any:
    """The value with something in it replaced, left out, added or repeated."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        name = chance.choice(sorted(value))
        changed = dict(value)
        match chance.randrange(4):
            case 0:
                del changed[name]
            case 1:
                changed[name + chance.choice("sx_ ")] = changed.pop(name)
            case 2:
                changed[name] = chance.choice(ODD)
            case _:
                changed[name] = mutilate(chance, changed[name])
        return changed
    if isinstance(value, list) and value and chance.random() < 0.8:
        return [mutilate(chance, value[0]), *value] if chance.random() < 0.5 else [mutilate(chance, value[0])]
    return chance.choice(ODD)


def _mutilated(chance: random.Random, value: Any) -> bytes:
    return orjson.dumps(mutilate(chance, value))


def break_bytes(chance: random.Random, raw: bytes) -> bytes:
    """Valid JSON with a few bytes changed, cut or put in."""
    some = bytearray(raw)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(some) + 1)
        match chance.randrange(3):
            case 0:
                del some[at : at + chance.randint(1, 9)]
            case 1:
                some[at:at] = chance.choice(
                    [b"\xff", b"[" * 50, b"\x00", b"\\u0000", b'"', b"NaN", b"9" * 400, b"\\ud800"]
                )
            case _:
                some[at : at + 1] = bytes([chance.randrange(256)])
    return bytes(some)


@pytest.mark.parametrize("path", GOOD)
async def test_no_wrong_body_is_our_fault(client: httpx.AsyncClient, path: str) -> None:
    chance = random.Random(path)
    makers: list[Callable[[], bytes]] = [
        lambda: orjson.dumps(mutilate(chance, GOOD[path])),
        lambda: break_bytes(chance, orjson.dumps(GOOD[path])),
    ]
    for _ in range(BODIES):
        body = _made(chance.choice(makers))
        answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code < 500, (answer.text, body)
        if answer.status_code >= 400:
            problem = answer.json()
            assert problem["code"] and problem["detail"], (answer.text, body)


async def test_no_wrong_event_is_our_fault_in_any_form(client: httpx.AsyncClient) -> None:
    chance, path = random.Random("events"), "/api/v1/events"
    cloud = {"specversion": "1.0", "id": "1", "source": "/s", "type": "a", "data": {"x": 1}}
    for _ in range(EVENTS):
        good = chance.choice([GOOD[path], GOOD[path][0], {"events": GOOD[path]}, cloud, [cloud]])
        body = _made(partial(_mutilated, chance, good))
        if chance.random() < 0.5:
            body = break_bytes(chance, body)
        headers = {"Content-Type": chance.choice(FORMS)}
        if chance.random() < 0.2:
            headers["Content-Encoding"] = "gzip"
            body = break_bytes(chance, gzip.compress(body, mtime=0)) if chance.random() < 0.5 else body
        answer = await client.post(path, content=body, headers=headers)
        assert answer.status_code < 500, (answer.text, body)
        if answer.status_code >= 400:
            assert answer.json()["code"] and answer.json()["detail"], (answer.text, body)


ADDRESSES = [
    "/api/v1/rules/%00",
    "/api/v1/rules/%FF",
    "/api/v1/rules/..%2f..%2fetc",
    "/api/v1/rules?label==x",
    "/api/v1/rules?cursor=%00",
    "/api/v1/rules?cursor=AAAA",
    "/api/v1/rules?q=%25_%5C&mode=live&kind=gone",
    "/api/v1/alerts?cursor=%F0%9F%92%A9",
    "/api/v1/events?from=1e999",
    "/api/v1/events?type=%00",
    "/api/v1/events?type=" + "%25" * 3000,
    "/api/v1//rules",
    "/%FF",
    "/login?next=%00",
    "/assets/%00",
    "/assets/%FF",
    "/static/js/%00",
    "/alerts/%00",
    "/overview/ws",
    "/?" + "a=b&" * 4000,
]


@pytest.mark.parametrize("target", ADDRESSES)
async def test_no_wrong_address_is_our_fault(client: httpx.AsyncClient, target: str) -> None:
    answer = await client.get(target)
    assert answer.status_code < 500, answer.text


def _made(make: Callable[[], bytes]) -> bytes:
    """What JSON cannot say (numbers beyond its range) is made anew."""
    while True:
        try:
            return make()
        except TypeError:
            continue
