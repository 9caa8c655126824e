"""What a notification says, before any channel gives it a shape.

`notifications.message` holds one `Message` as JSON (`to_json`); the dispatcher reads it back (`from_json`)
and hands it to a channel, which renders it. A message holds everything a channel may want to show, so that
sending never needs to look anything up, and a retry tomorrow says the same as the first attempt.

Who makes one needs only plain values: `for_firing` asks for exactly these, `for_test` for even fewer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from signaldesk.clock import from_us
from signaldesk.ids import of_event
from signaldesk.model import duration
from signaldesk.model.rule import Severity

EVIDENCE_MAX = 100
"""Most event ids a message carries."""
SAMPLE_FIELDS = 20
"""Most payload fields a message carries, as a taste of the event that fired."""
SAMPLE_CHARACTERS = 200
"""Most characters of one sampled value."""
TITLE_CHARACTERS = 200


Kind = Literal["firing", "resolved", "storm", "test"]
"""`resolved`: an alert is over by itself. `storm`: many alerts of one rule, told at once."""


class RuleRef(msgspec.Struct, frozen=True, kw_only=True):
    """The rule that fired, as it was named at that moment."""

    id: UUID
    name: str
    version: int


class EventRef(msgspec.Struct, frozen=True, kw_only=True):
    """The event that made the rule fire; `at` is its own time, with a time zone.

    `id` is None when none ever came, which is what the rule fired for.
    """

    id: UUID | None
    type: str
    at: datetime


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """Absolute http(s) addresses of pages of this installation."""

    alert: str | None = None
    rule: str | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One notification's content. Text comes from tenants: every channel escapes it in its own markup.

    `value` is what was measured, a lower bound when `at_least`; `margin` is how far off it may be, as a share
    of it, None when it is exact. `window_seconds` is 0 for a rule without a window. `evidence` are ids of at
    most 100 events, oldest first. `sample` are a few payload fields.
    """

    id: UUID
    kind: Kind
    org_id: UUID
    org: str
    rule: RuleRef
    severity: Severity
    title: str
    summary: str
    event: EventRef
    alert_id: UUID | None = None
    group: dict[str, Any] = {}
    value: float
    at_least: bool = False
    margin: float | None = None
    threshold: float
    window_seconds: float
    evidence: tuple[UUID, ...] = ()
    labels: dict[str, str] = {}
    runbook: str | None = None
    links: Links = Links()
    sample: dict[str, Any] = {}
    alerts: int = 1
    """How many alerts it is about."""
    groups: tuple[dict[str, Any], ...] = ()
    """Of a storm, the first few groups."""

    @property
    def tone(self) -> str:
        """The severity, or `resolved`: what a channel chooses a colour by."""
        return "resolved" if self.kind == "resolved" else self.severity


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Message)


def to_json(message: Message) -> str:
    """The message as the JSON text that `notifications.message` holds."""
    return _encoder.encode(message).decode()


def from_json(text: str | bytes) -> Message:
    """The message of a JSON text; ValueError saying what is wrong and where, when it is not one."""
    return _decoder.decode(text)


def for_firing(
    *,
    id: UUID,
    org_id: UUID,
    org: str,
    rule_id: UUID,
    rule_name: str,
    rule_version: int,
    severity: Severity,
    group: Mapping[str, Any],
    value: float,
    at_least: bool,
    margin: float | None = None,
    threshold: float,
    window_us: int,
    event_id: UUID,
    event_type: str,
    event_at_us: int,
    payload: Mapping[str, Any],
    evidence: Sequence[UUID | bytes] = (),
    labels: Mapping[str, str] | None = None,
    runbook: str | None = None,
    alert_id: UUID | None = None,
    base_url: str = "",
    kind: Kind = "firing",
    words: str = "",
) -> Message:
    """The message of one firing for one channel.

    `id` is the notification's own id (also what receivers recognise a repeat by). `group` are the values of
    the rule's `by` fields. `window_us` and `event_at_us` are microseconds; `evidence` are UUIDs or their 16
    bytes, of which the newest 100 are kept. `base_url` is where people reach this installation; without it
    the message has no links. Only a few short fields of `payload` travel along. `words` say what happened;
    without them the message says how many events there were.
    """
    base = base_url.rstrip("/")
    return Message(
        id=id,
        kind=kind,
        org_id=org_id,
        org=org,
        rule=RuleRef(id=rule_id, name=rule_name, version=rule_version),
        severity=severity,
        title=clip(f"{rule_name}{_of(group)}", TITLE_CHARACTERS),
        summary=words or _sentence(event_type, group, value, at_least, threshold, window_us),
        event=EventRef(id=of_event(event_id), type=event_type, at=from_us(event_at_us)),
        alert_id=alert_id,
        group=dict(group),
        value=value,
        at_least=at_least,
        margin=margin,
        threshold=threshold,
        window_seconds=window_us / 1_000_000,
        evidence=tuple(
            UUID(bytes=item) if isinstance(item, bytes) else item for item in evidence[-EVIDENCE_MAX:]
        ),
        labels=dict(labels or {}),
        runbook=runbook,
        links=Links(
            alert=f"{base}/alerts/{alert_id}" if base and alert_id else None,
            rule=f"{base}/rules/{rule_id}" if base else None,
        ),
        sample=_sample(payload),
    )


def for_test(*, id: UUID, org_id: UUID, org: str, now_us: int) -> Message:
    """The message behind a channel's "test" button: looks like the real thing and says that it is not."""
    return for_firing(
        id=id,
        org_id=org_id,
        org=org,
        rule_id=id,
        rule_name="Test notification",
        rule_version=1,
        severity="info",
        group={"country": "DE"},
        value=3,
        at_least=True,
        threshold=3,
        window_us=60_000_000,
        event_id=id,
        event_type="signaldesk.test",
        event_at_us=now_us,
        payload={"note": "Somebody pressed “test” on this channel. Nothing is wrong."},
        evidence=(id,),
        labels={"purpose": "test"},
        kind="test",
    )


def resolved(message: Message, *, reason: str, at_us: int, lasted_us: int, firings: int) -> Message:
    """The message that an alert is over, of one that speaks of its opening."""
    words = {
        "quiet": "it has been quiet for long enough",
        "threshold": "the value is back",
        "returned": "what was missed has come back",
    }.get(reason, reason)
    often = "once" if firings == 1 else f"{firings} times"
    return msgspec.structs.replace(
        message,
        kind="resolved",
        title=clip(f"Resolved: {message.title}", TITLE_CHARACTERS),
        summary=f"Resolved after {duration.rough(lasted_us)}: {words}. It fired {often}.",
        event=EventRef(id=message.event.id, type=message.event.type, at=from_us(at_us)),
    )


def flapping(message: Message) -> Message:
    """The message of a firing whose alert opens and closes again and again."""
    note = "It keeps opening and closing: nothing more is said until it is stable."
    return msgspec.structs.replace(
        message,
        title=clip(f"Flapping: {message.title}", TITLE_CHARACTERS),
        summary=f"{message.summary}. {note}",
    )


def for_storm(message: Message, *, alerts: int, groups: Sequence[Mapping[str, Any]]) -> Message:
    """The message of many alerts at once, of one that speaks of the latest of their firings."""
    named = "; ".join(group_text(group) for group in groups if group)
    rest = alerts - len(groups)
    more = f", and {rest} more" if rest > 0 else ""
    base = (message.links.rule or "").partition("/rules/")[0]
    return msgspec.structs.replace(
        message,
        kind="storm",
        title=clip(f"{message.rule.name}: {alerts} more alert{'' if alerts == 1 else 's'}", TITLE_CHARACTERS),
        summary=f"Many alerts of this rule opened or fired at once: {named}{more}"
        if named
        else f"Many alerts of this rule opened or fired at once, {alerts} of them beyond those told singly",
        group={},
        alerts=alerts,
        groups=tuple(dict(group) for group in groups),
        links=Links(alert=f"{base}/alerts?rule={message.rule.id}" if base else None, rule=message.links.rule),
    )


def number(value: float) -> str:
    """A number as people write it: 3, not 3.0."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:g}"


def measured(value: float, at_least: bool = False, margin: float | None = None) -> str:
    """A value with how exact it is: `7`, `3 or more`, `about 5`, `about 5 ± 2 %`."""
    return f"{number(value)} or more" if at_least else _about("about ", value, margin)


def brief(value: float, at_least: bool = False, margin: float | None = None) -> str:
    """The same in signs, for tables: `7`, `≥ 3`, `≈ 5`, `≈ 5 ± 2 %`."""
    return f"≥\u00a0{number(value)}" if at_least else _about("≈\u00a0", value, margin)


def _about(word: str, value: float, margin: float | None) -> str:
    if margin is None:
        return number(value)
    return f"{word}{number(value)}{f' ± {number(100 * margin)} %' if margin else ''}"


def plain(value: Any) -> str:
    """A JSON value as a person reads it: text without quotes, true, null, numbers, the rest as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return number(value)
    return msgspec.json.encode(value).decode()


def clip(text: str, limit: int) -> str:
    """The text, cut to `limit` characters with an ellipsis when it is longer."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def group_text(group: Mapping[str, Any]) -> str:
    """The group in words: `country = DE, plan = pro`; empty for a rule without groups."""
    return ", ".join(f"{name} = {clip(plain(value), 80)}" for name, value in group.items())


def many(count: int, noun: str) -> str:
    """`1 alert`, `1,200 alerts`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def often(notifications: int, per_week: float | None) -> str:
    """`3.5 notifications a week`; how many there were, where the time is too short to tell that."""
    if per_week is None:
        return many(notifications, "notification")
    return f"{per_week:g} notification{'' if per_week == 1 else 's'} a week"


def _of(group: Mapping[str, Any]) -> str:
    return f" ({group_text(group)})" if group else ""


def _sentence(
    event_type: str, group: Mapping[str, Any], value: float, at_least: bool, threshold: float, window_us: int
) -> str:
    where = f" for {group_text(group)}" if group else ""
    if not window_us:
        return f"{event_type} happened{where}"
    # A lower bound that is the threshold itself says it all.
    enough = "" if at_least and value == threshold else f" (>= {number(threshold)})"
    return f"{event_type}: {measured(value, at_least)} in {duration.seconds(window_us)}{where}{enough}"


def _sample(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The first few fields, long values as clipped text."""
    sample: dict[str, Any] = {}
    for name, value in list(payload.items())[:SAMPLE_FIELDS]:
        text = plain(value)
        sample[clip(name, 100)] = clip(text, SAMPLE_CHARACTERS) if len(text) > SAMPLE_CHARACTERS else value
    return sample
