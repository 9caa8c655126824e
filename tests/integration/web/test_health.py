"""Probes and counts."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families

from signaldesk.embedded import EmbeddedPostgres
from tests.support import rows
from tests.support.web import Org, Web, running_web


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


async def test_anybody_may_scrape_how_the_installation_stands(
    web: Web, org: Org, stranger: httpx.AsyncClient
) -> None:
    async def scraped() -> dict[str, float]:
        text = (await stranger.get("/metrics")).text
        return {
            f"{sample.name}{sorted(sample.labels.values())}": sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    before = await scraped()
    assert before["signaldesk_server_up['postgres']"] == before["signaldesk_server_up['redis']"] == 1
    assert before["signaldesk_partitions['no']"] == 8 and before["signaldesk_ingest_lag_seconds[]"] == 0
    # An event that nobody judges, an alert, a message.
    sent = await stranger.post("/api/v1/events", json={"type": "paid"}, headers=org.headers)
    assert sent.status_code == 202
    await rows.alert(web.services.database, org.id, severity="critical")
    await rows.notification(web.services.database, org.id)
    after = await scraped()
    assert after["signaldesk_ingest_lag_seconds[]"] > 0
    assert after["signaldesk_alerts['critical']"] == 1 and after["signaldesk_alerts['info']"] == 0
    assert after["signaldesk_notifications['pending']"] == 1


async def test_what_cannot_be_asked_is_left_out(own_postgres: EmbeddedPostgres, redis_url: str) -> None:
    own_postgres.kill()
    async with (
        running_web(own_postgres.url, redis_url) as web,
        httpx.AsyncClient(verify=False, base_url=web.url) as stranger,
    ):
        text = (await stranger.get("/metrics")).text
    assert 'signaldesk_server_up{server="postgres"} 0.0' in text
    assert 'signaldesk_server_up{server="redis"} 1.0' in text
    assert "signaldesk_redis_memory_bytes" in text
    assert "signaldesk_ingest_lag_seconds" not in text and "signaldesk_alerts" not in text
