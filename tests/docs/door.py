"""A `signaldesk` to put on a shell's PATH that does not import everything anew each time it is typed.

What is typed is a small script. It hands its words, its folder, its environment and its three streams to the
process of `tests.support.warm` by way of a socket, and ends as the command ends. The command that the
installation itself put on the PATH is what the walk-through of the README types.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

from tests.support.warm import WarmCommands

_SCRIPT = """
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as door:
    door.connect({door!r})
    said = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(door, [len(said).to_bytes(4, "big")], [0, 1, 2])
    door.sendall(said)
    sys.exit(int(door.recv(64) or 70))
"""


@contextmanager
def commands_through(folder: Path, warm: WarmCommands, *, patience: float) -> Iterator[Path]:
    """A folder with that `signaldesk`; its commands run one after the other."""
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
    while True:
        try:
            asking, _ = listening.accept()
        except OSError:  # the shell is gone
            return
        with asking, ExitStack() as stack:
            head, streams, _, _ = socket.recv_fds(asking, 4, 3)
            files = [stack.enter_context(os.fdopen(one, "rb", buffering=0)) for one in streams]
            with asking.makefile("rb") as rest:
                words, where, environment = json.loads(rest.read(int.from_bytes(head, "big")))
            try:
                code = warm.run(words, Path(where), environment, files, patience=patience)
            except TimeoutError:
                code = 124
            asking.sendall(str(code).encode())
