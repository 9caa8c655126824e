"""`signaldesk rules`: rules as YAML files, both ways."""

from __future__ import annotations

import re
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from signaldesk.cli import _local

if TYPE_CHECKING:
    from signaldesk.desk import Desk
    from signaldesk.store.rules import StoredRule

GROUP = typer.Typer(
    name="rules",
    help="Rules as YAML files, both ways.",
    no_args_is_help=True,
    rich_help_panel="Send and watch",
)

Paths = Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER …", help="YAML files, or folders of them.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The rule's name, or its id.")]


@GROUP.command("apply")
def apply(
    paths: Paths,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    org: _local.OrgName = None,
    data: _local.Data = None,
    json: _local.Json = False,
) -> None:
    """Create and update rules by name, all of them or none. What is unchanged stays untouched.

    The first event after it is judged by the new version.

    \b
    Examples:
      signaldesk rules apply rules/
      signaldesk rules apply checkout.yaml --dry-run
    \b
    A rule:
      name: Checkout failures by country
      event: checkout_failed
      where: amount > 20
      by: [country]
      when: {kind: count, at_least: 3, within: 60s}
      cooldown: 5m
      severity: critical
    """
    from signaldesk.catalog import files
    from signaldesk.cli import _out
    from signaldesk.errors import Invalid

    sources = files.read(paths)

    async def work() -> list[tuple[Any, str]]:
        async with _local.opened(data) as desk:
            chosen = await desk.orgs.choose(org)
            documents = [source.document for source in sources]
            try:
                return list(await desk.rules.apply(chosen.id, documents, dry_run=dry_run))
            except Invalid as error:
                raise files.located(error, sources) from None

    done = _local.run(work())
    if json:
        _out.data([{"name": rule.name, "change": change} for rule, change in done])
        return
    would = "would be " if dry_run else ""
    for rule, change in done:
        _out.say(f"{rule.name}: {would if change != 'unchanged' else ''}{change}")


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
        state = (rule.severity, rule.mode.value, stored.version, ", ".join(rule.notify))
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
    from signaldesk.catalog import files
    from signaldesk.cli import _out

    async def work() -> StoredRule:
        async with _local.opened(data) as desk:
            return (await _find(desk, org, name))[1]

    stored = _local.run(work())
    if json:
        _out.data(_shown(stored))
    else:
        _out.say(files.write([stored.body]).rstrip())


@GROUP.command("export")
def export(
    folder: Annotated[
        Path | None,
        typer.Option("--to", metavar="FOLDER", help="One file for each rule; to standard output without."),
    ] = None,
    org: _local.OrgName = None,
    data: _local.Data = None,
) -> None:
    """Write all rules as YAML that `apply` takes back.

    \b
    Examples:
      signaldesk rules export > rules.yaml
      signaldesk rules export --to rules/
    """
    from signaldesk.catalog import files
    from signaldesk.cli import _out

    found = _local.run(_all(org, data))
    if folder is None:
        _out.say(files.write([rule.body for rule in found]).rstrip())
        return
    folder.mkdir(parents=True, exist_ok=True)
    taken: set[str] = set()
    for rule in found:
        file = folder / f"{_file_name(rule, taken)}.yaml"
        file.write_text(files.write([rule.body]), encoding="utf-8")
        _out.say(file)


@GROUP.command("diff")
def diff(
    paths: Paths,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 when there are differences.")
    ] = False,
    org: _local.OrgName = None,
    data: _local.Data = None,
) -> None:
    """Show what `apply` would change, line by line. Rules that are in no file are left out.

    \b
    Examples:
      signaldesk rules diff rules/ --exit-code
    """
    from signaldesk.catalog import files
    from signaldesk.cli import _out
    from signaldesk.errors import Invalid
    from signaldesk.rules.document import parse_all

    sources = files.read(paths)
    try:
        wanted = parse_all([source.document for source in sources])
    except Invalid as error:
        raise files.located(error, sources) from None
    stored = {rule.name: rule.body for rule in _local.run(_all(org, data))}
    lines: list[str] = []
    for rule in wanted:
        before = files.write([stored[rule.name]]) if rule.name in stored else ""
        after = files.write([rule.document()])
        names = (f"{rule.name} (saved)", f"{rule.name} (file)")
        lines += unified_diff(before.splitlines(), after.splitlines(), *names, lineterm="")
    for line in lines:
        _out.say(line)
    if not lines:
        _out.note("no differences")
    elif exit_code:
        raise typer.Exit(1)


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
            org_id, rule = await _find(desk, org, name)
            if not yes:
                typer.confirm(f"Delete the rule {rule.name!r}?", abort=True)
            await desk.rules.delete(org_id, rule.id)
            return rule.name

    _out.say(f"{_local.run(work())} is deleted")


async def _all(org: str | None, data: _local.Data) -> list[StoredRule]:
    async with _local.opened(data) as desk:
        return await desk.rules.all((await desk.orgs.choose(org)).id)


async def _find(desk: Desk, org: str | None, name: str) -> tuple[Any, StoredRule]:
    """(organisation, rule) by the rule's name or id. Raises NotFound with the nearest name."""
    from difflib import get_close_matches

    from signaldesk.errors import NotFound

    org_id = (await desk.orgs.choose(org)).id
    rules = await desk.rules.all(org_id)
    for rule in rules:
        if name in (rule.name, str(rule.id)):
            return org_id, rule
    near = get_close_matches(name, [rule.name for rule in rules], n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else "`signaldesk rules list` shows what there is"
    raise NotFound(f"there is no rule {name[:100]!r}; {hint}")


def _shown(rule: StoredRule) -> dict[str, Any]:
    found = rule._asdict()
    return {
        "id": found["id"],
        "version": found["version"],
        "rule": found["body"],
        "updated_at": found["updated_at"],
    }


def _file_name(rule: StoredRule, taken: set[str]) -> str:
    """A file name from the rule's name, with its id when another rule has the same."""
    name = re.sub(r"[^a-z0-9]+", "-", rule.name.lower()).strip("-")[:80] or str(rule.id)
    name = f"{name}-{str(rule.id)[-8:]}" if name in taken else name
    taken.add(name)
    return name
