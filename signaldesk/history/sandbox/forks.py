"""The process that every query's process is forked from: `python -m signaldesk.history.sandbox.forks`.

Standard input is a socket on which the server sends, for each query, one end of a socket pair. Some children
wait there ahead of time, each with a database already open; whoever gets a line serves it and ends, and is
replaced. Nothing runs here before a child opens its database, so forking is safe. The end of standard input
is the end of all.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import NoReturn

from signaldesk.history.sandbox.child import answer, opened
from signaldesk.history.sandbox.confinement import become_nobody, let_many_files_be_handed

SPARES = 2
"""Children that wait for a query."""
_GONE = select.POLLHUP | select.POLLERR


def main() -> None:
    """Keep spares until the server is gone."""
    control = socket.socket(fileno=os.dup(0))
    taken_out, taken_in = os.pipe()
    spares: set[int] = set()
    while True:
        while len(spares) < SPARES:
            pid = os.fork()
            if pid == 0:
                os.close(taken_out)
                _serve(control, taken_in)
            spares.add(pid)
        _mind(control, taken_out, spares)


def _mind(control: socket.socket, taken: int, spares: set[int]) -> None:
    """Wait until a spare is taken or has died; exit when the server is gone."""
    poll = select.poll()
    poll.register(taken, select.POLLIN)
    poll.register(control, 0)
    for descriptor, event in poll.poll(500):
        if descriptor == taken:
            spares.discard(int.from_bytes(os.read(taken, 4), "big"))
        elif event & _GONE:
            for pid in spares:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            sys.exit(0)
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            spares.discard(ended[0])


def _serve(control: socket.socket, taken: int) -> NoReturn:
    """A child's whole life."""
    code = 1
    try:
        os.setsid()
        let_many_files_be_handed()
        become_nobody()
        connection = opened()
        _, lines, _, _ = socket.recv_fds(control, 1, 1)
        if lines:
            os.write(taken, os.getpid().to_bytes(4, "big"))
            # From here on nothing leads out of this process but the line, and the files that the job brings.
            os.close(taken)
            control.close()
            os.close(0)
            with socket.socket(fileno=lines[0]) as line:
                answer(connection, line)
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
