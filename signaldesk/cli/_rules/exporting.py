"""`signaldesk rules export`: from the saved rules to files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from signaldesk.cli import _local

if TYPE_CHECKING:
    from signaldesk.store.rules import StoredRule


def export(
    folder: Annotated[
        Path | None,
        typer.Option("--to", metavar="FOLDER", help="One file for each rule; to standard output without."),
    ] = None,
    org: _local.OrgName = None,
    data: _local.Data = None,
    json: _local.Json = False,
) -> None:
    """Write all rules as YAML that `apply` takes back and finds unchanged.

    Into a folder it writes only what differs from the rules that its files hold already: remarks in files are
    yours. A file whose rule is not saved any more is named and left alone.

    \b
    Examples:
      signaldesk rules export > rules.yaml
      signaldesk rules export --to rules/
    """
    from signaldesk.catalog.folder import export as write_folder
    from signaldesk.catalog.yaml_text import canonical, write
    from signaldesk.cli import _out

    async def work() -> list[StoredRule]:
        async with _local.opened(data) as desk:
            return await desk.rules.all((await desk.orgs.choose(org)).id)

    rules = _local.run(work())
    if folder is None:
        if json:
            _out.data([canonical(rule.body) for rule in rules])
        elif rules:
            _out.say(write(rule.body for rule in rules).rstrip("\n"))
        return
    done = write_folder(folder, rules)
    if json:
        _out.data([one._asdict() for one in done])
        return
    for one in done:
        if one.change == "foreign":
            _out.note(f"{one.file}: {one.name} is not saved; its file is left as it is")
        else:
            _out.say(f"{one.file}: {one.change}")
