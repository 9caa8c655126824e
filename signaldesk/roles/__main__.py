"""The nursery of `up`: imports what a role needs, at the latest when one is asked for, and forks for it.

Importing everything takes a good second of a core; four processes that each did it would keep a small
machine busy for longer than a start may take. Whoever has most to import comes first. It also makes a role
that died come back at once, and lets the processes share the memory of what they have in common. Nothing
here may start a thread: fork copies only one.

Run as `python -m signaldesk.roles FD`, where FD is a socket to `nursery.Nursery`, which says what to bear.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Sequence

from signaldesk.roles import lifeline

FIRST = "web"
"""The role that is imported before anybody asks."""


def main(line: socket.socket) -> int:
    # What is imported will never be garbage: looking through it again and again costs a tenth of the start,
    # and would later un-share the memory. A child collects again.
    gc.disable()
    from signaldesk.roles.role import load

    load(FIRST)
    try:
        return serve(line)
    except BrokenPipeError:  # the other side is gone, and with it whoever would listen
        return 0


def serve(line: socket.socket) -> int:
    """Fork what is asked for, report what ends, until the other side is gone."""
    from signaldesk.roles.role import load

    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    while True:
        ready, _, _ = select.select([line.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            for pid, code in ended():
                say(line, {"ended": pid, "code": code})
        if line.fileno() in ready:
            asked, descriptors, _, _ = socket.recv_fds(line, 65536, 16)
            if not asked:
                return 0
            roles = json.loads(asked)["bear"]
            for name in roles:
                load(name)
            gc.freeze()
            pid = os.fork()
            if pid == 0:
                become(roles, descriptors, [line.fileno(), woken, wake])
            for descriptor in descriptors:
                os.close(descriptor)
            say(line, {"born": pid})


def say(line: socket.socket, what: dict[str, int]) -> None:
    line.sendall(json.dumps(what).encode() + b"\n")


def ended() -> list[tuple[int, int]]:
    """(process id, exit code; negative: the signal that killed it) of children that ended."""
    found: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        found.append((pid, os.waitstatus_to_exitcode(status)))


def become(roles: Sequence[str], descriptors: Sequence[int], ours: Sequence[int]) -> None:
    """In a fresh child: let go of what is the nursery's, and play the roles. Never returns."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in ours:
            os.close(descriptor)
        os.setsid()
        name_process(roles[0])
        code = lifeline.live(roles, descriptors[0], descriptors[1:])
    except BaseException:  # a child must never return into the nursery's code
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def name_process(role: str) -> None:
    """What `top` and `ps -o comm` show; only Linux has it."""
    try:
        with open("/proc/self/comm", "w", encoding="ascii") as name:  # noqa: PTH123  quicker than a Path
            name.write(f"sd-{role}"[:15])
    except OSError:
        pass


if __name__ == "__main__":
    sys.exit(main(socket.socket(fileno=int(sys.argv[1]))))
