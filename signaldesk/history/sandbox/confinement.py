"""What a process gives up before it looks at other people's SQL, by the kernel's own limits."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path

NOBODY = 65_534
_SPARE = 256 << 20
"""Bytes of address space beyond what the query may use: for the reply, and for Python's own."""


def become_nobody() -> None:
    """Where the server runs as root, its queries do not."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def let_many_files_be_handed() -> None:
    """As many as the kernel lets a process have; `confine` takes all of it back."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def confine(*, memory: int, cpu_s: float) -> None:
    """No new files, sockets, processes or threads; no file grows; so much memory and time at most.

    A limit of 0 descriptors is above none that is open already, and below every one that could be opened.
    """
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CPU, max(1, round(cpu_s)))
    _limit(resource.RLIMIT_AS, _address_space() + memory + _SPARE)
    _limit(resource.RLIMIT_NPROC, 0)
    _limit(resource.RLIMIT_NOFILE, 0)


def _limit(what: int, value: int) -> None:
    with suppress(ValueError):  # one that is lower already stays
        resource.setrlimit(what, (value, value))


def _address_space() -> int:
    """Bytes that this process has mapped already; 0 where the kernel does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 4 << 30
