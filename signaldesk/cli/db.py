"""`signaldesk db`: the database schema."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from signaldesk.cli import _local

if TYPE_CHECKING:
    from signaldesk.store.migrate import Status

GROUP = typer.Typer(
    name="db", help="The database: upgrade its schema, see where it stands.", no_args_is_help=True,
    rich_help_panel="Look after it",
)  # fmt: skip


@GROUP.command("upgrade")
def upgrade(data: _local.Data = None, json: _local.Json = False) -> None:
    """Bring the schema up to date. Does nothing when it is.

    \b
    Examples:
      SIGNALDESK_DATABASE_URL=postgresql://… SIGNALDESK_REDIS_URL=redis://… signaldesk db upgrade
    """
    from signaldesk.cli import _out
    from signaldesk.store import migrate

    url = _local.find(data)[1].database
    before = migrate.status(url)
    after = migrate.upgrade(url)
    if json:
        _out.data({**asdict(after), "applied": before.pending})
    elif before.pending:
        _out.say(f"applied {', '.join(before.pending)}; the schema is at {after.current}")
    else:
        _out.say(f"nothing to do; the schema is at {after.current}")


@GROUP.command("status")
def status(data: _local.Data = None, json: _local.Json = False) -> None:
    """Say where the schema stands; exit code 1 while migrations are pending.

    \b
    Examples:
      signaldesk db status --json
    """
    from signaldesk.cli import _out
    from signaldesk.store import migrate

    found: Status = migrate.status(_local.find(data)[1].database)
    if json:
        _out.data(asdict(found))
    elif found.pending:
        _out.say(f"pending: {', '.join(found.pending)}; run `signaldesk db upgrade`")
    else:
        _out.say(f"the schema is at {found.current}, which is the newest")
    if found.pending:
        raise typer.Exit(1)
