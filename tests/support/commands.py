"""The command `signaldesk`, as a real process: run to its end, or kept running beside a test."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple

import pytest

from tests.support.staying import Staying
from tests.support.waiting import eventually_now
from tests.support.warm import WarmCommands

COMMAND = (sys.executable, "-W", "error", "-m", "signaldesk")
START_S = 60.0
STOP_S = 30.0

WARM = WarmCommands()


class Said(NamedTuple):
    """What a command printed, and how it ended."""

    out: str
    err: str
    code: int

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Terminal:
    """A folder to type commands in, and the SIGNALDESK_… variables they see."""

    folder: Path
    variables: Mapping[str, str]

    def with_(self, **variables: str | None) -> Terminal:
        """The same with other variables; None takes one away."""
        changed = {**self.variables, **variables}
        return Terminal(self.folder, {name: value for name, value in changed.items() if value is not None})

    def run(self, *words: str | Path, stdin: str = "", expect: int = 0) -> Said:
        """Run a command to its end; fails the test unless it exits as expected."""
        with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
            given.write(stdin.encode(errors="surrogateescape"))
            files = [given, out, err]
            given.seek(0)
            code = WARM.run([*map(str, words)], self.folder, self.environment(), files, patience=START_S)
            said = Said(_whole(out), _whole(err), code)
        if said.code != expect:
            pytest.fail(f"{words}: exit code {said.code}, not {expect}\n{said.out}{said.err}", pytrace=False)
        return said

    def refuses(self, *words: str | Path, stdin: str = "", expect: int = 1) -> str:
        """Run a command that has to fail, with one line and no traceback; that line."""
        said = self.run(*words, stdin=stdin, expect=expect)
        lines = said.err.strip().splitlines()
        assert len(lines) == 1, said.err
        assert lines[0].startswith("signaldesk: "), said.err
        return lines[0].removeprefix("signaldesk: ")

    @contextmanager
    def running(self, *words: str | Path, cold: bool = False) -> Iterator[Process]:
        """A command that goes on until the end of the block, which is a Ctrl-C.

        `cold`: by an interpreter that has imported nothing yet.
        """
        start = self._started if cold else self._forked
        name = "-".join(str(word).strip("-") for word in words[:2])
        logs = [
            self.folder / f"{name}-{number}.{kind}" for number in (time.time_ns(),) for kind in ("out", "err")
        ]
        with logs[0].open("wb") as out, logs[1].open("wb") as err:
            started = start([*map(str, words)], out, err)
        process = Process(started, *logs)
        try:
            yield process
        finally:
            process.end()

    def _started(self, words: list[str], out: IO[bytes], err: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*COMMAND, *words],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )

    def _forked(self, words: list[str], out: IO[bytes], err: IO[bytes]) -> Staying:
        with Path(os.devnull).open("rb") as nothing:
            return WARM.start(words, self.folder, self.environment(), [nothing, out, err])

    def environment(self) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALDESK_")}
        return {**plain, "HOME": str(self.folder), "COLUMNS": "200", **self.variables}


@dataclass(frozen=True)
class Process:
    """A command that is running."""

    popen: subprocess.Popen[bytes] | Staying
    out_file: Path
    err_file: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def out(self) -> str:
        return self.out_file.read_text(encoding="utf-8", errors="replace")

    @property
    def err(self) -> str:
        return self.err_file.read_text(encoding="utf-8", errors="replace")

    def says(self, words: str, *, within: float = START_S) -> None:
        """Wait until it has said that; fails when it ends before."""

        def said() -> bool:
            if words in self.out or words in self.err:
                return True
            if self.popen.poll() is not None:
                pytest.fail(
                    f"ended with {self.popen.returncode} without saying {words!r}\n{self.out}{self.err}"
                )
            return False

        eventually_now(said, within)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask it to stop, and wait for its exit code."""
        self.popen.send_signal(number)
        return self.popen.wait(STOP_S)

    def end(self) -> None:
        """Whatever happened in a test: nothing is left of it."""
        if self.popen.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()


class Up(NamedTuple):
    """A running `signaldesk up` and its data folder."""

    process: Process
    data: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, *, key: str = "") -> tuple[int, bytes]:
        """Status and body of an answer; 0 when there is none."""
        return ask(self.port, "GET", path, key=key)

    def post(self, path: str, body: Any, *, key: str) -> tuple[int, bytes]:
        return ask(self.port, "POST", path, body=json.dumps(body).encode(), key=key)

    def child(self, role: str, *, within: float = 10.0) -> int:
        """Process id of the one that plays a role now, or soon."""
        return eventually_now(
            lambda: next((pid for pid in family(self.process.pid) if _name(pid) == f"sd-{role}"), 0), within
        )


@contextmanager
def up(terminal: Terminal, data: Path, *words: str) -> Iterator[Up]:
    """`signaldesk up` on a free port, ready."""
    port = free_port()
    with terminal.running("up", "--data", data, "--port", str(port), *words) as process:
        process.says("SignalDesk is ready")
        yield Up(process, data, port)


def ask(port: int, method: str, path: str, *, body: bytes | None = None, key: str = "") -> tuple[int, bytes]:
    """One request; (0, b"") when nobody answers."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def _whole(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def family(pid: int) -> set[int]:
    """A process and all that descend from it."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def living(pids: set[int]) -> set[int]:
    """Those that still run; a zombie does not."""
    return {pid for pid in pids if _state(pid) not in ("", "Z", "X")}


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
