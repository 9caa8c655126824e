"""SignalDesk as a side of the benchmarks: set up by its own commands, run as the roles an operator starts."""

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import orjson
import yaml

from signaldesk.rules import document
from tests.bench.children import BenchError, Child, free_port
from tests.bench.load import Target
from tests.bench.report import OURS
from tests.bench.servers import Postgres
from tests.bench.side import Side
from tests.bench.workload import RULED_TYPES, BenchRule

_CHANNEL = "bench-hook"


class DeskSide(Side):
    """SignalDesk; what it accepted is on disk (`appendfsync always`)."""

    label = OURS

    def __init__(self, postgres: Postgres, folder: Path) -> None:
        super().__init__(postgres, folder, database="desk", appendfsync="always")
        self._port = free_port()
        self._key = ""

    def prepare(self, rules: list[BenchRule], hook_url: str) -> None:
        self._command("db", "upgrade")
        self._command(
            "init",
            "--email",
            "bench@example.com",
            "--org",
            "Bench",
            "--password-stdin",
            said="correct horse!",
        )
        self._key = str(orjson.loads(self._command("keys", "create", "--scopes", "*", "--json"))["key"])
        self._make_channel(hook_url)
        if rules:
            file = self._folder / "rules.yaml"
            file.write_text(yaml.safe_dump_all([_document(rule) for rule in rules]), encoding="utf-8")
            self._command("rules", "apply", str(file))

    def start_ingest(self) -> Child:
        return self._run("ingest", "--port", str(self._port)).wait_for_port(self._port)

    def start_judging(self) -> Child:
        return self._run("processor")

    def start_delivery(self) -> Child | None:
        return self._run("dispatcher")

    def latency_body(self, i: int, due: float) -> bytes:
        return orjson.dumps({"type": f"type_{i % RULED_TYPES}", "timestamp": due, "payload": {"amount": i}})

    def sent_at(self, webhook: bytes) -> float:
        return datetime.fromisoformat(orjson.loads(webhook)["timestamp"]).timestamp()

    @property
    def single(self) -> Target:
        return Target(self._port, "/api/v1/events", self._key)

    @property
    def batch(self) -> Target:
        return self.single

    def _make_channel(self, hook_url: str) -> None:
        with self._postgres.connect(self._database) as connection:
            connection.execute(
                "INSERT INTO channels (id, org_id, name, kind, config)"
                " SELECT gen_random_uuid(), id, %s, 'webhook', %s FROM orgs",
                (_CHANNEL, orjson.dumps({"url": hook_url}).decode()),
            )

    def _run(self, role: str, *options: str) -> Child:
        command = [sys.executable, "-m", "signaldesk", "run", role, *options]
        log = self._folder / f"desk-{role}.log"
        return self._exits.enter_context(Child(f"signaldesk {role}", command, log=log, env=self._env()))

    def _command(self, *words: str, said: str = "") -> str:
        """What a command of ours printed; BenchError with what it said if it failed."""
        done = subprocess.run(
            [sys.executable, "-m", "signaldesk", *words],
            input=said,
            capture_output=True,
            text=True,
            env={**os.environ, **self._env()},
        )
        if done.returncode:
            raise BenchError(f"signaldesk {' '.join(words)} failed: {done.stderr.strip()}")
        return done.stdout

    def _env(self) -> dict[str, str]:
        return {
            "SIGNALDESK_DATABASE_URL": self.database_url,
            "SIGNALDESK_REDIS_URL": self.valkey.url,
            "SIGNALDESK_DATA_DIR": str(self._folder / "desk"),
            "SIGNALDESK_OUTBOUND_ALLOW": "127.0.0.0/8",
            "SIGNALDESK_LOG_LEVEL": "warning",
        }


def _document(rule: BenchRule) -> dict[str, object]:
    """The rule as people write it in YAML."""
    count = {"kind": "count", "at_least": rule.at_least, "within": f"{rule.within_s}s"}
    when = rule.when or count
    takes_event = document.kinds()[str(when["kind"])].takes_event
    found: dict[str, object] = {
        "name": rule.name,
        "event": rule.event if takes_event else None,
        "by": rule.by,
        "where": rule.where,
        "when": when,
    }
    found |= {"cooldown": f"{rule.cooldown_s}s", "notify": [_CHANNEL]}
    return {name: value for name, value in found.items() if value is not None}
