"""A child of `up`: `python -m signaldesk.roles ROLE …`.

It imports what its roles need at once, and learns from standard input where the servers are as soon as they
have been started. Standard input then stays open: its end means that `up` is gone, however it went.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

LIFELINE = 0
"""Standard input."""
ORPHAN_PATIENCE = 1.0
"""Seconds to finish in once `up` is gone."""


def main(names: list[str]) -> int:
    from signaldesk.roles.role import load

    roles = [load(name) for name in names]
    line = _first_line()
    if not line:
        return 0
    threading.Thread(target=_live_with_parent, daemon=True, name="live with parent").start()
    from signaldesk.roles import assignment, process

    return process.run(roles, assignment.decode(line))


def _first_line() -> bytes:
    """What `up` says; empty when it is gone. Python's own buffer would be in use by a thread at our exit."""
    line = b""
    while not line.endswith(b"\n") and (part := os.read(LIFELINE, 65536)):
        line += part
    return line if line.endswith(b"\n") else b""


def _live_with_parent() -> None:
    while os.read(LIFELINE, 65536):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(ORPHAN_PATIENCE)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
