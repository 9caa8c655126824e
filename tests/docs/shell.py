"""Types a page's commands into a real shell, as a reader would, and compares what is said with what happens.

- Blocks marked `sh` run in order, in one bash that stops at the first failure.
- Commands that serve (`SERVERS`) run beside it, as in a second terminal; the next one waits until they do.
- A `text` block right after such a block is what the reader shall see, `…` standing for anything: in the
  output of that block, or of something that runs beside it. What only looks may look again until it is there.
- Ports are replaced by free ones. Everything happens in a folder of its own that looks like the checkout.

Every wait has a deadline, and what was started is stopped by Ctrl-C, as a reader would, also when the tests
themselves are killed: the shell reads from them, and when they are gone it ends everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from tests.docs.door import commands_through
from tests.docs.pages import ROOT, Block, Page
from tests.support.warm import WarmCommands

PORTS = ("5006", "8080")
"""The ports that the documentation speaks of."""
COMMAND_S = 60.0
"""Most seconds for one block."""
SERVING_S = 90.0
SEEN_S = 20.0
STOPPED_S = 30.0
PRESSED = 3
"""How often Ctrl-C is pressed within that time."""

SERVERS = re.compile(
    r"^(?:[A-Z_]+=\S+ )*"
    r"(?P<what>make up|signaldesk up|signaldesk tail|python docs/examples/receive_webhooks\.py)\b"
)
NOT_TYPED = re.compile(r"^(make (?P<target>test|check|lint|format|bench)|\. \.venv/bin/activate)\b")
"""What would run these very tests, or is done already."""
LOOKS = re.compile(r"(?s)^(curl (?!.* -d )(?!.*--data)|signaldesk (rules|keys) (list|show)|head |python -c)")
"""Commands that change nothing: they may be typed again."""


@dataclass
class Job:
    """Something that runs beside the shell."""

    command: str
    what: str
    pid: int
    log: Path

    @property
    def said(self) -> str:
        # The shell answers with the job's number before the job has opened its log.
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    @property
    def running(self) -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, 0)
            return True
        return False


@dataclass
class Terminal:
    """One reader at work. Use it with `async with`."""

    folder: Path
    warm: WarmCommands | None = None
    """Runs `signaldesk`, also for `make up`; without it, it is what the installation put on the PATH."""
    jobs: list[Job] = field(default_factory=list)
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    async def __aenter__(self) -> Terminal:
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self.work = self.folder / "signaldesk"
        self.work.mkdir(parents=True)
        for path in ROOT.iterdir():
            if not path.name.startswith(".") or path.name == ".ci":
                (self.work / path.name).symlink_to(path)
        self._bash = await asyncio.create_subprocess_exec(
            "bash", "--noprofile", "--norc", "-e", "-o", "pipefail",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            cwd=self.work, env=self._environment(), limit=1 << 24, start_new_session=True,
        )  # fmt: skip
        assert self._bash.stdin is not None
        self._bash.stdin.write(b"trap 'for job in $(jobs -p); do kill -INT -- -$job; done' EXIT\n")
        return self

    async def __aexit__(self, *exc: object) -> None:
        late = [job.command for job in reversed(self.jobs) if not await self._stop(job)]
        with contextlib.suppress(ProcessLookupError):
            self._bash.kill()
        await self._bash.wait()
        if self._bash.stdin is not None:
            self._bash.stdin.close()
        self._open.close()
        assert not late, f"not stopped by Ctrl-C within {STOPPED_S:g} s: {late}"

    def _environment(self) -> dict[str, str]:
        binaries = str(Path(sys.executable).parent)
        if shutil.which("curl") is None:
            binaries += f":{self._our_curl()}"
        kept = ("LANG", "TZ", "TMPDIR", "VIRTUAL_ENV")
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "PATH": f"{self._typed()}{binaries}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "SIGNALDESK_DATA_DIR": str(self.folder / "data"),
            "SIGNALDESK_PORT": self.ports["5006"],
        }

    def _typed(self) -> str:
        if self.warm is None:
            return ""
        place = self.folder / "typed"
        place.mkdir()
        return f"{self._open.enter_context(commands_through(place, self.warm, patience=COMMAND_S))}:"

    def _our_curl(self) -> Path:
        """A folder with a `curl` of our own."""
        curl = self.folder / "bin" / "curl"
        curl.parent.mkdir()
        curl.write_text(
            f'#!/bin/sh\nexec {sys.executable} -I -S {Path(__file__).with_name("curl.py")} "$@"\n'
        )
        curl.chmod(0o755)
        return curl.parent

    # --- reading a page --------------------------------------------------------------------------------

    async def follow(self, page: Page) -> None:
        """Do everything that the page says, in order."""
        before: Block | None = None
        output = ""
        for block in page.blocks():
            if block.language == "sh" and not block.not_run:
                output = await self.type(block.text, where=str(block))
            elif block.language == "text" and before is not None and before.language == "sh":
                await self.expect(block, before, output)
            before = block

    async def type(self, text: str, *, where: str) -> str:
        """Type commands; what they print. Fails when one fails or takes too long."""
        output = ""
        together: list[str] = []
        for command in commands(text):
            if NOT_TYPED.match(command):
                _must_exist(command)
            elif serving := SERVERS.match(command):
                output += await self._run(together, where)
                together = []
                await self._serve(command, serving["what"], where)
            else:
                together.append(command)
        return output + await self._run(together, where)

    async def expect(self, expected: Block, block: Block, output: str) -> None:
        """What shall be seen is seen, sooner or later."""
        wanted = expected.text.splitlines()
        again = all(LOOKS.match(command) for command in commands(block.text))

        async def seen() -> bool:
            nonlocal output
            if any(shows(said, wanted) for said in (output, *(job.said for job in self.jobs))):
                return True
            if again:
                output = await self.type(block.text, where=str(block))
            return False

        if not await _soon(seen, SEEN_S, every=0.2):
            beside = "".join(f"\n--- {job.command}\n{job.said}" for job in self.jobs)
            pytest.fail(f"{expected}: this is not seen:\n{expected.text}\n--- instead\n{output}{beside}")

    # --- the shell -------------------------------------------------------------------------------------

    async def _run(self, together: list[str], where: str) -> str:
        if not together:
            return ""
        mark = uuid4().hex
        script = self.folder / f"{mark}.sh"
        script.write_text(self._here("\n".join(together) + "\n"), encoding="utf-8")
        return await self._say(f"source {script} < /dev/null\necho; echo {mark}\n", mark, where)

    async def _say(self, line: str, mark: str, where: str) -> str:
        assert self._bash.stdin is not None and self._bash.stdout is not None
        self._bash.stdin.write(line.encode())
        lines: list[str] = []
        try:
            async with asyncio.timeout(COMMAND_S):
                while (read := (await self._bash.stdout.readline()).decode(errors="replace")).strip() != mark:
                    if not read:
                        pytest.fail(
                            f"{where}: failed (exit code {await self._bash.wait()})\n{''.join(lines)}"
                        )
                    lines.append(read)
        except TimeoutError:
            pytest.fail(f"{where}: not done after {COMMAND_S:g} s\n{''.join(lines)}")
        return "".join(lines)

    def _here(self, command: str) -> str:
        """The command with our ports instead of the documentation's, and make with this environment."""
        for known, ours in self.ports.items():
            command = re.sub(rf"(?<=:){known}\b|(?<=--port ){known}\b", ours, command)
        if self.warm is not None:
            return re.sub(r"\bmake up\b", "signaldesk up", command)
        prefix = Path(sys.executable).parents[1]
        return re.sub(r"\bmake up\b", f"make VENV={prefix} -o {prefix}/.ready up", command)

    # --- what runs beside it ---------------------------------------------------------------------------

    async def _serve(self, command: str, what: str, where: str) -> None:
        if what.endswith(" up") and any(job.what.endswith(" up") for job in self.jobs):
            return  # it runs already
        number, mark = len(self.jobs), uuid4().hex
        script, log = self.folder / f"job-{number}.sh", self.folder / f"job-{number}.log"
        script.write_text(self._here(command) + "\n", encoding="utf-8")
        # With job control a job has a process group of its own, and Ctrl-C is not ignored in it.
        start = f"set -m; bash {script} > {log} 2>&1 < /dev/null & echo $!; set +m; echo {mark}\n"
        said = await self._say(start, mark, where)
        job = Job(command, what, int(said.split()[-1]), log)
        self.jobs.append(job)
        if not await _soon(lambda: self._ready(job, where), SERVING_S, every=0.05):
            pytest.fail(f"{where}: `{command}` does not serve after {SERVING_S:g} s\n{job.said}")

    async def _ready(self, job: Job, where: str) -> bool:
        await self._reap()
        if not job.running:
            pytest.fail(f"{where}: `{job.command}` ended\n{job.said}")
        if job.what.endswith(" up"):
            return await _answers(int(self.ports["5006"]), "/readyz")
        if job.what.startswith("python"):
            return await _answers(int(self.ports["8080"]))
        return bool(job.said)

    async def _stop(self, job: Job) -> bool:
        """Ctrl-C, and if that does not help in time, the hard way; whether it helped."""
        if not job.running:
            return True

        async def over() -> bool:
            await self._reap()
            return not job.running

        for _ in range(PRESSED):  # Python may lose one: an exception inside of a destructor goes no further
            with contextlib.suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGINT)
            if await _soon(over, STOPPED_S / PRESSED, every=0.05):
                return True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)
        return False

    async def _reap(self) -> None:
        """The shell takes leave of jobs that ended; until then they look as if they ran."""
        if self._bash.returncode is None:
            mark = uuid4().hex
            await self._say(f"jobs > /dev/null; echo {mark}\n", mark, "at the end")


def commands(text: str) -> list[str]:
    """The commands of a block: lines that go on (backslash, quotes, loops, here-documents) are one."""
    found: list[str] = []
    for line in text.splitlines():
        if found and not _complete(found[-1]):
            found[-1] += f"\n{line}"
        elif line.strip() and not line.lstrip().startswith("#"):
            found.append(line)
    return found


def _complete(command: str) -> bool:
    """Whether bash would not ask for more lines."""
    heredoc = re.search(r"<<-?\s*['\"]?(\w+)['\"]?", command)
    if heredoc:
        return command.splitlines()[-1] == heredoc[1]
    words = re.findall(r"(?:^|[;\n])\s*(for|while|until|if|case|do|done|fi|esac)\b", command)
    opened = sum(word in ("for", "while", "until", "if", "case") for word in words)
    closed = sum(word in ("done", "fi", "esac") for word in words)
    plain = re.sub(r"\\.", "", command, flags=re.DOTALL)
    quotes = re.sub(r'"[^"]*"|\'[^\']*\'', "", plain)
    return not command.endswith(("\\", "|", "&&")) and opened == closed and not re.search(r"['\"]", quotes)


def shows(output: str, wanted: Iterable[str]) -> bool:
    """Whether the wanted lines, `…` standing for anything, are among the lines of the output, in order."""
    lines = iter(output.splitlines())
    patterns = (re.compile(".*".join(map(re.escape, line.split("…")))) for line in wanted)
    return all(any(pattern.fullmatch(line.rstrip()) for line in lines) for pattern in patterns)


def free_ports(count: int) -> list[str]:
    """Ports that nobody listens on, held all together so that they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [str(one.getsockname()[1]) for one in sockets]


def _must_exist(command: str) -> None:
    target = (NOT_TYPED.match(command) or {"target": None})["target"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert target is None or re.search(rf"^{target}:", makefile, re.MULTILINE), f"make has no {target}"


async def _soon(look: Callable[[], Awaitable[bool]], seconds: float, *, every: float) -> bool:
    """Look until it is true, or the time is over."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not await look():
        if loop.time() > end:
            return False
        await asyncio.sleep(every)
    return True


async def _answers(port: int, path: str | None = None) -> bool:
    """Whether somebody listens there, and says 200 for the path, in a second."""
    try:
        async with asyncio.timeout(1):
            return await _asked(port, path)
    except TimeoutError:
        return False


async def _asked(port: int, path: str | None) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        if path is None:
            return True
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        return b" 200 " in await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
