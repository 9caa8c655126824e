"""Logging in and out, in a form and by JSON; who may write by cookie."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx
import pytest
from prometheus_client import CollectorRegistry

from signaldesk.settings import Settings
from signaldesk.web import server
from signaldesk.web.services import Services
from tests.support.web import PASSWORD, Org, Web, running_web


async def form(browser: httpx.AsyncClient, query: str = "") -> dict[str, str]:
    """The hidden fields of the log-in page."""
    page = await browser.get(f"/login{query}")
    return dict(re.findall(r'name="(csrf|next)" value="([^"]*)"', page.text))


async def log_in(
    browser: httpx.AsyncClient, org: Org, password: str = PASSWORD, **more: str
) -> httpx.Response:
    fields = await form(browser)
    return await browser.post("/login", data={**fields, "email": org.email, "password": password, **more})


async def test_the_form_logs_in_and_leads_back_without_any_script(
    stranger: httpx.AsyncClient, org: Org
) -> None:
    fields = await form(stranger, "?next=/overview%3Frange%3D7d")
    answer = await stranger.post("/login", data={**fields, "email": org.email, "password": PASSWORD})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/overview?range=7d")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie
    me = (await stranger.get("/api/v1/me")).json()
    assert (me["email"], me["role"], me["org"]["slug"]) == (org.email, "owner", org.name.lower())
    assert (await stranger.get("/")).headers["Location"] == "/overview"
    assert (await stranger.get("/login")).headers["Location"] == "/overview"


async def test_a_secure_installation_has_secure_cookies(database_url: str, redis_url: str) -> None:
    async with running_web(database_url, redis_url) as web:
        secure = web.services.settings.model_copy(update={"base_url": "https://desk.test"})
        cookies = server.build(_with(web, secure), pages=False)
        assert cookies.settings["secure"] is True
        other = server.WebServer(cookies)
        other.listen("127.0.0.1", 0)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{other.port}") as browser:
            page = await browser.get("/login")
        await other.close()
    assert page.headers["Set-Cookie"].startswith("__Host-sd_form=") and "Secure" in page.headers["Set-Cookie"]
    assert "max-age" in page.headers["Strict-Transport-Security"]


def _with(web: Web, settings: Settings) -> Services:
    return replace(web.services, settings=settings, registry=CollectorRegistry())


async def test_a_wrong_password_and_an_unknown_address_look_the_same(
    stranger: httpx.AsyncClient, org: Org
) -> None:
    wrong = await log_in(stranger, org, password="wrong wrong wrong")
    unknown = await log_in(stranger, org, email="nobody@acme.test")
    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert wrong.text.replace(org.email, "") == unknown.text.replace("nobody@acme.test", "")


async def test_what_somebody_typed_is_escaped(stranger: httpx.AsyncClient, org: Org) -> None:
    answer = await log_in(stranger, org, email='"><script>alert(1)</script>')
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    "wanted",
    ["https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)", "overview", "/\tx", ""],
)
async def test_logging_in_never_leads_to_another_site(
    stranger: httpx.AsyncClient, org: Org, wanted: str
) -> None:
    answer = await log_in(stranger, org, next=wanted)
    assert answer.headers["Location"] == "/overview"


async def test_a_form_from_elsewhere_is_refused(stranger: httpx.AsyncClient, org: Org) -> None:
    fields = await form(stranger)
    good = {**fields, "email": org.email, "password": PASSWORD}
    no_proof = await stranger.post("/login", data={**good, "csrf": ""})
    foreign = await stranger.post("/login", data=good, headers={"Origin": "https://evil.test"})
    stranger.cookies.clear()
    no_cookie = await stranger.post("/login", data=good)
    assert [answer.status_code for answer in (no_proof, foreign, no_cookie)] == [403, 403, 403]
    assert "sd_session" not in stranger.cookies


async def test_guessing_gets_slower(stranger: httpx.AsyncClient, org: Org) -> None:
    for _ in range(10):
        await stranger.post("/api/v1/auth/login", json={"email": org.email, "password": "guess guess"})
    right = await stranger.post("/api/v1/auth/login", json={"email": org.email, "password": PASSWORD})
    assert right.status_code == 429 and int(right.headers["Retry-After"]) > 60
    another = await stranger.post("/api/v1/auth/login", json={"email": "x@y.test", "password": PASSWORD})
    assert another.status_code == 401


async def test_logging_out_ends_the_session_everywhere(
    web: Web, stranger: httpx.AsyncClient, org: Org
) -> None:
    await log_in(stranger, org)
    csrf = (await stranger.get("/api/v1/me")).json()["csrf"]
    stolen = dict(stranger.cookies)
    refused = await stranger.post("/logout", data={"csrf": "x"})
    assert refused.status_code == 403
    done = await stranger.post("/logout", data={"csrf": csrf})
    assert (done.status_code, done.headers["Location"]) == (303, "/")
    async with web.client(cookies=stolen) as thief:
        assert (await thief.get("/api/v1/me")).status_code == 401


async def test_a_write_by_cookie_needs_the_proof_and_our_own_origin(
    web: Web, stranger: httpx.AsyncClient, org: Org
) -> None:
    told = await stranger.post("/api/v1/auth/login", json={"email": org.email, "password": PASSWORD})
    proof = {"X-CSRF-Token": told.json()["csrf"]}
    key = {"scopes": ["events:write"]}
    without = await stranger.post("/api/v1/api-keys", json=key)
    wrong = await stranger.post("/api/v1/api-keys", json=key, headers={"X-CSRF-Token": "0" * 64})
    foreign = await stranger.post(
        "/api/v1/api-keys", json=key, headers={**proof, "Origin": "https://evil.test"}
    )
    site = await stranger.post(
        "/api/v1/api-keys", json=key, headers={**proof, "Sec-Fetch-Site": "cross-site"}
    )
    assert [answer.status_code for answer in (without, wrong, foreign, site)] == [403] * 4
    right = await stranger.post("/api/v1/api-keys", json=key, headers={**proof, "Origin": web.url})
    assert right.status_code == 201
    gone = await stranger.post("/api/v1/auth/logout", headers=proof)
    assert gone.status_code == 204
    assert (await stranger.get("/api/v1/me")).status_code == 401


async def test_a_key_has_no_session_to_end(client: httpx.AsyncClient) -> None:
    assert (await client.post("/api/v1/auth/logout")).status_code == 403
