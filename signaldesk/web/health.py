"""Alive, ready, and counted: for supervisors, load balancers and Prometheus."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from signaldesk.errors import Unavailable
from signaldesk.web.handlers import Handler

PATIENCE_S = 2.0


class Healthz(Handler):
    """200 as long as the process answers at all."""

    route_name = "/healthz"

    def get(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(b'{"status":"ok"}')


class Readyz(Handler):
    """200 when Postgres and Redis answer, else 503; the body says which one does not."""

    route_name = "/readyz"

    async def get(self) -> None:
        services = self.context.services
        names = ("database", "stream")
        found = await asyncio.gather(_answers(services.database.ping()), _answers(services.news.ping()))
        ready = all(found)
        self.set_status(200 if ready else 503)
        if not ready:
            self.set_header("Retry-After", "1")
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        checks = {name: "ok" if good else "away" for name, good in zip(names, found, strict=True)}
        self.finish(orjson.dumps({"status": "ok" if ready else "unavailable", "checks": checks}))


class Metrics(Handler):
    """What this process counted, and how the whole installation stands."""

    route_name = "/metrics"

    async def get(self) -> None:
        services = self.context.services
        stands = await services.plant.scrape()
        self.set_header("Content-Type", CONTENT_TYPE_LATEST)
        self.finish(generate_latest(services.registry) + stands)


async def _answers(ping: Any) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await ping
    except (Unavailable, TimeoutError):
        return False
    return True
