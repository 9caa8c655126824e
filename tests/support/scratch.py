"""Where the files of a test run lie: in memory, if the machine has enough of it."""

from __future__ import annotations

import os
import re
from pathlib import Path

MEMORY = Path("/dev/shm")
ENOUGH = 3 << 30
"""Bytes. A run has some hundred megabytes at a time: the data of the servers that tests start."""


def in_memory() -> Path | None:
    """A folder in memory in which programs can be run, if there is one with room to spare.

    Tests make and drop a database for almost every second that they run, hundreds of files each. On ext4 that
    costs a third of the whole run: it looks at every file that was deleted lately before it makes another.
    """
    try:
        found = os.statvfs(MEMORY)
        available = re.search(r"MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text())
    except OSError:
        return None
    if available is None or int(available[1]) << 10 < ENOUGH or found.f_bavail * found.f_frsize < ENOUGH:
        return None
    usable = not found.f_flag & (os.ST_RDONLY | os.ST_NOEXEC) and os.access(MEMORY, os.W_OK | os.X_OK)
    return MEMORY if usable else None
