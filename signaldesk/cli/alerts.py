"""`signaldesk alerts`: what is open, and what to do about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from signaldesk.cli import _local

if TYPE_CHECKING:
    from signaldesk.desk import Desk
    from signaldesk.store.alerts import AlertRecord, Changed

GROUP = typer.Typer(
    name="alerts",
    help="Alerts: list, show, acknowledge, resolve, snooze; silence what you know about.",
    no_args_is_help=True,
    rich_help_panel="Send and watch",
)

Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="The alert's id; several are fine.")]
Act = Callable[["Desk", UUID, UUID, datetime], Awaitable["Changed"]]


@GROUP.command("list")
def list_alerts(
    state: Annotated[
        str, typer.Option(metavar="STATE,…", help="open, acknowledged, snoozed, resolved.")
    ] = "open,acknowledged,snoozed",
    severity: Annotated[
        str, typer.Option(metavar="SEVERITY,…", help="critical, error, warning, info; all without.")
    ] = "",
    rule: Annotated[str | None, typer.Option(metavar="NAME", help="Alerts of this rule only.")] = None,
    text: Annotated[
        str, typer.Option("--search", metavar="WORDS", help="Words of titles, groups, labels.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most that are shown.")] = 50,
    org: _local.OrgName = None,
    data: _local.Data = None,
    json: _local.Json = False,
) -> None:
    """List alerts, latest firing first.

    \b
    Examples:
      signaldesk alerts list
      signaldesk alerts list --severity critical --json
      signaldesk alerts list --rule "Checkout failures by country" --state resolved
    """
    from signaldesk.cli import _out
    from signaldesk.cli._rules.finding import find
    from signaldesk.model.inbox import FOLDERS, AlertFilter
    from signaldesk.model.message import group_text
    from signaldesk.model.rule import SEVERITIES

    wanted = AlertFilter(
        states=_some(state, FOLDERS, "--state"),
        severities=_some(severity, SEVERITIES, "--severity") if severity else (),
        text=text,
    )

    async def work() -> list[AlertRecord]:
        async with _local.opened(data) as desk:
            if rule is None:
                org_id, chosen = (await desk.orgs.choose(org)).id, wanted
            else:
                org_id, found = await find(desk, org, rule)
                chosen = wanted._replace(rule_id=found.id)
            return await desk.alerts.page(org_id, chosen, limit=limit)

    found = _local.run(work())
    if json:
        _out.data([alert._asdict() for alert in found])
        return
    rows = [
        (
            *(one.id, one.severity, one.state, one.title, group_text(one.group), one.firings),
            f"{one.last_fired_at:%Y-%m-%d %H:%M}",
        )
        for one in found
    ]
    columns = ("id", "severity", "state", "title", "group", "firings", "last fired (UTC)")
    _out.table(columns, rows, empty="no alerts: all quiet")


@GROUP.command("show")
def show(
    alert: Annotated[str, typer.Argument(metavar="ID", help="The alert's id.")],
    org: _local.OrgName = None,
    data: _local.Data = None,
    json: _local.Json = False,
) -> None:
    """Show one alert with its timeline, oldest first.

    \b
    Examples:
      signaldesk alerts show 019aa1c4-0000-7000-8000-0000000000e3
    """
    from signaldesk.cli import _out
    from signaldesk.model.message import group_text

    async def work() -> tuple[AlertRecord, list[Any]]:
        async with _local.opened(data) as desk:
            org_id = (await desk.orgs.choose(org)).id
            id_ = _id(alert)
            with _there(id_):
                return await desk.alerts.get(org_id, id_), await desk.alert_story.timeline(org_id, id_)

    found, timeline = _local.run(work())
    if json:
        _out.data({**found._asdict(), "timeline": [entry._asdict() for entry in timeline]})
        return
    _out.say(f"{found.severity} {found.state}: {found.title} ({group_text(found.group)})")
    for entry in timeline:
        times = f" ×{entry.times} until {entry.until:%H:%M:%S}" if entry.times > 1 else ""
        by = f" by {entry.actor}" if entry.actor else ""
        more = ", ".join(f"{name.replace('_', ' ')} {_shown(value)}" for name, value in entry.detail.items())
        what = entry.kind.replace("_", " ")
        _out.say(f"{entry.at:%Y-%m-%d %H:%M:%S}  {what}{times}{by}{f': {more}' if more else ''}")


def _shown(value: Any) -> str:
    return " and ".join(map(str, value)) if isinstance(value, list) else str(value)


@GROUP.command("ack")
def ack(ids: Ids, org: _local.OrgName = None, data: _local.Data = None) -> None:
    """Say that somebody is on it.

    \b
    Examples:
      signaldesk alerts ack 019aa1c4-0000-7000-8000-0000000000e3
    """
    _each(ids, org, data, "acknowledged", lambda desk, org_id, id_, at: desk.alerts.acknowledge(
        org_id, id_, by=_local.me(), at=at))  # fmt: skip


@GROUP.command("resolve")
def resolve(ids: Ids, org: _local.OrgName = None, data: _local.Data = None) -> None:
    """Say that it is over. The next firing of its group opens another one.

    \b
    Examples:
      signaldesk alerts resolve 019aa1c4-0000-7000-8000-0000000000e3
    """
    _each(ids, org, data, "resolved", lambda desk, org_id, id_, at: desk.alerts.resolve(
        org_id, id_, by=_local.me(), at=at))  # fmt: skip


@GROUP.command("snooze")
def snooze(
    ids: Ids,
    lasts: Annotated[
        str, typer.Option("--for", metavar="2h", help="For so long; until it grows, when left out.")
    ] = "",
    org: _local.OrgName = None,
    data: _local.Data = None,
) -> None:
    """Hear nothing of it for a while, or until it grows.

    \b
    Examples:
      signaldesk alerts snooze 019aa1c4-0000-7000-8000-0000000000e3 --for 2h
    """
    from signaldesk.store.alerts import Snooze

    quiet = _lasts(lasts) if lasts else None

    def act(desk: Desk, org_id: UUID, id_: UUID, at: datetime) -> Awaitable[Changed]:
        until = Snooze(at + quiet) if quiet else None
        return desk.alerts.snooze(org_id, id_, until, by=_local.me(), at=at)

    _each(ids, org, data, "snoozed", act)


@GROUP.command("silence")
def silence(
    matchers: Annotated[
        list[str],
        typer.Argument(metavar="NAME=VALUE…", help="What it is about: with =, !=, =~ or !~. All must fit."),
    ],
    lasts: Annotated[str, typer.Option("--for", metavar="2h", help="How long it holds.")],
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    maintenance: Annotated[bool, typer.Option("--maintenance", help="Call it a maintenance window.")] = False,
    org: _local.OrgName = None,
    data: _local.Data = None,
    json: _local.Json = False,
) -> None:
    """Hold back what rules would tell, from now on for a while. Rules go on judging, alerts open.

    \b
    Examples:
      signaldesk alerts silence team=payments 'country=~DE|FR' --for 2h --comment "new provider"
    """
    from signaldesk.cli import _out
    from signaldesk.clock import from_us
    from signaldesk.store.silences import Matches, SilenceDraft, SilenceRecord

    quiet, found = _lasts(lasts), tuple(map(_matcher, matchers))
    kind = "maintenance" if maintenance else "silence"

    async def work() -> tuple[SilenceRecord, Matches]:
        async with _local.opened(data) as desk:
            org_id, now = (await desk.orgs.choose(org)).id, from_us(desk.clock.now_us())
            draft = SilenceDraft(kind, found, now, now + quiet, comment)
            made = await desk.silences.create(org_id, draft, by=_local.me(), at=now)
            return made, await desk.silences.matching(org_id, found)

    made, about = _local.run(work())
    if json:
        _out.data({**made._asdict(), "alerts": len(about.alerts), "rules": len(about.rules)})
        return
    _out.say(
        f"{kind} {made.id} holds until {made.ends_at:%Y-%m-%d %H:%M} UTC; "
        f"now about {_times(about.alerts, 'open alert')} and {_times(about.rules, 'rule')}"
    )


def _each(ids: list[str], org: str | None, data: _local.Data, done: str, act: Act) -> None:
    """Do it with each alert, and say so. Stops at the first that cannot be changed."""
    from signaldesk.cli import _out
    from signaldesk.clock import from_us

    wanted = list(map(_id, ids))

    async def work() -> None:
        async with _local.opened(data) as desk:
            org_id, now = (await desk.orgs.choose(org)).id, from_us(desk.clock.now_us())
            for id_ in wanted:
                with _there(id_):
                    alert, changed = await act(desk, org_id, id_, now)
                if changed:
                    await desk.news.publish(org_id, alert.news(now))
                _out.say(f"{alert.title}: {done if changed else f'was {alert.state} already'}")

    _local.run(work())


def _times(found: list[Any], word: str) -> str:
    return f"{len(found)} {word}{'' if len(found) == 1 else 's'}"


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text[:40]!r} is no id; `signaldesk alerts list` shows them", param_hint="ID"
        ) from None


@contextmanager
def _there(id_: UUID) -> Iterator[None]:
    """Say which alert is missing. Raises NotFound."""
    from signaldesk.errors import NotFound

    try:
        yield
    except NotFound:
        raise NotFound(f"there is no alert {id_}; `signaldesk alerts list` shows what there is") from None


def _some(text: str, known: tuple[str, ...], option: str) -> tuple[str, ...]:
    chosen = tuple(part.strip() for part in text.split(","))
    if strangers := [one for one in chosen if one not in known]:
        raise typer.BadParameter(f"{strangers[0][:40]!r}; known are {', '.join(known)}", param_hint=option)
    return chosen


def _lasts(text: str) -> timedelta:
    from signaldesk.model import duration

    try:
        return timedelta(microseconds=duration.parse(text))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--for") from None


def _matcher(text: str) -> Any:
    """`country=~DE|FR`."""
    import re

    from signaldesk.model.silence import Matcher, pattern

    found = re.fullmatch(r"([^=!]+)(=~|!~|!=|=)(.*)", text, re.DOTALL)
    if found is None:
        raise typer.BadParameter(
            f"{text[:40]!r}: write name=value, e.g. team=payments", param_hint="NAME=VALUE"
        )
    name, operator, value = found.groups()
    if operator in ("=~", "!~"):
        try:
            pattern(value)
        except ValueError as error:
            raise typer.BadParameter(
                f"{value[:40]!r} cannot be read: {error}", param_hint="NAME=VALUE"
            ) from None
    return Matcher(name.strip(), operator, value)  # type: ignore[arg-type]
