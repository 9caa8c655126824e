"""Commands that work on this machine's SignalDesk: a running `up`, or the servers of the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from signaldesk.local import find, opened

__all__ = ["Data", "Json", "OrgName", "find", "opened", "run"]

T = TypeVar("T")

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Folder of the running `signaldesk up` to talk to."),
]
OrgName = Annotated[
    str | None,
    typer.Option("--org", metavar="SLUG", help="The organisation; needed when there are several."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work; warnings go to standard error."""
    from signaldesk import log

    log.configure(json=False, level="warning")
    return asyncio.run(work)
