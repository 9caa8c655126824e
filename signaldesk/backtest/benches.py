"""An organisation's own past, as a bench to try rules out on."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from uuid import UUID

from signaldesk.backtest import bench
from signaldesk.backtest.bench import Bench
from signaldesk.catalog.rules import RuleCatalog
from signaldesk.clock import from_us
from signaldesk.errors import FieldError, Invalid
from signaldesk.history.history import History
from signaldesk.model.label import Label
from signaldesk.model.rule import Rule
from signaldesk.rules import document
from signaldesk.rules.document import kinds
from signaldesk.store.labels import LabelStore

PATIENCE = 5.0
"""Seconds for judging one rule: whoever drags a slider does not wait longer."""
LABELS = 500
"""Known incidents that a rule is compared with."""


class Benches:
    """Works as the organisation that it is made for."""

    def __init__(
        self, *, history: History, rules: RuleCatalog, labels: LabelStore, lateness: int, org_id: UUID
    ) -> None:
        """`lateness` (µs) is that of rules that say nothing of their own."""
        self._history = history
        self._rules = rules
        self._labels = labels
        self._lateness = lateness
        self._org_id = org_id

    async def bench(self, rule: Rule, since_us: int, until_us: int) -> Bench:
        """The events in [since, until) that this rule, or what it is made of, looks at.

        Raises Invalid when there are too many, or when a part is missing; Unavailable.
        """
        others = await self._parts(rule)
        since, until = from_us(since_us), from_us(until_us)
        events, missing = await asyncio.to_thread(
            bench.load, self._history, self._org_id, [rule, *others], since, until
        )
        known = await self._labels.page(self._org_id, limit=LABELS, since=since, until=until)
        labels = [Label(one.name, one.starts_at, one.ends_at, one.group, one.comment) for one in known]
        return Bench(
            events, since=since_us, until=until_us, labels=labels, others=others,
            missing=missing, lateness=self._lateness, patience=PATIENCE,
        )  # fmt: skip

    async def _parts(self, rule: Rule) -> list[Rule]:
        wanted = kinds()[rule.when.kind].parts(rule.when)
        if not wanted:
            return []
        found = {}
        for stored in await self._rules.all(self._org_id):
            if stored.name in wanted:
                with suppress(Invalid):
                    found[stored.name] = document.parse(stored.body)
        if missing := [name for name in wanted if name not in found]:
            message = f"there is no rule {missing[0]!r} to be a part of this one"
            raise Invalid(message, errors=[FieldError("when", message)])
        return [found[name] for name in dict.fromkeys(wanted)]
