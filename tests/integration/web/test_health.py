"""Probes and counts."""

from __future__ import annotations

import httpx


async def test_alive_and_ready(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/healthz")).json() == {"status": "ok"}
    ready = await stranger.get("/readyz")
    assert ready.json() == {"status": "ok", "checks": {"database": "ok", "stream": "ok"}}


async def test_requests_are_counted_by_route_never_by_path(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    await client.get("/api/v1/alerts/01a20ae9-8b72-7200-8655-c95991b88f95")
    await stranger.get("/some/path/of/somebody")
    counted = (await stranger.get("/metrics")).text
    labels = 'method="GET",route="/api/v1/alerts/{id}",status="404"'
    assert f"signaldesk_http_requests_total{{{labels}}} 1.0" in counted
    assert "01a20ae9" not in counted and "somebody" not in counted


async def test_static_files_are_kept_for_ever_under_their_versions(stranger: httpx.AsyncClient) -> None:
    from signaldesk.web.assets import asset

    versioned = await stranger.get(asset("tokens.css"))
    assert versioned.status_code == 200 and "max-age=31536000" in versioned.headers["Cache-Control"]
    font = await stranger.get("/assets/fonts/inter-latin-wght-normal.woff2")
    assert "max-age=31536000" in font.headers["Cache-Control"]
    for outside in ("/assets/../templates/shell.html", "/assets/%2e%2e/shell.py", "/assets/nothing.css"):
        assert (await stranger.get(outside)).status_code in (403, 404)


async def test_html_may_run_no_script_but_ours(stranger: httpx.AsyncClient) -> None:
    page = await stranger.get("/")
    policy = page.headers["Content-Security-Policy"]
    assert "unsafe-eval" not in policy and "script-src 'self' 'nonce-" in policy
    assert "frame-ancestors 'none'" in policy
