"""Commands that work on this machine's SignalDesk: a running `up`, or the servers of the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from signaldesk.local import find, opened

if TYPE_CHECKING:
    from signaldesk.model.actor import Actor

__all__ = ["Data", "Json", "OrgName", "find", "me", "opened", "run"]

T = TypeVar("T")


def folder(text: str) -> Path:
    """A folder of the command line. An empty text, as an unset variable leaves it, is not this folder."""
    if not text.strip():
        raise typer.BadParameter("is empty; name a folder, or leave it out")
    return Path(text)


Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", parser=folder, help="Folder of the running `signaldesk up` to talk to."
    ),
]
OrgName = Annotated[
    str | None,
    typer.Option("--org", metavar="SLUG", help="The organisation; needed when there are several."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def me() -> Actor:
    """Who sits at this terminal, as timelines name them."""
    import getpass

    from signaldesk.model.actor import Actor

    return Actor(None, f"{getpass.getuser()} on the command line")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's work; warnings go to standard error."""
    from signaldesk import log

    log.configure(json=False, level="warning")
    return asyncio.run(work)
