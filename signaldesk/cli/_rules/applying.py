"""`signaldesk rules apply` and `rules diff`: from files to the saved rules."""

from __future__ import annotations

import json as plain_json
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from signaldesk.cli import _local

if TYPE_CHECKING:
    from signaldesk.catalog.changes import RuleChanged

Paths = Annotated[
    list[Path],
    typer.Argument(metavar="FILE|FOLDER|- …", help="YAML files, folders of them, - for standard input."),
]
Prune = Annotated[bool, typer.Option("--prune", help="Also delete every rule that is in none of the files.")]


def apply(
    paths: Paths,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    prune: Prune = False,
    org: _local.OrgName = None,
    data: _local.Data = None,
    json: _local.Json = False,
) -> None:
    """Create and update rules by name, all of them or none. What is unchanged stays untouched.

    The first event after it is judged by the new version. Rules that are in no file stay, unless --prune says
    otherwise.

    \b
    Examples:
      signaldesk rules apply rules/
      signaldesk rules apply checkout.yaml --dry-run
      signaldesk rules apply rules/ --prune
      generate-rules | signaldesk rules apply -
    \b
    A rule:
      name: Checkout failures by country
      event: checkout_failed
      where: amount > 20
      by: country
      when: {kind: count, at_least: 3, within: 60s}
      cooldown: 5m
      severity: critical
    """
    from signaldesk.cli import _out

    done = _apply(paths, dry_run=dry_run, prune=prune, org=org, data=data)
    if json:
        _out.data([_shown(one) for one in done])
        return
    would = "would be " if dry_run else ""
    for one in done:
        _out.say(f"{one.name}: {would if one.change != 'unchanged' else ''}{one.change}")
        for field in one.fields:
            _out.say(f"  {field.field}: {_value(field.before)} → {_value(field.after)}")
        if one.begins_anew:
            _out.say("  the condition changes: windows begin empty, open alerts are resolved")


def diff(
    paths: Paths,
    prune: Prune = False,
    org: _local.OrgName = None,
    data: _local.Data = None,
    json: _local.Json = False,
) -> None:
    """Show what `apply` would change, line by line. Exit code 1 when there is anything.

    Rules that are in no file are left out, unless --prune says otherwise.

    \b
    Examples:
      signaldesk rules diff rules/
      signaldesk rules diff rules/ --prune --json
    """
    from signaldesk.catalog.yaml_text import write
    from signaldesk.cli import _out

    changed = [
        one
        for one in _apply(paths, dry_run=True, prune=prune, org=org, data=data)
        if one.change != "unchanged"
    ]
    if json:
        _out.data([_shown(one) for one in changed])
    for one in () if json else changed:
        before, after = (write([body]) if body else "" for body in (one.before, one.after))
        names = (f"{one.name} (saved)", f"{one.name} (files)")
        for line in unified_diff(before.splitlines(), after.splitlines(), *names, lineterm=""):
            _out.say(line)
    if changed:
        raise typer.Exit(1)
    _out.note("no differences")


def _apply(
    paths: list[Path], *, dry_run: bool, prune: bool, org: str | None, data: _local.Data
) -> list[RuleChanged]:
    from signaldesk.catalog import files
    from signaldesk.errors import Invalid

    sources = files.read(paths)
    if sources.faults:
        sources.parsed()  # raises, with everything else that is wrong

    async def work() -> list[RuleChanged]:
        async with _local.opened(data) as desk:
            chosen = await desk.orgs.choose(org)
            try:
                return await desk.rules.apply(
                    chosen.id, sources.documents, by=_local.me(), prune=prune, dry_run=dry_run
                )
            except Invalid as error:
                raise sources.located(error) from None

    return _local.run(work())


def _shown(one: RuleChanged) -> dict[str, Any]:
    return {
        "name": one.name,
        "change": one.change,
        "version": one.version or None,
        "fields": [field._asdict() for field in one.fields],
        "begins_anew": one.begins_anew,
    }


def _value(value: Any) -> str:
    """A value on one line; nothing is a dash."""
    if value is None:
        return "–"
    text = value if isinstance(value, str) else plain_json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:79]}…"
