"""Trying things out for real: a message through a channel now, and what came back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, NamedTuple
from uuid import UUID

from signaldesk.errors import DeliveryError
from signaldesk.ids import new_id
from signaldesk.model.message import Message, for_firing
from signaldesk.model.rule import Rule
from signaldesk.rules.document import kinds


class Tried(NamedTuple):
    """What came of a test message: the destination's own words, or why it did not get that far."""

    delivered: bool
    status: int | None
    answer: str | None
    error: str | None
    duration_ms: float


class TriedChannel(NamedTuple):
    """What came of it at one of a rule's channels."""

    channel: str
    channel_id: UUID
    kind: str
    tried: Tried


async def tried(sending: Awaitable[Any]) -> Tried:
    """Wait for a channel to send a message."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    def took() -> float:
        return (loop.time() - began) * 1000

    try:
        receipt = await sending
    except DeliveryError as error:
        return Tried(False, error.answer_status, error.answer_text, error.detail, took())
    return Tried(True, receipt.status, receipt.text, None, took())


def sample_of(rule: Rule, *, rule_id: UUID, version: int, org_id: UUID, org: str, now_us: int) -> Message:
    """A message of this rule that says of itself that it is a test."""
    kind, id = kinds()[rule.when.kind], new_id()
    types = kind.events(rule) or ("signaldesk.test",)
    return for_firing(
        id=id,
        org_id=org_id,
        org=org,
        rule_id=rule_id,
        rule_name=f"Test of {rule.name}",
        rule_version=version,
        severity=rule.severity,
        group=dict.fromkeys(rule.by, "example"),
        value=1,
        at_least=False,
        threshold=1,
        window_us=kind.judge(rule).span,
        event_id=id,
        event_type=types[0].replace("*", "example"),
        event_at_us=now_us,
        payload={"note": "Somebody asked for a test of this rule. Nothing is wrong."},
        evidence=(id,),
        labels=rule.labels,
        runbook=rule.runbook,
        kind="test",
        words=f"This is a test, nothing is wrong. The rule fires at: {kind.sentence(rule.when)}",
    )
