"""`signaldesk doctor`: what a deployment gets wrong, and how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from signaldesk.cli import _local, _out

if TYPE_CHECKING:
    from signaldesk.cli._doctor.finding import Finding
    from signaldesk.desk import Desk
    from signaldesk.roles.place import Running

GROUP = typer.Typer()

_MARKS = {"ok": "✓", "warning": "!", "failed": "✗"}
_STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red"}


@GROUP.command("doctor", rich_help_panel="Look after it")
def doctor(data: _local.Data = None, as_json: _local.Json = False) -> None:
    """Check everything a deployment gets wrong, each thing with its mend.

    Exit code 1 when something is broken; warnings alone are 0.

    \b
    Examples:
      signaldesk doctor
      signaldesk doctor --json | jq '.[] | select(.status != "ok")'
    """
    findings = _local.run(_all(data))
    if as_json:
        _out.data([finding._asdict() for finding in findings])
    else:
        _print(findings)
    if any(finding.status == "failed" for finding in findings):
        raise typer.Exit(1)


async def _all(data: _local.Data) -> list[Finding]:
    from signaldesk import settings as settings_module
    from signaldesk.cli._doctor import machine
    from signaldesk.cli._doctor.finding import failed
    from signaldesk.desk import opened
    from signaldesk.errors import SettingsError

    try:
        settings, urls, running = _local.find(data)
    except SettingsError as error:
        found = list(machine.check(settings_module.load(data_dir=data)))
        return [*found, failed("servers", "not found", error.detail)]
    findings = list(machine.check(settings))
    async with opened(settings, urls, role="doctor") as desk:
        return findings + await _servers(desk, running)


async def _servers(desk: Desk, running: Running | None) -> list[Finding]:
    from signaldesk.cli._doctor import engine, postgres, redis
    from signaldesk.cli._doctor.finding import failed, ok
    from signaldesk.errors import Unavailable
    from signaldesk.roles.waiting import place

    where = f"`signaldesk up`, process {running.pid}" if running else "the servers of the settings"
    findings = [ok("servers", where)]
    database = redis_ = True
    try:
        findings += [one async for one in postgres.check(desk.health, desk.urls.database, desk.clock)]
    except Unavailable:
        database = False
        at = place(desk.urls.database)
        findings.append(
            failed("PostgreSQL", f"no answer at {at}", "start it, or correct SIGNALDESK_DATABASE_URL")
        )
    try:
        asked = desk.clock.now_us()
        findings += redis.check(await desk.stream_health.facts(), asked)
    except Unavailable:
        redis_ = False
        at = place(desk.urls.redis)
        findings.append(failed("Redis", f"no answer at {at}", "start it, or correct SIGNALDESK_REDIS_URL"))
    if database and redis_ and not any(one.check == "schema" and one.status == "failed" for one in findings):
        findings += [one async for one in engine.check(desk.health, desk.stream_health, desk.clock)]
    return findings


def _print(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        style = _STYLES[finding.status]
        line = Text.assemble(
            (_MARKS[finding.status], style), f" {finding.check:{width}}  ", _out.plain(finding.found)
        )
        console.print(line)
        if finding.mend:
            console.print(Text(f"  {'':{width}}  → {_out.plain(finding.mend)}", style=style))
    count = {status: sum(one.status == status for one in findings) for status in _MARKS}
    warnings = f"{count['warning']} warning{'' if count['warning'] == 1 else 's'}"
    console.print(f"{count['ok']} in order, {warnings}, {count['failed']} broken")
