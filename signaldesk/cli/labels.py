"""`signaldesk labels`: known incidents, to compare rules with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from signaldesk.cli import _in, _local

if TYPE_CHECKING:
    from signaldesk.store.labels import LabelRecord, Taken

GROUP = typer.Typer(
    name="labels",
    help="Known incidents as spans of time: import, list and delete them.",
    no_args_is_help=True,
    rich_help_panel="Look back",
)


@GROUP.command("import")
def import_labels(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="The file; - reads standard input.")],
    org: _local.OrgName = None,
    data: _local.Data = None,
    json: _local.Json = False,
) -> None:
    """Take known incidents from a CSV file, all of them or none.

    Its heading is name,starts_at,ends_at, and as you like comment and group.FIELD; times have a zone. Those
    that are there already, whatever their comment, are not taken again.

    \b
    Examples:
      signaldesk labels import incidents.csv
      signaldesk labels list --csv | signaldesk labels import - --org other
    """
    from signaldesk.backtest.labels import read
    from signaldesk.cli import _out
    from signaldesk.clock import from_us
    from signaldesk.model.label import read_csv
    from signaldesk.model.message import many

    labels = read_csv(_in.text()) if str(file) == "-" else read(file)

    async def work() -> Taken:
        async with _local.opened(data) as desk:
            org_id, now = (await desk.orgs.choose(org)).id, from_us(desk.clock.now_us())
            return await desk.labels.take(org_id, labels, by=_local.me(), at=now)

    taken = _local.run(work())
    if json:
        _out.data(taken._asdict())
    else:
        known = f", {taken.known:,} known already" if taken.known else ""
        _out.say(f"{many(taken.imported, 'label')} imported{known}")


@GROUP.command("list")
def list_labels(
    csv: Annotated[bool, typer.Option("--csv", help="Print the CSV that `import` reads.")] = False,
    org: _local.OrgName = None,
    data: _local.Data = None,
    json: _local.Json = False,
) -> None:
    """List known incidents, latest start first.

    \b
    Examples:
      signaldesk labels list
      signaldesk labels list --csv > incidents.csv
    """
    from signaldesk.cli import _out
    from signaldesk.model.label import MOST, write_csv
    from signaldesk.model.message import group_text

    async def work() -> list[LabelRecord]:
        async with _local.opened(data) as desk:
            return await desk.labels.page((await desk.orgs.choose(org)).id, limit=MOST)

    found = _local.run(work())
    if json:
        _out.data([one._asdict() for one in found])
    elif csv:
        sys.stdout.write(write_csv([one.label for one in reversed(found)]))
    else:
        columns = ("id", "name", "starts (UTC)", "ends (UTC)", "group", "comment")
        times = "%Y-%m-%d %H:%M"
        rows = [
            (
                *(one.id, one.name, f"{one.starts_at:{times}}", f"{one.ends_at:{times}}"),
                *(group_text(one.group), one.comment),
            )
            for one in found
        ]
        _out.table(columns, rows, empty="no labels: no incident is known")


@GROUP.command("delete")
def delete(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="The label's id; several are fine.")],
    org: _local.OrgName = None,
    data: _local.Data = None,
) -> None:
    """Delete known incidents.

    \b
    Examples:
      signaldesk labels delete 019aa1c4-0000-7000-8000-0000000000e3
    """
    from signaldesk.cli import _out
    from signaldesk.clock import from_us

    wanted = [_id(one) for one in ids]

    async def work() -> None:
        async with _local.opened(data) as desk:
            org_id, now = (await desk.orgs.choose(org)).id, from_us(desk.clock.now_us())
            for id_ in wanted:
                name = (await desk.labels.get(org_id, id_)).name
                await desk.labels.remove(org_id, id_, by=_local.me(), at=now)
                _out.say(f"{name}: deleted")

    _local.run(work())


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text[:40]!r} is no id; `signaldesk labels list` shows them", param_hint="ID"
        ) from None
