"""`signaldesk send`: events, one from the command line or many from a file."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from signaldesk.cli import _event, _eventfile, _local, _out, _remote

if TYPE_CHECKING:
    from signaldesk.client.lines import Batch
    from signaldesk.client.sending import Outcome, Sender

GROUP = typer.Typer()

AUTO = "auto"
SHOWN = 20
"""Rejected lines that are listed; --json lists all."""


class SendCommand(TyperCommand):
    """`--replay` may stand alone or be followed by a name, which the parser itself cannot express."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for place, word in enumerate(args):
            if word == "--":
                break
            if word == "--replay" and (place + 1 == len(args) or args[place + 1].startswith("-")):
                args = [*args[:place], f"--replay={AUTO}", *args[place + 1 :]]
                break
        return super().parse_args(ctx, args)


@GROUP.command("send", cls=SendCommand, rich_help_panel="Send and watch")
def send(
    type: Annotated[str | None, typer.Argument(metavar="TYPE", help="Type of one event.")] = None,
    fields: Annotated[
        list[str] | None, typer.Argument(metavar="key=value …", help="Its payload; a.b=1 is {a: {b: 1}}.")
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", "-f", metavar="FILE", help="Events, one JSON object a line; .gz; - is stdin."),
    ] = None,
    times: Annotated[int, typer.Option(min=1, max=10_000, help="Send the one event so often.")] = 1,
    source: Annotated[str | None, typer.Option(help="Source of the one event.")] = None,
    timestamp: Annotated[str | None, typer.Option(help="Event time of the one event. [now]")] = None,
    replay: Annotated[
        str | None,
        typer.Option("--replay", metavar="[NAME]", help="An import, judged in its own event time."),
    ] = None,
    notify: Annotated[bool, typer.Option("--notify", help="Let the import tell people.")] = False,
    batch: Annotated[int, typer.Option(min=1, max=10_000, help="Events per request.")] = 1000,
    patience: Annotated[float, typer.Option(min=0, help="Seconds to go on trying without an answer.")] = 60.0,
    url: _remote.Url = None,
    key: _remote.Key = None,
    data: _local.Data = None,
    as_json: _local.Json = False,
) -> None:
    """Send one event, or a file of them. Nothing doubles, however often an answer goes missing.

    An import (--replay) has its own windows, cooldowns and alerts, apart from those of live events.
    Exit code 1 when an event was not taken; each is listed by its line.

    \b
    Examples:
      signaldesk send checkout_failed country=DE amount=25.5
      signaldesk send checkout_failed country=DE --times 3
      signaldesk send --file events.ndjson --url https://desk.example.com
      signaldesk send --file flights.ndjson.gz --replay january
    """
    from signaldesk.client.sending import Sender

    if (type is None) == (file is None):
        raise typer.BadParameter("name the TYPE of one event, or a --file; not both", param_hint="TYPE")
    if type is not None and "=" in type:
        found = f"{type[:40]!r} is of the payload; the TYPE stands before that"
        raise typer.BadParameter(found, param_hint="TYPE")
    if notify and replay is None:
        raise typer.BadParameter("only an import (--replay) has to be asked to notify", param_hint="--notify")
    one = _event.event(type, fields or [], source, timestamp) if type is not None else None
    lane = _lane(replay, file) if replay is not None else ""
    with _remote.api(url, key, data) as api:
        sender = Sender(api, replay=lane, notify=notify, patience=patience)
        began = time.monotonic()
        if file is not None:
            _send_file(sender, file, batch)
        else:
            _send_one(sender, json.dumps(one).encode(), times, batch)
    _report(sender.outcome, time.monotonic() - began, lane, as_json=as_json)


def _lane(replay: str, file: str | None) -> str:
    """The name of an import: the given one, or one that no import had before."""
    if replay != AUTO:
        return replay
    stem = Path(file or "event").name.partition(".")[0]
    readable = "".join(c if c.isascii() and c.isalnum() else "-" for c in stem).strip("-")[:40]
    return f"{readable or 'stdin'}-{datetime.now(UTC):%Y%m%dT%H%M%S}"


def _send_one(sender: Sender, line: bytes, times: int, batch: int) -> None:
    from signaldesk.client.lines import batches

    sender.send_all(batches([line] * times, most_lines=batch), after_each=lambda _: None)


def _send_file(sender: Sender, file: str, batch: int) -> None:
    from signaldesk.client.lines import batches

    with _eventfile.opened(file) as events, _eventfile.progress(events.size) as advance:
        sent = 0

        def after(one: Batch) -> None:
            nonlocal sent
            sent += len(one.numbers)
            advance(sent, events.position())

        sender.send_all(batches(events.lines, most_lines=batch), after_each=after)


def _report(outcome: Outcome, seconds: float, lane: str, *, as_json: bool) -> None:
    if as_json:
        rejected = [one._asdict() for one in outcome.rejected]
        found = {"accepted": outcome.accepted, "rejected": rejected, "repeated": outcome.again}
        _out.data({**found, "seconds": round(seconds, 3), "replay": lane or None})
    else:
        _summarise(outcome, seconds, lane)
    if outcome.rejected:
        raise typer.Exit(1)


def _summarise(outcome: Outcome, seconds: float, lane: str) -> None:
    parts = [f"{outcome.accepted:,} accepted in {seconds:.1f} s"]
    if outcome.accepted > 1000:
        parts.append(f"{outcome.accepted / seconds:,.0f} a second")
    if outcome.again:
        parts.append(f"{outcome.again} requests repeated")
    if lane:
        parts.append(f"import {lane}")
    _out.say(", ".join([*parts, f"{len(outcome.rejected):,} rejected"]))
    for one in outcome.rejected[:SHOWN]:
        _out.note(f"line {one.line}: {f'{one.field}: ' if one.field else ''}{one.message}")
    if len(outcome.rejected) > SHOWN:
        _out.note(f"and {len(outcome.rejected) - SHOWN:,} more; --json lists them all")
