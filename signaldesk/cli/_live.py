"""Live messages as lines for people, and which of them somebody wants to see."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

Message = Mapping[str, Any]
Wanted = Callable[[Message], bool]


class Line(NamedTuple):
    """One line; `tone` is "event", or the severity of an alert, or "quiet"."""

    text: str
    tone: str


def wanted(glob: str | None, where: str | None) -> Wanted:
    """Which events are shown: of a type (`checkout_*`), for which an expression is true. Raises Invalid."""
    from datetime import datetime

    from signaldesk import filters
    from signaldesk.clock import to_us

    pattern = re.compile(".*".join(map(re.escape, glob.split("*")))) if glob else None
    predicate = filters.parse(where).predicate if where else None

    def check(event: Message) -> bool:
        if pattern is not None and not pattern.fullmatch(event["type"]):
            return False
        if predicate is None:
            return True
        at = to_us(datetime.fromisoformat(event["timestamp"]))
        return predicate(dict(event["payload"]), event["type"], event["source"], at)

    return check


def events(message: Message, check: Wanted) -> list[Message]:
    """The events of a message that are wanted."""
    return [event for event in message.get("latest", ()) if check(event)]


def lines(message: Message, check: Wanted, *, everything: bool) -> Iterator[Line]:
    """What to show of a message. `everything`: no filter is set, so say how many events are left out."""
    kind = message["kind"]
    if kind == "events":
        for event in events(message, check):
            payload = json.dumps(event["payload"], ensure_ascii=False)
            yield Line(f"{_time(event['timestamp'])}  {event['type']}  {payload}", "event")
        left = message["n"] - len(message["latest"])
        if everything and left > 0:
            yield Line(f"          … and {left} more", "quiet")
    elif kind == "alert":
        group = ", ".join(f"{name} = {value}" for name, value in message["group"].items())
        again = "" if message["state"] == "open" else f" (firing {message['firings']})"
        of = f" for {group}" if group else ""
        text = f"{_time(message['at'])}  {message['severity'].upper()}  {message['title']}{of}{again}"
        yield Line(text, message["severity"])
    elif kind == "notification" and message.get("status"):
        reason = f": {message['error']}" if message.get("error") else ""
        text = f"{_time(message['at'])}  {message['status']} through {message['channel']}{reason}"
        yield Line(text, "quiet" if message["status"] == "sent" else "warning")
    elif kind == "system":
        yield Line(f"          {message.get('detail', '')}", "warning")


def _time(moment: str) -> str:
    """`2026-01-31T12:00:00.000001Z` → `12:00:00.000`."""
    return moment[11:23]
