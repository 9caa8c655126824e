"""SignalDesk as a side of the benchmarks: its roles as processes, started as an operator would."""

import sys
from pathlib import Path

import orjson

from tests.bench.children import Child, free_port
from tests.bench.load import Target
from tests.bench.report import OURS
from tests.bench.servers import Postgres
from tests.bench.side import Side
from tests.bench.workload import BenchRule


class DeskSide(Side):
    """SignalDesk; what it accepted is on disk (`appendfsync always`)."""

    label = OURS

    def __init__(self, postgres: Postgres, folder: Path) -> None:
        super().__init__(postgres, folder, database="desk", appendfsync="always")
        self._port = free_port()
        self._key = ""

    def prepare(self, rules: list[BenchRule], hook_url: str) -> None:
        raise NotImplementedError

    def start_ingest(self) -> Child:
        return self._run("ingest").wait_for_port(self._port)

    def start_judging(self) -> Child:
        return self._run("processor")

    def start_delivery(self) -> Child | None:
        return self._run("dispatcher")

    def _run(self, role: str) -> Child:
        command = [sys.executable, "-m", "signaldesk", "run", role]
        log = self._folder / f"desk-{role}.log"
        return self._exits.enter_context(Child(f"signaldesk {role}", command, log=log, env=self._env()))

    def _env(self) -> dict[str, str]:
        return {
            "SIGNALDESK_DATABASE_URL": self.database_url,
            "SIGNALDESK_REDIS_URL": self.valkey.url,
            "SIGNALDESK_DATA_DIR": str(self._folder / "desk"),
            "SIGNALDESK_PORT": str(self._port),
            "SIGNALDESK_OUTBOUND_ALLOW": "127.0.0.0/8",
            "SIGNALDESK_LOG_LEVEL": "warning",
        }

    def latency_body(self, i: int, due: float) -> bytes:
        return orjson.dumps({"type": f"type_{i % 20}", "timestamp": due, "payload": {"amount": i}})

    def sent_at(self, webhook: bytes) -> float:
        raise NotImplementedError

    @property
    def single(self) -> Target:
        return Target(self._port, "/api/v1/events", self._key)

    @property
    def batch(self) -> Target:
        return self.single
