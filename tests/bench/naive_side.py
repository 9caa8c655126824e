"""The naive loop as a side of the benchmarks: Fastify + BullMQ + Postgres, in `naive/`."""

import shutil
import subprocess
import uuid
from pathlib import Path

import orjson

from tests.bench.children import BenchError, Child, free_port
from tests.bench.load import Target
from tests.bench.servers import Postgres
from tests.bench.side import Side
from tests.bench.workload import RULED_TYPES, BenchRule

_SOURCE = Path(__file__).with_name("naive")
_ORG = uuid.UUID(int=1)
_KEY = "sk_test"


def install() -> None:
    """Install the naive loop's packages if they are not there yet. BenchError without Node.js."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise BenchError("the naive loop needs Node.js 20 or newer and npm on PATH; --sides ours skips it")
    if not (_SOURCE / "node_modules").exists():
        subprocess.run(["npm", "install", "--no-package-lock", "--silent"], cwd=_SOURCE, check=True)


def versions() -> dict[str, str]:
    """What the naive loop runs on."""
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    wanted: dict[str, str] = orjson.loads((_SOURCE / "package.json").read_bytes())["dependencies"]
    return {"Node.js": node.removeprefix("v"), **wanted}


class NaiveSide(Side):
    """The naive loop with one of its two durability settings."""

    def __init__(self, postgres: Postgres, folder: Path, *, appendfsync: str) -> None:
        super().__init__(postgres, folder, database=f"naive_{appendfsync}", appendfsync=appendfsync)
        self.label = f"naive, {appendfsync}"
        self._port = free_port()

    def prepare(self, rules: list[BenchRule], hook_url: str) -> None:
        with self._postgres.connect(self._database) as connection:
            connection.execute((_SOURCE / "schema.sql").read_bytes())
            with connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO rules VALUES (%s, %s, %s, %s, %s, %s, %s)",
                    [
                        (uuid.uuid4(), _ORG, r.event, r.at_least, r.within_s, r.cooldown_s, hook_url)
                        for r in rules
                    ],
                )

    def start_ingest(self) -> Child:
        return self._start("api").wait_for_port(self._port)

    def start_judging(self) -> Child:
        return self._start("worker")

    def start_delivery(self) -> Child | None:
        return None

    def _start(self, program: str) -> Child:
        env = {
            "PG": self.database_url,
            "REDIS_SOCKET": self.valkey.socket,
            "PORT": str(self._port),
            "NODE_ENV": "production",
        }
        log = self._folder / f"{self._database}-{program}.log"
        command = ["node", str(_SOURCE / f"{program}.mjs")]
        return self._exits.enter_context(Child(f"naive {program}", command, log=log, env=env, cwd=_SOURCE))

    def latency_body(self, i: int, due: float) -> bytes:
        return orjson.dumps({"type": f"type_{i % RULED_TYPES}", "payload": {"amount": i, "sent": due}})

    def sent_at(self, webhook: bytes) -> float:
        return float(orjson.loads(webhook)["sent"])

    @property
    def single(self) -> Target:
        return Target(self._port, "/events", _KEY)

    @property
    def batch(self) -> Target:
        return Target(self._port, "/events/batch", _KEY)
