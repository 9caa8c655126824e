"""Alerts: the inbox. A list, one of them open beside it with its whole story, and what to do about it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import panel as pn

from apps.markup import box
from apps.page import Message, Page, Query, Visit
from apps.parts.chosen import Chosen
from apps.parts.inbox import AlertList, AlertStory, Folders
from apps.staleness import Staleness
from signaldesk.errors import SignalDeskError
from signaldesk.model.inbox import AlertDetail, Choices, Inbox, Place

LISTED = 50

_EVERY = {"inbox": 1.0, "story": 1.0}


class Alerts(pn.viewable.Viewer):
    """The page: `?state=` chooses the folder, `?alert=` the alert that is open (else the first one).

    `severity`, `rule`, `label`, `group`, `assignee` and `q` filter the list, `after` is a page further on.
    """

    def __init__(self, visit: Visit, **params: Any) -> None:
        super().__init__(**params)
        self._data = visit.inbox
        self._me = visit.visitor.id
        self._staleness = Staleness(_EVERY, at_most=60)
        self._open: UUID | None = None
        self._choose(visit.query)
        self._inbox = Inbox({}, ())
        self._choices = Choices()
        self._story: AlertDetail | None = None
        self.folders, self.list = Folders(), AlertList(zone=visit.zone, may_act=visit.may_act)
        self.story = AlertStory(zone=visit.zone, may_act=visit.may_act)
        self.actions = self.folders.__panel__()
        self.body = box("page", box("row inbox", self.list.__panel__(), self.story.__panel__()))

    async def load(self, now_us: int) -> None:
        self._choices = await self._data.choices()
        await self.refresh(now_us)
        self.draw(now_us)

    def receive(self, messages: Sequence[Message], now_us: int) -> None:
        if any(message["kind"] in ("alert", "notification") for message in messages):
            self._staleness.hint(_EVERY)
        self.draw(now_us)

    async def refresh(self, now_us: int) -> bool:
        due = self._staleness.due(now_us)
        if not due:
            return False
        try:
            await self._ask()
        except SignalDeskError:
            self._staleness.hint(due)
            raise
        return True

    def draw(self, now_us: int) -> None:
        shown = self._story.line.id if self._story else None
        self.folders.draw(self._chosen, self._inbox)
        self.list.draw(self._inbox, self._choices, self._chosen, shown, now_us)
        self.story.draw(self._story, self._choices, self._chosen, now_us)

    async def navigate(self, query: Query, now_us: int) -> None:
        self._choose(query)
        self._choices = await self._data.choices()
        await self._ask()
        self.draw(now_us)

    async def _ask(self) -> None:
        """The folder, and the chosen alert. When none is chosen it is the first one, and stays it: the
        story must not change under a reader's eyes because another alert fires."""
        chosen = self._chosen
        listed = self._data.inbox(chosen.wanted(self._me), LISTED, Place.read(chosen.after))
        if self._open is None:
            self._inbox = await listed
            self._open = self._inbox.lines[0].id if self._inbox.lines else None
            self._story = await self._data.detail(self._open) if self._open else None
            return
        self._inbox, self._story = await asyncio.gather(listed, self._data.detail(self._open))

    def _choose(self, query: Query) -> None:
        self._chosen = Chosen.read(query)
        self._open = UUID(self._chosen.alert) if self._chosen.alert else None

    def __panel__(self) -> pn.viewable.Viewable:
        return self.body


async def _open(visit: Visit) -> Alerts:
    page = Alerts(visit)
    await page.load(visit.clock.now_us())
    return page


PAGE = Page(path="/alerts", title="Alerts", icon="M12 3l9 16H3zM12 10v4m0 2.5v.5", order=50, open=_open)
