"""`signaldesk run`: one role."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated

import typer

from signaldesk.cli import _local
from signaldesk.roles import NAMES

GROUP = typer.Typer()


def _known(role: str) -> str:
    if role not in NAMES:
        near = get_close_matches(role, NAMES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(NAMES)}"
        raise typer.BadParameter(f"there is no role {role!r}; {hint}")
    return role


@GROUP.command("run", rich_help_panel="Run it")
def run(
    role: Annotated[str, typer.Argument(metavar="|".join(NAMES), callback=_known)],
    data: _local.Data = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on: web, ingest. [127.0.0.1]")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on: web, ingest. [5006]")
    ] = None,
) -> None:
    """Run one role, in front, until Ctrl-C or SIGTERM.

    Finds Postgres and Redis in SIGNALDESK_DATABASE_URL and SIGNALDESK_REDIS_URL, or those of a running
    `signaldesk up`; waits for them when they are not up yet.

    \b
    Examples:
      signaldesk run web --port 8080
      signaldesk run processor
    """
    settings, urls, _ = _local.find(data)
    from signaldesk.roles.assignment import Assignment
    from signaldesk.roles.process import run as run_roles
    from signaldesk.roles.role import load

    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    told = Assignment(settings.model_copy(update=given), urls)
    raise typer.Exit(run_roles([load(role)], told))
