"""The life of a process of `up`: it is told where the servers are, works, and never outlives `up`.

Its lifeline is a pipe whose other end only `up` holds. The first line in it is the assignment; its end means
that `up` is gone, however it went.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Sequence

PATIENCE = 1.0
"""Seconds to finish in once `up` is gone."""


def live(names: Sequence[str], line: int, listeners: Sequence[int]) -> int:
    """Play the roles until a signal; the exit code. `line` and `listeners` are file descriptors."""
    from signaldesk.roles import assignment, process
    from signaldesk.roles.role import load

    roles = [load(name) for name in names]
    gc.enable()
    told = _first_line(line)
    if not told:
        return 0
    threading.Thread(target=_end_with, args=(line,), daemon=True, name="lifeline").start()
    return process.run(roles, assignment.decode(told, listeners))


def _first_line(line: int) -> bytes:
    """What `up` says; empty when it is gone."""
    said = b""
    while not said.endswith(b"\n") and (part := os.read(line, 65536)):
        said += part
    return said if said.endswith(b"\n") else b""


def _end_with(line: int) -> None:
    while os.read(line, 65536):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE)
    os._exit(1)
