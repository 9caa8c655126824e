"""An organisation's own past, as a bench to try rules out on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from uuid import UUID

from signaldesk.backtest.bench import Bench
from signaldesk.backtest.room import Room
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
        self,
        *,
        history: History,
        rules: RuleCatalog,
        labels: LabelStore,
        room: Room,
        lateness: int,
        org_id: UUID,
    ) -> None:
        """`lateness` (µs) is that of rules that say nothing of their own."""
        self._history = history
        self._rules = rules
        self._labels = labels
        self._room = room
        self._lateness = lateness
        self._org_id = org_id

    async def bench(self, rule: Rule, since_us: int, until_us: int, *, against: Rule | None = None) -> Bench:
        """The events in [since, until) that this rule looks at, or what it is made of, and `against`; the
        latest of them where they are too many.

        Raises Invalid when that cannot be, or when a part is missing; TooMany; Unavailable.
        """
        rules = [rule] if against is None else [rule, against]
        others = await self._parts(rules)
        since, until = from_us(since_us), from_us(until_us)
        known = await self._labels.page(self._org_id, limit=LABELS, since=since, until=until)
        labels = [Label(one.name, one.starts_at, one.ends_at, one.group, one.comment) for one in known]
        load = partial(
            self._room.load, self._history, self._org_id, [*rules, *others], since, until,
            labels=labels, others=others, lateness=self._lateness, patience=PATIENCE,
        )  # fmt: skip
        return await asyncio.get_running_loop().run_in_executor(self._room.threads, load)

    async def _parts(self, rules: Sequence[Rule]) -> list[Rule]:
        wanted = [name for rule in rules for name in kinds()[rule.when.kind].parts(rule.when)]
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
