"""A process that the benchmarks start, wait for and stop; its output goes to a file."""

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class BenchError(Exception):
    """A benchmark that cannot go on; the message says why and what mends it."""


def free_port() -> int:
    """A loopback TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(holds: Callable[[], bool], *, seconds: float, what: str, every: float = 0.02) -> None:
    """Poll `holds` until it is true; BenchError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise BenchError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(every)


def accepts_connections(port: int) -> bool:
    """Whether something listens on the loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _die_with_parent() -> None:
    # A harness that is killed must not leave servers behind on a machine that others use too.
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """A started process. Leaving its `with` block stops it: SIGTERM, then SIGKILL after `grace` seconds."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path | int],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        grace: float = 10.0,
    ) -> None:
        self.name, self.log = name, log
        self._grace = grace
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                preexec_fn=_die_with_parent,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_for_port(self, port: int, *, seconds: float = 30.0) -> Self:
        """Return once the process listens on `port`; BenchError with its last words if it ends before."""
        self.wait_for(lambda: accepts_connections(port), what=f"{self.name} on port {port}", seconds=seconds)
        return self

    def wait_for(self, holds: Callable[[], bool], *, what: str, seconds: float, every: float = 0.02) -> None:
        """Poll `holds` while the process lives; BenchError with its last words if it ends or is late."""

        def alive_and_holds() -> bool:
            if self._process.poll() is not None:
                raise BenchError(f"{self.name} ended with {self._process.returncode}:\n{self.last_words()}")
            return holds()

        wait_until(alive_and_holds, seconds=seconds, what=what, every=every)

    def last_words(self, lines: int = 20) -> str:
        """The end of the process's output."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(self._grace)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
