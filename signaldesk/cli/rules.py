"""`signaldesk rules`: rules as YAML files, both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from signaldesk.cli import _local
from signaldesk.cli._rules import applying, explaining, exporting, switching, testing
from signaldesk.cli._rules.finding import find

if TYPE_CHECKING:
    from signaldesk.store.rules import StoredRule

GROUP = typer.Typer(
    name="rules",
    help="Rules as YAML files, both ways.",
    no_args_is_help=True,
    rich_help_panel="Send and watch",
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The rule's name, or its id.")]


GROUP.command("apply")(applying.apply)
GROUP.command("diff")(applying.diff)
GROUP.command("export")(exporting.export)
GROUP.command("test")(testing.test)
GROUP.command("explain")(explaining.explain)
GROUP.command("pause")(switching.pause)
GROUP.command("resume")(switching.resume)
GROUP.command("rollback")(switching.rollback)


@GROUP.command("list")
def list_rules(org: _local.OrgName = None, data: _local.Data = None, json: _local.Json = False) -> None:
    """List the rules.

    \b
    Examples:
      signaldesk rules list --json
    """
    from signaldesk.cli import _out
    from signaldesk.rules.document import kinds, parse

    found = _local.run(_all(org, data))
    if json:
        _out.data([_shown(rule) for rule in found])
        return
    rows = []
    for stored in found:
        rule = parse(stored.body)
        condition = kinds()[rule.when.kind].sentence(rule.when)
        by = f", by {', '.join(rule.by)}" if rule.by else ""
        mode = rule.mode.value if stored.failed_at is None else f"set aside: {stored.error}"
        state = (rule.severity, mode, stored.version, ", ".join(rule.notify))
        rows.append((rule.name, ", ".join(rule.event), f"{condition}{by}", *state))
    columns = ("name", "event", "condition", "severity", "mode", "version", "notifies")
    _out.table(columns, rows, empty="no rules; `signaldesk rules apply --help` shows one")


@GROUP.command("show")
def show(name: Name, org: _local.OrgName = None, data: _local.Data = None, json: _local.Json = False) -> None:
    """Print one rule as YAML.

    \b
    Examples:
      signaldesk rules show "Checkout failures by country" > checkout.yaml
    """
    from signaldesk.catalog.yaml_text import write
    from signaldesk.cli import _out

    async def work() -> StoredRule:
        async with _local.opened(data) as desk:
            return (await find(desk, org, name))[1]

    stored = _local.run(work())
    if json:
        _out.data(_shown(stored))
    else:
        _out.say(write([stored.body]).rstrip())


@GROUP.command("delete")
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    org: _local.OrgName = None,
    data: _local.Data = None,
) -> None:
    """Stop judging a rule. Its alerts and its history stay.

    \b
    Examples:
      signaldesk rules delete "Checkout failures by country" --yes
    """
    import sys

    from signaldesk.cli import _out

    if not yes and not sys.stdin.isatty():
        raise typer.BadParameter("nobody can be asked here; say --yes", param_hint="--yes")

    async def work() -> str:
        async with _local.opened(data) as desk:
            org_id, rule = await find(desk, org, name)
            if not yes:
                typer.confirm(f"Delete the rule {rule.name!r}?", abort=True)
            await desk.rules.delete(org_id, rule.id)
            return rule.name

    _out.say(f"{_local.run(work())} is deleted")


async def _all(org: str | None, data: _local.Data) -> list[StoredRule]:
    async with _local.opened(data) as desk:
        return await desk.rules.all((await desk.orgs.choose(org)).id)


def _shown(rule: StoredRule) -> dict[str, Any]:
    found = rule._asdict()
    return {
        "id": found["id"],
        "version": found["version"],
        "rule": found["body"],
        "updated_at": found["updated_at"],
        "set_aside": found["error"],
    }
