"""Runs benchmarks: both sides in turn on the same servers, several rounds, then the report.

The order of the sides is turned round in every second round, so that a machine that gets slower or busier
favours nobody. Medians are reported, with the range. A measurement during which strangers took more than a
quarter of the machine is thrown away, whatever it says, and made again; after `retries` of these the last one
is kept, and its remark says how much was taken.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from tests.bench import naive_side
from tests.bench.desk_side import DeskSide
from tests.bench.hooks import HookReceiver
from tests.bench.machine import CpuWatch
from tests.bench.report import OURS, Line, Promise, Reading, Section
from tests.bench.servers import Postgres
from tests.bench.side import Side

NAIVE_SETTINGS = ("everysec", "always")
DISTURBED = 0.25
"""Share of the machine that strangers may take during a measurement."""

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """How much to measure. Backlogs are events; `seconds` is the length of one load; `patience` too."""

    rounds: int = 3
    seconds: int = 10
    backlog: int = 1_200_000
    naive_backlog: int = 40_000
    sides: tuple[str, ...] = ("naive", OURS)
    patience: int = 10
    retries: int = 2


class Bench:
    """The servers, the options and the lines of one benchmark. A context manager."""

    def __init__(self, options: Options, section: Section) -> None:
        self.options, self._section = options, section
        self._exits = ExitStack()
        self._strangers = 0.0

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="signaldesk-bench-"))
        self.folder.chmod(0o711)  # Postgres may run as somebody else
        self._exits.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.postgres = self._exits.enter_context(Postgres(self.folder / "postgres"))
        self.hooks = self._exits.enter_context(HookReceiver())
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def line(self, what: str, unit: str, promise: Promise | None = None) -> Line:
        """A new line of the report."""
        line = Line(what, unit, promise)
        self._section.lines.append(line)
        return line

    # --- measuring -------------------------------------------------------------------------------------

    def each_side(self, measure: Callable[[Side], Sequence[Reading]]) -> None:
        """Measure every side in every round, each fresh, and write the readings into their lines."""
        for i in range(self.options.rounds):
            makers = self._makers()
            for make in makers if i % 2 == 0 else reversed(makers):
                self.fresh(make, measure)

    def fresh(self, make: Callable[[], Side], measure: Callable[[Side], Sequence[Reading]]) -> list[float]:
        """Measure one fresh side and write the readings into their lines; their values."""

        def once() -> tuple[str, Sequence[Reading]]:
            with make() as side:
                return side.label, measure(side)

        label, readings = self.calm(once)
        for reading in readings:
            reading.line.add(label, reading.value, reading.note)
        return [reading.value for reading in readings]

    def calm(self, measure: Callable[[], T]) -> T:
        """What `measure` returns, from the first time that strangers left the machine alone, or the last."""
        for _ in range(self.options.retries):
            self._strangers = 0.0
            found = measure()
            if self._strangers <= DISTURBED:
                return found
        return measure()

    @contextmanager
    def watch(self, **pids: int) -> Iterator[CpuWatch]:
        """Processor time of these processes, and what strangers took, during the block."""
        watch = CpuWatch(pids).start()
        try:
            yield watch
        finally:
            watch.stop()
            self._strangers = max(self._strangers, watch.strangers)

    def settle(self) -> None:
        """Wait until strangers leave the machine alone, or `patience` seconds are over."""
        deadline = time.monotonic() + self.options.patience
        while time.monotonic() < deadline:
            watch = CpuWatch({}).start()
            time.sleep(0.5)
            watch.stop()
            if watch.strangers < DISTURBED:
                return

    # --- the sides -------------------------------------------------------------------------------------

    def _makers(self) -> list[Callable[[], Side]]:
        makers: list[Callable[[], Side]] = []
        if "naive" in self.options.sides:
            naive_side.install()
            makers += [self._naive(setting) for setting in NAIVE_SETTINGS]
        if OURS in self.options.sides:
            makers.append(self.desk)
        return makers

    def _naive(self, appendfsync: str) -> Callable[[], Side]:
        return lambda: naive_side.NaiveSide(self.postgres, self.folder, appendfsync=appendfsync)

    def desk(self) -> DeskSide:
        """A fresh SignalDesk; enter it to start its Valkey."""
        return DeskSide(self.postgres, self.folder)
