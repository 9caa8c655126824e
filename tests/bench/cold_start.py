"""`signaldesk up` until /readyz says 200: from an empty data folder, and again with what it left there.

It brings its own Postgres and Valkey up, so that the servers of this run play no part. SignalDesk only.
"""

import http.client
import shutil
import sys
import time
from pathlib import Path

from tests.bench.children import Child, free_port
from tests.bench.harness import Bench
from tests.bench.report import OURS, Promise

TITLE = "Cold start"


def run(bench: Bench) -> None:
    first = bench.line("`signaldesk up` to /readyz, from nothing", "s", Promise("ours", at_most=5))
    again = bench.line("`signaldesk up` to /readyz, again", "s", Promise("ours", at_most=3))
    for i in range(bench.options.rounds if OURS in bench.options.sides else 0):
        data = bench.folder / f"up-{i}"
        for line in (first, again):
            bench.settle()
            with bench.watch() as watch:
                seconds = seconds_to_ready(data, bench.folder / "up.log")
            line.add(OURS, seconds, f"strangers took {watch.strangers:.0%} of the machine")
        shutil.rmtree(data, ignore_errors=True)


def seconds_to_ready(data: Path, log: Path) -> float:
    """Start `signaldesk up`, wait for /readyz, stop it again; wall time from start to ready in seconds."""
    port = free_port()
    command = [sys.executable, "-m", "signaldesk", "up", "--data", str(data), "--port", str(port)]
    start = time.monotonic()
    with Child("signaldesk up", command, log=log, grace=30) as up:
        up.wait_for(lambda: _ready(port), what="/readyz", seconds=60)
        return time.monotonic() - start


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
