"""How a process is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal

IMPATIENT = 130
"""Exit code after the second signal, which does not wait for anything."""


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM, SIGINT and SIGHUP set; a second signal ends the process at once."""
    stop = asyncio.Event()

    def heard() -> None:
        if stop.is_set():
            os._exit(IMPATIENT)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, heard)
    return stop
