"""What chat and mail say about a firing beyond its title and sentence, most telling first."""

from __future__ import annotations

from datetime import UTC
from typing import NamedTuple

from signaldesk.channels._text import web_link
from signaldesk.clock import to_us
from signaldesk.model.message import Message, measured, number, plain

EVIDENCE_SHOWN = 5


class Fact(NamedTuple):
    """One name and its value. `text` is raw tenant text; `at` (µs) and `link` say it in a richer way."""

    name: str
    text: str
    short: bool = True
    at: int | None = None
    link: str | None = None


def facts(message: Message) -> list[Fact]:
    """Group, measurement, rule, event, links, labels, payload, evidence."""
    value = measured(message.value, message.at_least, message.margin)
    event = message.event
    found = [Fact(name, plain(value)) for name, value in message.group.items()]
    found.append(Fact("Severity", message.severity))
    found.append(Fact("Value", f"{value} (threshold {number(message.threshold)})"))
    if message.window_seconds:
        found.append(Fact("Window", f"{number(message.window_seconds)} s"))
    found.append(Fact("Rule", f"{message.rule.name} (version {message.rule.version})"))
    found.append(Fact("Time", f"{event.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC", at=to_us(event.at)))
    found += _links(message)
    found += [Fact(name, value) for name, value in message.labels.items()]
    if message.sample:
        lines = "\n".join(f"{name}: {plain(value)}" for name, value in message.sample.items())
        found.append(Fact("Payload", lines, short=False))
    found.append(Fact("Event", f"{event.type} {event.id or '(none came)'}", short=False))
    if message.evidence:
        found.append(Fact("Evidence", _evidence(message), short=False))
    return found


def _links(message: Message) -> list[Fact]:
    offered = (
        ("Alert page", message.links.alert),
        ("Runbook", message.runbook),
        ("Rule page", message.links.rule),
    )
    return [Fact(name, text, short=False, link=web_link(text)) for name, text in offered if text]


def _evidence(message: Message) -> str:
    """The newest few ids, and how many there are."""
    newest = [str(item) for item in message.evidence[-EVIDENCE_SHOWN:][::-1]]
    more = len(message.evidence) - len(newest)
    return "\n".join([*newest, *([f"and {more} more"] if more else [])])
