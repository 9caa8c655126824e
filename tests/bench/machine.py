"""What the machine is, and whose processor time a measurement used. Linux only: it reads /proc."""

import os
import platform
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True)
class _Stat:
    """The fields of /proc/<pid>/stat that matter here; seconds of processor time."""

    parent: int
    own: float
    reaped: float


def _stat(pid: int) -> _Stat:
    # The command's name may hold spaces and brackets; everything after the last ")" is regular.
    fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    ticks = [int(value) for value in fields[11:15]]
    return _Stat(int(fields[1]), (ticks[0] + ticks[1]) / _TICKS, (ticks[2] + ticks[3]) / _TICKS)


def _all_stats() -> dict[int, _Stat]:
    stats = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                stats[int(entry.name)] = _stat(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended between the listing and the reading
    return stats


def cpu_seconds(pid: int) -> float:
    """Processor time of one process and of everything below it, in seconds, dead children included."""
    stats = _all_stats()
    children: dict[int, list[int]] = {}
    for child, stat in stats.items():
        children.setdefault(stat.parent, []).append(child)
    total, waiting = 0.0, [pid]
    while waiting:
        current = waiting.pop()
        if current in stats:
            total += stats[current].own + stats[current].reaped
            waiting += children.get(current, [])
    return total


def _busy_seconds() -> float:
    """Processor time spent by everybody on this machine since it booted, in seconds."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = (
        int(value) for value in (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass
class CpuWatch:
    """Processor time of named processes, and of strangers, between `start` and `stop`.

    `used[name]` is in CPU-seconds; `strangers` is the share (0 to 1) of the whole machine that
    processes outside this run took meanwhile: the reason to distrust or repeat a figure.
    """

    pids: dict[str, int]
    used: dict[str, float] = field(default_factory=dict)
    strangers: float = 0.0
    _before: dict[str, float] = field(default_factory=dict)
    _busy: float = 0.0
    _ours: float = 0.0
    _uptime: float = 0.0

    def start(self) -> Self:
        self._before = {name: cpu_seconds(pid) for name, pid in self.pids.items()}
        self._busy, self._ours, self._uptime = _busy_seconds(), cpu_seconds(os.getpid()), _uptime()
        return self

    def stop(self) -> None:
        self.used = {name: cpu_seconds(pid) - self._before[name] for name, pid in self.pids.items()}
        elsewhere = (_busy_seconds() - self._busy) - (cpu_seconds(os.getpid()) - self._ours)
        whole = max(_uptime() - self._uptime, 1e-9) * cores()
        self.strangers = min(max(elsewhere / whole, 0.0), 1.0)

    def __str__(self) -> str:
        used = ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.used.items())
        return f"CPU-s: {used}; strangers took {self.strangers:.0%} of the machine"


def _uptime() -> float:
    return float((_PROC / "uptime").read_text().split()[0])


def processor_name() -> str:
    """The processor as the kernel calls it, such as "Intel(R) Xeon(R) Processor"."""
    found = re.search(r"^model name\s*:\s*(.+)$", (_PROC / "cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def memory_gib() -> int:
    """Memory of the machine in GiB, rounded."""
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30)
