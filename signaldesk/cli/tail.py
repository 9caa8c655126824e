"""`signaldesk tail`: live events and alerts in the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from signaldesk.cli import _live, _local, _out, _remote

if TYPE_CHECKING:
    from signaldesk.stream.live import LiveFeed

GROUP = typer.Typer()

_STYLES = {"quiet": "dim", "info": "cyan", "warning": "yellow", "error": "red", "critical": "bold red"}


@GROUP.command("tail", rich_help_panel="Send and watch")
def tail(
    type: Annotated[
        str | None, typer.Option("--type", metavar="GLOB", help="Only events of this type; * is anything.")
    ] = None,
    where: Annotated[
        str | None, typer.Option("--where", metavar="EXPR", help="Only events for which this is true.")
    ] = None,
    org: _local.OrgName = None,
    url: _remote.Url = None,
    key: _remote.Key = None,
    data: _local.Data = None,
    as_json: _local.Json = False,
) -> None:
    """Show events and alerts as they come, until Ctrl-C.

    Listens to the `signaldesk up` on this machine, or with --url and --key to any other installation.

    \b
    Examples:
      signaldesk tail --type 'checkout_*'
      signaldesk tail --where "amount > 20 AND country = 'DE'"
      signaldesk tail --url https://desk.example.com --json
    """
    _remote.check(url, org=org, data=data)
    check = _live.wanted(type, where)
    everything = type is None and where is None
    source = _remote_messages(url, key) if url is not None else _local_messages(data, org)

    def show(message: Mapping[str, Any]) -> None:
        if message["kind"] == "connected":
            _out.note("listening; Ctrl-C ends it")
        elif as_json:
            _print_json(message, check)
        else:
            for line in _live.lines(message, check, everything=everything):
                _print_line(line)

    _local.run(_follow(source, show))


async def _follow(source: AsyncIterator[Mapping[str, Any]], show: Any) -> None:
    """Show messages until a signal."""
    from signaldesk.roles.signals import stop_on_signals

    async def all_of_them() -> None:
        async with aclosing(source) as messages:  # type: ignore[type-var]
            async for message in messages:
                show(message)

    stop = stop_on_signals()
    following = asyncio.create_task(all_of_them())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({following, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if following.done():
        following.result()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def _local_messages(data: _local.Data, org: str | None) -> AsyncIterator[Mapping[str, Any]]:
    from signaldesk.stream.live import LiveFeed

    async with _local.opened(data) as desk:
        chosen = await desk.orgs.choose(org)
        feed = LiveFeed(desk.redis)
        await feed.follow(chosen.id)
        heard: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        listening = asyncio.create_task(_listen(feed, chosen.id, heard))
        try:
            while True:
                yield await heard.get()
        finally:
            listening.cancel()


async def _listen(feed: LiveFeed, org_id: UUID, heard: asyncio.Queue[Mapping[str, Any]]) -> None:
    """Put messages into the queue, and word that the subscription stands before the first one."""

    async def say_when_heard() -> None:
        while org_id not in feed.heard:  # noqa: ASYNC110  a set, not an event
            await asyncio.sleep(0.01)
        heard.put_nowait({"kind": "connected"})

    async with asyncio.TaskGroup() as group:
        group.create_task(say_when_heard())
        async for _, message in feed.messages():
            heard.put_nowait(message)


async def _remote_messages(url: str, key: str | None) -> AsyncIterator[Mapping[str, Any]]:
    from signaldesk.client.live import messages

    with _remote.api(url, key, None) as api:
        async for message in messages(api):
            yield message


def _print_json(message: Mapping[str, Any], check: _live.Wanted) -> None:
    """One line for each event and each other message."""
    import json
    import sys

    found = _live.events(message, check) if message["kind"] == "events" else [message]
    for one in found:
        sys.stdout.write(json.dumps(one, ensure_ascii=False, default=str) + "\n")
    sys.stdout.flush()


def _print_line(line: _live.Line) -> None:
    import sys

    if sys.stdout.isatty():
        from rich.console import Console
        from rich.text import Text

        Console(soft_wrap=True).print(Text(_out.plain(line.text), style=_STYLES.get(line.tone, "")))
    else:
        _out.say(line.text)
        sys.stdout.flush()
