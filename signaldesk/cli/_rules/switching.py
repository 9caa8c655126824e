"""`signaldesk rules pause|resume|rollback`: another mode, or a version from before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from signaldesk.cli import _local

if TYPE_CHECKING:
    from signaldesk.store.rules import StoredRule

Names = Annotated[list[str], typer.Argument(metavar="NAME…", help="Names of rules, or their ids.")]


def pause(names: Names, org: _local.OrgName = None, data: _local.Data = None) -> None:
    """Let rules rest: they go on counting, and fire no more until they are resumed.

    \b
    Examples:
      signaldesk rules pause "Checkout failures by country" "No heartbeat"
    """
    _switch("pause", names, org, data)


def resume(names: Names, org: _local.OrgName = None, data: _local.Data = None) -> None:
    """Let paused rules go on in the mode that they had before.

    \b
    Examples:
      signaldesk rules resume "Checkout failures by country"
    """
    _switch("resume", names, org, data)


def rollback(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The rule's name, or its id.")],
    version: Annotated[int, typer.Argument(min=1, help="The version to go back to.")],
    org: _local.OrgName = None,
    data: _local.Data = None,
) -> None:
    """Save a new version of a rule that equals an old one.

    \b
    Examples:
      signaldesk rules rollback "Checkout failures by country" 3
    """
    from signaldesk.cli import _out
    from signaldesk.cli._rules.finding import find

    async def work() -> StoredRule:
        async with _local.opened(data) as desk:
            org_id, rule = await find(desk, org, name)
            return await desk.rules.roll_back(org_id, rule.id, version, by=_local.me())

    made = _local.run(work())
    _out.say(f"{made.name}: version {made.version} equals version {version}")


def _switch(action: Literal["pause", "resume"], names: list[str], org: str | None, data: _local.Data) -> None:
    from signaldesk.cli import _out
    from signaldesk.cli._rules.finding import find
    from signaldesk.store.rules import RuleFilter

    async def work() -> None:
        async with _local.opened(data) as desk:
            found = [await find(desk, org, name) for name in names]
            wanted = RuleFilter(ids=[rule.id for _, rule in found])
            for one in await desk.rules.switch(found[0][0], action, wanted, by=_local.me()):
                done = "as it was" if one.change == "unchanged" else f"{action}d"
                _out.say(f"{one.name}: {done}, version {one.version}")

    _local.run(work())
