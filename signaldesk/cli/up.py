"""`signaldesk up`: everything in one go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from signaldesk.roles.supervisor import Ready

GROUP = typer.Typer()


@GROUP.command("up", rich_help_panel="Run it")
def up(
    demo: Annotated[
        bool, typer.Option("--demo", help="Make an example organisation and keep a lively shop going.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Where everything is kept.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. [127.0.0.1]")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one. [5006]")
    ] = None,
) -> None:
    """Start everything: Postgres and Valkey too, unless settings name servers of your own.

    Stops in order on Ctrl-C.

    \b
    Examples:
      signaldesk up
      signaldesk up --demo
      signaldesk up --data ./desk --port 8080
    """
    import asyncio

    from signaldesk import settings as settings_module
    from signaldesk.roles import logs
    from signaldesk.roles.supervisor import Supervisor

    settings = settings_module.load(data_dir=data, host=host, port=port)
    if "log_level" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log_level": "warning"})
    logs.configure(settings)
    supervisor = Supervisor(settings, on_ready=_tell)
    asyncio.run(supervisor.run())


def _tell(ready: Ready) -> None:
    """What somebody who has just started it needs to know."""
    from signaldesk.cli._out import say

    say(f"SignalDesk is ready after {ready.seconds:.1f} s: {ready.running.base_url}")
