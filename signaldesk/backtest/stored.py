"""An organisation's stored events, as a backtest takes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from signaldesk.backtest.events import Events
from signaldesk.backtest.fold import unsaved
from signaldesk.clock import from_us, to_us
from signaldesk.errors import FieldError, Invalid
from signaldesk.model.rule import Rule, SavedRule
from signaldesk.rules import document
from signaldesk.rules.document import kinds
from signaldesk.store.past import Past
from signaldesk.store.rules import StoredRule

MOST = 2_000_000
"""Stored events that are judged in one backtest."""


async def load(past: Past, org_id: UUID, rules: Sequence[Rule], since: datetime, until: datetime) -> Events:
    """The live events in [since, until) that these rules look at, in the order in which they were judged.

    Raises Invalid for an empty range, or for one that holds more than `MOST` of them.
    """
    import pyarrow

    if until <= since:
        raise Invalid(errors=[FieldError("to", "lies before `from`; there is nothing between them")])
    types = sorted({name for rule in rules for name in kinds()[rule.when.kind].events(rule)})
    seen = await past.events(
        org_id, types, since=to_us(since) - 1, until=to_us(until) - 1, after=0, most=MOST + 1
    )
    if len(seen) > MOST:
        raise Invalid(
            errors=[FieldError("from", f"more than {MOST:,} events lie there; name a shorter time")]
        )
    events = [one.event for one in seen]
    moment = pyarrow.timestamp("us", tz="UTC")
    columns = {
        "id": pyarrow.array([event.id for event in events], pyarrow.binary()),
        "type": pyarrow.array([event.type for event in events], pyarrow.string()),
        "timestamp": pyarrow.array([from_us(event.timestamp) for event in events], moment),
        "source": pyarrow.array([event.source for event in events], pyarrow.string()),
        "clock_skewed": pyarrow.array([event.clock_skewed for event in events], pyarrow.bool_()),
        "payload": pyarrow.array([event.payload.decode() for event in events], pyarrow.string()),
        "behind": pyarrow.array([one.behind for one in seen], pyarrow.int64()),
        "received_at": pyarrow.array([from_us(one.received_at) for one in seen], moment),
        "position": pyarrow.array(range(1, len(seen) + 1), pyarrow.int64()),
    }
    return Events.of(pyarrow.table(columns))


def identified(org_id: UUID, rule: Rule, known: Sequence[StoredRule]) -> SavedRule:
    """The rule with the identity of the saved one of that name, so that its alerts have the same ids."""
    for one in known:
        if one.name == rule.name:
            return SavedRule(
                org_id=org_id, id=one.id, version=one.version, since_version=one.since_version,
                fingerprint=one.fingerprint, rule=rule,
            )  # fmt: skip
    return unsaved(rule)


def others(org_id: UUID, rule: Rule, given: Sequence[Rule], known: Sequence[StoredRule]) -> list[SavedRule]:
    """The rules that a composite one may be made of: those given with it, then the saved ones."""
    names = {one.name for one in given}
    saved = [document.parse(one.body) for one in known if one.name not in names]
    parts = kinds()[rule.when.kind].parts(rule.when)
    return [identified(org_id, one, known) for one in [*given, *saved] if one.name in parts]
