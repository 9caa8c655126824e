"""Rules: which there are, what came of each lately, its versions, and what may be done with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import panel as pn

from apps.markup import box
from apps.page import Message, Page, Query, Visit
from apps.parts.rule_choice import RuleChoice
from apps.parts.rule_list import RuleHead, RuleList, RuleStory
from apps.staleness import Staleness
from signaldesk.errors import SignalDeskError
from signaldesk.model.rule_page import RuleDetail, RuleLines

LISTED = 50

_EVERY = {"rules": 2.0}


class Rules(pn.viewable.Viewer):
    """The page: `?rule=` chooses a rule (else the first one), `mode`, `severity`, `kind`, `label` and `q`
    filter the list, `after` is a page further on."""

    def __init__(self, visit: Visit, **params: Any) -> None:
        super().__init__(**params)
        self._data = visit.rules
        self._staleness = Staleness(_EVERY, at_most=30)
        self._open: UUID | None = None
        self._choose(visit.query)
        self._rules = RuleLines()
        self._labels: tuple[str, ...] = ()
        self._detail: RuleDetail | None = None
        self.head = RuleHead(may_edit=visit.may_edit)
        self.list = RuleList(zone=visit.zone, may_edit=visit.may_edit)
        self.story = RuleStory(zone=visit.zone, may_edit=visit.may_edit)
        self.actions = self.head.__panel__()
        self.body = box("page", box("row inbox", self.list.__panel__(), self.story.__panel__()))

    async def load(self, now_us: int) -> None:
        await self.refresh(now_us)
        self.draw(now_us)

    def receive(self, messages: Sequence[Message], now_us: int) -> None:
        if any(message["kind"] == "alert" for message in messages):
            self._staleness.hint(_EVERY)
        self.draw(now_us)

    async def refresh(self, now_us: int) -> bool:
        due = self._staleness.due(now_us)
        if not due:
            return False
        try:
            await self._ask(now_us)
        except SignalDeskError:
            self._staleness.hint(due)
            raise
        return True

    def draw(self, now_us: int) -> None:
        shown = self._detail.line.id if self._detail else None
        self.head.draw(self._chosen)
        self.list.draw(self._rules, self._labels, self._chosen, shown, now_us)
        self.story.draw(self._detail, self._chosen, self._rules.total > 0, now_us)

    async def navigate(self, query: Query, now_us: int) -> None:
        self._choose(query)
        await self._ask(now_us)
        self.draw(now_us)

    async def _ask(self, now_us: int) -> None:
        """The list and the chosen rule; when none is chosen, or it is gone, the first one of the list."""
        listed = self._data.listed(self._chosen.wanted, now_us, LISTED, self._chosen.after)
        self._rules, self._labels = await asyncio.gather(listed, self._data.labels())
        if self._open is None and self._rules.lines:
            self._open = self._rules.lines[0].id
        self._detail = await self._data.detail(self._open, now_us) if self._open else None

    def _choose(self, query: Query) -> None:
        self._chosen = RuleChoice.read(query)
        self._open = UUID(self._chosen.rule) if self._chosen.rule else None

    def __panel__(self) -> pn.viewable.Viewable:
        return self.body


async def _open(visit: Visit) -> Rules:
    page = Rules(visit)
    await page.load(visit.clock.now_us())
    return page


PAGE = Page(
    path="/rules", title="Rules", icon="M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4", order=40, open=_open
)
