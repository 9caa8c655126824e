"""`signaldesk backtest`: what a rule would have done."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from signaldesk.cli import _local, _out, _remote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from signaldesk.backtest.comparison import Comparison
    from signaldesk.backtest.events import Events
    from signaldesk.backtest.result import Backtest
    from signaldesk.backtest.sweep import Sweep
    from signaldesk.client.report import ComparisonReport, Report
    from signaldesk.model.label import Label
    from signaldesk.model.rule import Rule, SavedRule

GROUP = typer.Typer()
STORED = "stored"
_ROWS = 50
"""Of a table for people."""


@GROUP.command("backtest", rich_help_panel="Look back")
def backtest(
    file: Annotated[Path, typer.Argument(metavar="RULE.yaml", help="The rule; - reads standard input.")],
    from_: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Judge events from then on, e.g. 2026-01-31.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="TIME", help="And before then. [now]")] = None,
    events: Annotated[
        Path | None,
        typer.Option("--events", metavar="FILE", help="Events of a Parquet, Arrow, CSV or NDJSON file."),
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option("--sweep", metavar="NAME=VALUES", help="Try values: at_least=2:20, within=30s,60s."),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="FILE|stored",
            help="Known incidents: a CSV file, or those of the organisation.",
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="RULE", help="Compare with this saved rule, by name or id."),
    ] = None,
    replay: Annotated[
        str, typer.Option("--replay", metavar="NAME", help="Judge the events of this import instead.")
    ] = "",
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw it into this HTML file.")
    ] = None,
    org: _local.OrgName = None,
    url: _remote.Url = None,
    key: _remote.Key = None,
    data: _local.Data = None,
    json: _local.Json = False,
) -> None:
    """Judge a rule over the past: what would have fired, whom it would have told.

    Exactly what the live engine would have made of the events, had the rule been saved at --from. Judges the
    events of the `signaldesk up` on this machine, or with --url and --key lets another installation judge its
    own.

    \b
    Examples:
      signaldesk backtest checkout.yaml --from 2026-01-01 --to 2026-02-01
      signaldesk backtest checkout.yaml --events events.parquet --json
      signaldesk backtest checkout.yaml --from 2026-01-01 --sweep at_least=2:20 --labels incidents.csv
      signaldesk backtest checkout.yaml --from 2026-01-01 --sweep at_least=2:20 --labels stored
      signaldesk backtest checkout.yaml --from 2026-01-01 --against "Checkout failures by country"
      signaldesk backtest checkout.yaml --from 2026-01-01 --url https://desk.example.com
    """
    from signaldesk.backtest import labels as labelled
    from signaldesk.backtest.sweep import grid
    from signaldesk.catalog import files

    if events is None:
        _remote.check(url, org=org, data=data)
    *given, rule = files.read([file]).parsed()
    parameters = _parameters(sweep) if sweep else {}
    points = grid(parameters) if sweep else []
    since, until = _time("--from", from_), _time("--to", to)
    if against is not None and (events is not None or sweep or plot is not None):
        message = "compares over stored events; leave out --events, --sweep and --plot"
        raise typer.BadParameter(message, param_hint="--against")
    if labels is not None and not sweep:
        message = "says which points of a sweep find them; add --sweep, e.g. at_least=2:20"
        raise typer.BadParameter(message, param_hint="--labels")
    if labels == STORED and events is not None:
        message = "means those beside stored events; name a CSV file, or leave out --events"
        raise typer.BadParameter(message, param_hint="--labels stored")
    known: Any = STORED if labels == STORED else labelled.read(Path(labels)) if labels else []
    found: Any
    if url is not None and events is None:
        if given:
            message = "judges one rule; leave out --url for rules that are made of others in the file"
            raise typer.BadParameter(message, param_hint="--url")
        order = {"rule": rule.document(), "from": _needed(since), "to": until, "against": against}
        found = _elsewhere(url, key, order | ({"replay": replay} if replay else {}), parameters, known)
    else:
        if events is not None:
            judged = _given(events, rule, given, since, until)
        else:
            until = until or _now()
            judged = _local.run(_stored(data, org, rule, given, against, _needed(since), until, replay))
        found = _tested(judged, since, until, points, judged.labels if known == STORED else known)
    if plot is not None:
        _draw(found, plot)
    _show(found, json)


def _draw(found: Any, file: Path) -> None:
    from signaldesk.backtest.picture import write

    try:
        write(found.plot(), file)
    except OSError as error:
        raise _out.Unusable(f"{file}: {error.strerror}; name another file with --plot") from None


class _Judged(NamedTuple):
    """What is judged; `lateness` (µs) is that of rules that say nothing of their own."""

    events: Events
    saved: SavedRule
    others: list[SavedRule]
    against: SavedRule | None = None
    labels: Sequence[Label] = ()
    missing: Sequence[str] = ()
    lateness: int | None = None


def _elsewhere(
    url: str, key: str | None, order: dict[str, Any], parameters: dict[str, Any], known: Any
) -> Report | ComparisonReport | Sweep:
    """What another installation makes of its own events."""
    import sys

    from signaldesk.backtest.sweep import listed
    from signaldesk.client import jobs

    bar = sys.stderr.isatty()
    with _remote.api(url, key, None) as api:
        if order["against"] is not None:
            return jobs.compare(api, order, progress=bar)
        if not parameters:
            return jobs.backtest(api, order, progress=bar)
        labels = known if known == STORED else [one._asdict() for one in known]
        return jobs.sweep(api, order | {"sweep": listed(parameters), "labels": labels}, progress=bar)


def _given(
    file: Path, rule: Rule, given: list[Rule], since: datetime | None, until: datetime | None
) -> _Judged:
    """The events of a file, and rules that nobody saved."""
    from signaldesk.backtest import rule as tuned
    from signaldesk.backtest.fold import unsaved
    from signaldesk.clock import to_us

    if since and until and until <= since:
        raise typer.BadParameter("does not come after --from; nothing lies between them", param_hint="--to")
    first, last = (to_us(one) if one else None for one in (since, until))
    others = [tuned.Rule(one.document()) for one in given]
    events = tuned.Rule(rule.document()).loaded(file, others, since=first, until=last)
    return _Judged(events, unsaved(rule), [unsaved(one) for one in given])


def _needed(since: datetime | None) -> datetime:
    if since is None:
        raise typer.BadParameter("say from when on, e.g. --from 2026-01-01", param_hint="--from")
    return since


async def _stored(
    data: Path | None,
    org: str | None,
    rule: Rule,
    given: list[Rule],
    against: str | None,
    since: datetime,
    until: datetime,
    replay: str,
) -> _Judged:
    """The events of the installation on this machine, and the rules with the identities they have there."""
    import asyncio

    from signaldesk.backtest import stored
    from signaldesk.clock import MICROS, from_us

    async with _local.opened(data) as desk:
        org_id = (await desk.orgs.choose(org)).id
        known = await desk.rules.all(org_id)
        others = stored.others(org_id, rule, given, known)
        old = None
        if against is not None:
            found = await stored.judges(desk.rules, org_id, against, field="--against")
            old, others = found.saved, [*others, *(one for one in found.others if one not in others)]
        every = [rule, *(one.rule for one in (old, *others) if one is not None)]
        now = from_us(desk.clock.now_us())
        loaded = await asyncio.to_thread(
            stored.load, desk.history, org_id, every, since, until, now=now, replay=replay
        )
        lateness = desk.settings.allowed_lateness * MICROS
        labels = await desk.labels.between(org_id, since, until)
    saved = stored.identified(org_id, rule, known)
    return _Judged(loaded.events, saved, others, old, labels, loaded.missing, lateness)


def _tested(
    judged: _Judged,
    since: datetime | None,
    until: datetime | None,
    points: list[dict[str, Any]],
    known: Sequence[Label],
) -> Backtest | Sweep | Comparison:
    import sys

    from signaldesk.backtest.comparison import compared
    from signaldesk.backtest.rule import backtest, swept
    from signaldesk.clock import to_us

    span: dict[str, Any] = {
        "since": to_us(since) if since else None,
        "until": to_us(until) - 1 if until else None,
        "lateness": judged.lateness,
    }
    saved, events, others = judged.saved, judged.events, judged.others
    found: Backtest | Sweep | Comparison
    if judged.against is not None:
        found = compared(saved, judged.against, events, others=others, **span)
    elif points:
        bar = sys.stderr.isatty()
        found = swept(saved, events, points, others=others, labels=known, progress=bar, **span)
    else:
        found = backtest(saved, events, others=others, **span)
    found.missing = judged.missing
    return found


def _show(found: Backtest | Report | Sweep | Comparison | ComparisonReport, json: bool) -> None:
    from signaldesk.backtest.comparison import Comparison
    from signaldesk.backtest.sweep import Sweep
    from signaldesk.client.report import ComparisonReport

    _out.damage(found.missing)
    for note in found.notes:
        _out.note(note)
    if json:
        _out.data(found.as_json())
    elif isinstance(found, Comparison | ComparisonReport):
        _show_comparison(found)
    elif isinstance(found, Sweep):
        _show_sweep(found)
    else:
        _show_backtest(found)


def _show_backtest(found: Backtest | Report) -> None:
    from signaldesk.model.message import brief, group_text, many

    noisy = [one for one in found.summary["noisiest"] if one["group"]]
    groups = [f"{group_text(one['group'])} ({one['firings']:,})" for one in noisy]
    held = [f"{times:,} by {reason}" for reason, times in found.summary["suppressed"].items()]
    written = {"suppressed": ", ".join(held) or "none", "noisiest": "; ".join(groups)}
    for name, value in found.summary.items():
        text = written.get(name, f"{value:,}" if isinstance(value, int | float) else value)
        if name not in ("threshold", "notes") and text:
            _out.say(f"{name.replace('_', ' ')}: {text}")
    firings = found.as_json()["firings"]
    values = [brief(one["value"], one.get("at_least", False), one.get("margin")) for one in firings[:_ROWS]]
    rows = [(one["at"], group_text(one["group"]), value) for one, value in zip(firings, values, strict=False)]
    _table(("at", "group", "value"), rows, empty="nothing would have fired")
    if len(firings) > _ROWS:
        _out.note(f"and {many(len(firings) - _ROWS, 'firing')} more; --json has them all")


def _show_comparison(found: Comparison | ComparisonReport) -> None:
    from signaldesk.model.message import group_text

    _out.say(found.sentence)
    whole = found.as_json()
    shown = [(what, one) for what in ("missed", "extra") for one in whole[what][:_ROWS]]
    cells = [(what, one["opened_at"], group_text(one["group"]), one["firings"]) for what, one in shown]
    _table(("alert", "opened", "group", "firings"), cells, empty="the same alerts")


def _show_sweep(found: Sweep) -> None:
    best = [point.parameters for point in found.recommended]
    frame = found.table()
    frame.insert(0, "best", ["*" if point.parameters in best else "" for point in found.points])
    _table([str(name) for name in frame.columns], frame.round(3).values.tolist(), empty="no points")


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str) -> None:
    """With a heading on a pipe as well: nobody knows these columns by heart."""
    import sys

    if rows and not sys.stdout.isatty():
        _out.say("\t".join(columns))
    _out.table(columns, rows, empty=empty)


def _parameters(given: list[str]) -> dict[str, Any]:
    """`at_least=2:20` is every whole number from 2 to 20; `within=30s,60s` these two."""
    from signaldesk.errors import FieldError, Invalid

    found: dict[str, Any] = {}
    faults = []
    for one in given:
        name, sign, text = one.partition("=")
        first, colon, last = text.partition(":")
        if not sign or not text:
            faults.append(FieldError("--sweep", f"{one[:60]!r} names no values; write at_least=2:20"))
        elif name in found:
            faults.append(FieldError("--sweep", f"{name[:60]!r} is given twice; write all its values in one"))
        elif colon and first.isdigit() and last.isdigit():
            found[name] = list(range(int(first), int(last) + 1))
        else:
            found[name] = [_value(part) for part in text.split(",")]
    if faults:
        raise Invalid("this is no grid", errors=faults)
    return found


def _value(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _time(option: str, text: str | None) -> datetime | None:
    """A day or a time; without a zone it is UTC."""
    from datetime import UTC

    from signaldesk.clock import in_utc

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return in_utc(found if found.tzinfo else found.replace(tzinfo=UTC))
    except ValueError:
        message = f"{text[:40]!r} is no time; write 2026-01-31 or 2026-01-31T12:00:00Z"
        raise typer.BadParameter(message, param_hint=option) from None


def _now() -> datetime:
    from signaldesk.clock import SystemClock, from_us

    return from_us(SystemClock().now_us())
