"""A `signaldesk` to put on a shell's PATH that does not import everything anew each time it is typed.

What is typed is a small script. It hands its words, its folder, its environment and its three streams to the
process of `tests.support.warm` by way of a socket, passes on what is pressed, and ends as the command ends.
The command that the installation itself put on the PATH is what the walk-through of the README types.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

from tests.support.staying import Staying
from tests.support.warm import WarmCommands

STAY = ("up", "tail")
"""Commands that go on until Ctrl-C."""

_SCRIPT = """
import json, os, signal, socket, sys
with socket.socket(socket.AF_UNIX) as door:
    door.connect({door!r})
    said = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(door, [len(said).to_bytes(4, "big")], [0, 1, 2])
    door.sendall(said)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: door.sendall(bytes([number])))
    sys.exit(int(door.recv(64) or 70))
"""


@contextmanager
def commands_through(folder: Path, warm: WarmCommands, *, patience: float) -> Iterator[Path]:
    """A folder with that `signaldesk`; its commands run one after the other, beside those that stay."""
    place, door = folder / "signaldesk", folder / "door"
    script = folder / "typed.py"
    script.write_text(_SCRIPT.format(door=str(door)), encoding="utf-8")
    place.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {script} "$@"\n', encoding="utf-8")
    place.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(door))
        listening.listen()
        serving = Thread(target=_serve, args=(listening, warm, patience), daemon=True)
        serving.start()
        try:
            yield folder
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            serving.join()


def _serve(listening: socket.socket, warm: WarmCommands, patience: float) -> None:
    attending: list[Thread] = []
    while True:
        try:
            asking, _ = listening.accept()
        except OSError:  # the shell is gone
            break
        with ExitStack() as stack:
            head, streams, _, _ = socket.recv_fds(asking, 4, 3)
            files = [stack.enter_context(os.fdopen(one, "rb", buffering=0)) for one in streams]
            with asking.makefile("rb") as rest:
                words, where, environment = json.loads(rest.read(int.from_bytes(head, "big")))
            if words[:1] and words[0] in STAY:
                staying = warm.start(words, Path(where), environment, files)
                attending.append(Thread(target=_attend, args=(asking, staying), daemon=True))
                attending[-1].start()
                continue
            try:
                code = warm.run(words, Path(where), environment, files, patience=patience)
            except TimeoutError:
                code = 124
            with asking:
                asking.sendall(str(code).encode())
    for thread in attending:
        thread.join()


def _attend(asking: socket.socket, command: Staying) -> None:
    """Pass on what is pressed until the command ends; when whoever typed it is killed, so is the command."""
    with asking:
        while command.poll() is None:
            if select.select([asking.fileno(), command.fileno()], [], [])[0][0] == asking.fileno():
                pressed = asking.recv(1)
                command.send_signal(pressed[0] if pressed else signal.SIGKILL)
                if not pressed:
                    command.wait()
                    return
        asking.sendall(str(command.wait()).encode())
