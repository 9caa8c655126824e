"""`signaldesk history`: where events lie, and looking after them by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from signaldesk.cli import _local

if TYPE_CHECKING:
    from signaldesk.history.rebuild import Rebuilt
    from signaldesk.history.status import Status

GROUP = typer.Typer(
    name="history", help="Events in Parquet files: see how they stand, put them in order.",
    no_args_is_help=True, rich_help_panel="Look after it",
)  # fmt: skip
_PATIENCE_S = 30.0
_BUSY = "the scheduler is changing history just now; try again in a moment"


@GROUP.command("status")
def status(data: _local.Data = None, json: _local.Json = False) -> None:
    """Say what is archived, in how many files, and what is damaged or missing; exit code 1 when something is.

    \b
    Examples:
      signaldesk history status
      signaldesk history status --json
    """
    from signaldesk.cli import _out

    found = _local.run(_status(data))
    if json:
        _out.data(found.as_data())
    else:
        for line in found.lines():
            _out.say(line)
    if found.damaged or found.missing:
        raise typer.Exit(1)


@GROUP.command("compact")
def compact(
    data: _local.Data = None,
    archive: Annotated[
        bool, typer.Option("--archive", help="First archive all events, also those of this hour.")
    ] = False,
    json: _local.Json = False,
) -> None:
    """Mend, check and put files together now, without waiting for the scheduler; nothing is lost by it.

    \b
    Examples:
      signaldesk history compact
      signaldesk history compact --archive --json
    """
    from signaldesk.cli import _out
    from signaldesk.model.message import many

    done = _local.run(_compact(data, archive))
    if json:
        _out.data(done)
    else:
        _out.say(
            f"{many(done['archived'], 'event')} archived, {many(done['set_aside'], 'file')} set aside, "
            f"{done['mended']:,} mended, {done['put_together']:,} put into others"
        )


@GROUP.command("rebuild")
def rebuild(data: _local.Data = None, json: _local.Json = False) -> None:
    """Make the books of history again from the files, after PostgreSQL lost them; what is known stays.

    Exit code 1 when files cannot be read, or lie in the folder of an organisation whose they are not; they
    are left where they are.

    \b
    Examples:
      signaldesk history rebuild
      signaldesk history rebuild --json
    """
    from signaldesk.cli import _out

    found = _local.run(_rebuild(data))
    if json:
        _out.data(found._asdict())
    else:
        _out.say(
            f"{found.added} files added, {found.replaced} whose events others have, "
            f"{found.unfinished} that nobody finished"
        )
        for path in found.unreadable:
            _out.note(f"{path} cannot be read; put a copy in its place, or move it away")
        for path, problem in found.foreign.items():
            _out.note(f"{path} {problem}; move it to where it belongs, or away")
    if found.unreadable or found.foreign:
        raise typer.Exit(1)


async def _rebuild(data: Any) -> Rebuilt:
    import asyncio

    from signaldesk.errors import Unavailable

    async with _local.opened(data) as desk:
        found = await asyncio.to_thread(desk.history_rebuilder.run)
    if found is None:
        raise Unavailable(_BUSY)
    return found


async def _status(data: Any) -> Status:
    import asyncio

    from signaldesk.history import status as history

    async with _local.opened(data) as desk:
        return await asyncio.to_thread(history.status, desk.history_book, desk.shelf, desk.clock)


async def _compact(data: Any, archive: bool) -> dict[str, int]:
    import asyncio

    from signaldesk.errors import Unavailable

    async with _local.opened(data) as desk:
        keeper = desk.history_keeper

        def work() -> dict[str, int]:
            with desk.history_book.alone(wait=_PATIENCE_S) as mine:
                if mine is None:
                    raise Unavailable(_BUSY)
                return {
                    "archived": desk.archiver.run(closed_only=not archive, turn=mine).events,
                    "set_aside": keeper.check(),
                    "mended": keeper.mend(turn=mine),
                    "put_together": keeper.compact(everything=True, turn=mine),
                }

        return await asyncio.to_thread(work)
