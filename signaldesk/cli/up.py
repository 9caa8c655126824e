"""`signaldesk up`: everything in one go."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from signaldesk.cli import _local, _out

if TYPE_CHECKING:
    from signaldesk.roles.cradle import Begun
    from signaldesk.roles.supervisor import Ready

GROUP = typer.Typer()

FOUNDED_WITHIN = 10.0
"""Seconds that the example gets to be founded before the welcome does without."""


@GROUP.command("up", rich_help_panel="Run it")
def up(
    context: typer.Context,
    demo: Annotated[
        bool, typer.Option("--demo", help="Make an example organisation and keep a lively shop going.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", parser=_local.folder, help="Where everything is kept."),
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
    from signaldesk import settings as settings_module
    from signaldesk.roles import logs
    from signaldesk.roles.supervisor import Supervisor

    settings = settings_module.load(data_dir=data, host=host, port=port)
    if "log_level" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log_level": "warning"})
    logs.configure(settings)
    welcome = partial(_welcome_demo, settings.data_dir, time.time()) if demo else partial(_welcome, data)
    more = ["shop"] if demo else []
    begun: Begun | None = context.obj  # by `signaldesk.__main__`, before it imported us
    asyncio.run(Supervisor(settings, more=more, begun=begun, on_ready=welcome).run())


async def _welcome(data: Path | None, ready: Ready) -> None:
    """What somebody who has just started it needs to know."""
    _out.say(f"SignalDesk is ready after {ready.seconds:.1f} s: {ready.running.base_url}")
    if not ready.anybody:
        where = f" --data {shlex.quote(str(data))}" if data else ""
        _out.say("There is nobody yet. Make the first owner in another terminal:")
        _out.say(f"  {_typed()} init{where}")
    sys.stdout.flush()


def _typed() -> str:
    """How to type this program in a terminal like ours: `make up` finds it where the shell does not."""
    if shutil.which("signaldesk"):
        return "signaldesk"
    program = Path(sys.argv[0])
    return shlex.join([sys.executable, "-m", "signaldesk"] if program.suffix == ".py" else [str(program)])


async def _welcome_demo(data_dir: Path, since: float, ready: Ready) -> None:
    """How to get into the example, as soon as it has been founded."""
    from signaldesk.roles.demo import credentials

    address = ready.running.base_url
    _out.say(f"SignalDesk is ready after {ready.seconds:.1f} s, with the shop of an example organisation")
    known = None
    with suppress(TimeoutError):
        async with asyncio.timeout(FOUNDED_WITHIN):
            while (known := credentials.read(data_dir, since=since)) is None:  # noqa: ASYNC110  a file
                await asyncio.sleep(0.02)
    if known is None:
        _out.say(f"  open     {address}")
    else:
        event = json.dumps({"type": "checkout_failed", "payload": {"country": "DE", "amount": 99}})
        _out.say(f"  open     {address}/login")
        _out.say(f"  log in   {known.email}   {known.password}")
        _out.say(f"  API key  {known.key}")
        _out.say(f"  try      curl {address}/api/v1/events -H 'Authorization: Bearer {known.key}' \\")
        _out.say(f"             -H 'Content-Type: application/json' -d '{event}'")
    sys.stdout.flush()
