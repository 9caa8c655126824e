"""Starts the process of the nursery. Imports next to nothing, so that it can be started before all else."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Begun(NamedTuple):
    """A nursery that imports already, and our end of the socket to it."""

    process: subprocess.Popen[bytes]
    line: socket.socket


def begin() -> Begun:
    """Start `python -m signaldesk.roles`; it ends when our end of the socket is closed."""
    ours, theirs = socket.socketpair()
    with theirs:
        # A session of its own: Ctrl-C in a terminal reaches us alone, and we stop everybody in order.
        process = subprocess.Popen(
            [sys.executable, "-m", "signaldesk.roles", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            start_new_session=True,
            pass_fds=[theirs.fileno()],
        )
    return Begun(process, ours)


@contextmanager
def early() -> Iterator[Begun]:
    """One that is begun before anybody knows whether it will be needed, and gone at the end in any case."""
    begun = begin()
    try:
        yield begun
    finally:
        begun.line.close()
        if begun.process.poll() is None:
            begun.process.kill()
        begun.process.wait()
