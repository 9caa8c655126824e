"""`signaldesk up` until /readyz says 200: from an empty data folder, and again with what it left there.

The workbench's pages are loaded after that, so it is also given when the first of them is answered.

It brings its own Postgres and Valkey up, so that the servers of this run play no part. SignalDesk only. The
code is compiled before, as pip and `make` do.
"""

import compileall
import http.client
import shutil
import sys
import time
from pathlib import Path

import signaldesk
from signaldesk import statements
from tests.bench.children import Child, free_port
from tests.bench.harness import Bench
from tests.bench.report import OURS, Promise

TITLE = "Cold start"


def run(bench: Bench) -> None:
    starts = [
        (
            bench.line(f"`signaldesk up` to /readyz, {when}", "s", Promise("ours", at_most=promised)),
            bench.line(f"`signaldesk up` to the first page, {when}", "s"),
        )
        for when, promised in (("from nothing", 5), ("again", 3))
    ]
    for place in (Path(signaldesk.__path__[0]), statements.folder("apps")):
        compileall.compile_dir(place, quiet=1)
    for i in range(bench.options.rounds if OURS in bench.options.sides else 0):
        data = bench.folder / f"up-{i}"
        for ready, paged in starts:
            bench.settle()
            with bench.watch() as watch:
                to_ready, to_page = seconds_to_start(data, bench.folder / "up.log")
            note = f"strangers took {watch.strangers:.0%} of the machine"
            ready.add(OURS, to_ready, note)
            paged.add(OURS, to_page, note)
        shutil.rmtree(data, ignore_errors=True)


def seconds_to_start(data: Path, log: Path) -> tuple[float, float]:
    """Start `signaldesk up`, and stop it again; wall time in seconds until it was ready, and until a page was
    answered (a stranger is sent on to the log-in by the page itself)."""
    port = free_port()
    command = [sys.executable, "-m", "signaldesk", "up", "--data", str(data), "--port", str(port)]
    start = time.monotonic()
    with Child("signaldesk up", command, log=log, grace=30) as up:
        up.wait_for(lambda: _answers(port, "/readyz", 200), what="/readyz", seconds=60)
        ready = time.monotonic() - start
        up.wait_for(lambda: _answers(port, "/overview", 302), what="/overview", seconds=60)
        return ready, time.monotonic() - start


def _answers(port: int, path: str, status: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
