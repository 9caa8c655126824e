"""Silences and maintenance windows: which there are, what they hold back, a form to make or change one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import panel as pn

from apps.markup import box
from apps.page import Message, Page, Query, Visit
from apps.parts.quiet import Calendar, QuietForm, QuietList, States
from apps.staleness import Staleness
from signaldesk.errors import SignalDeskError
from signaldesk.model.inbox import Place
from signaldesk.model.quiet import STATES, Quiet, Quiets
from signaldesk.model.silence import Matcher

LISTED = 30

_EVERY = {"list": 15.0}


class Silences(pn.viewable.Viewer):
    """The page: `?state=` chooses the list, `?new=1` (`&alert=`) a form for another one, `?edit=` for one."""

    def __init__(self, visit: Visit, **params: Any) -> None:
        super().__init__(**params)
        self._data = visit.silences
        self._staleness = Staleness(_EVERY, at_most=15)
        self._quiets, self._upcoming = Quiets(), Quiets()
        self._edited: Quiet | None = None
        self._about: tuple[Matcher, ...] = ()
        self._names: tuple[str, ...] = ()
        self._choose(visit.query)
        self.states = States(may_act=visit.may_act)
        self.list = QuietList(zone=visit.zone, may_act=visit.may_act)
        self.form = QuietForm(zone=visit.zone, may_act=visit.may_act)
        self.calendar = Calendar(zone=visit.zone)
        self.actions = self.states.__panel__()
        side = box("side-by", self.form.__panel__(), self.calendar.__panel__())
        self.body = box("page", box("row inbox", self.list.__panel__(), side))

    async def load(self, now_us: int) -> None:
        await self._ask(now_us)
        self._staleness.due(now_us)
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
            await self._ask_lists(now_us)
        except SignalDeskError:
            self._staleness.hint(due)
            raise
        return True

    def draw(self, now_us: int) -> None:
        edited = self._edited.id if self._edited else None
        self.states.draw(self._state, self._new)
        self.list.draw(self._quiets, self._state, edited, self._after, now_us)
        self.form.draw(self._edited, self._new, self._state, self._about, self._names)
        self.calendar.draw(self._upcoming.lines, now_us)

    async def navigate(self, query: Query, now_us: int) -> None:
        self._choose(query)
        await self._ask(now_us)
        self.draw(now_us)

    async def _ask(self, now_us: int) -> None:
        await self._ask_lists(now_us)
        self._edited = await self._data.one(self._edit, now_us) if self._edit else None
        self._about = await self._data.about(self._alert) if self._new and self._alert else ()
        self._names = await self._data.names() if self._new or self._edited else ()

    async def _ask_lists(self, now_us: int) -> None:
        place = Place.read(self._after)
        self._quiets = await self._data.listed(self._state, now_us, LISTED, place)
        active = await self._data.listed("active", now_us, LISTED)
        pending = await self._data.listed("pending", now_us, LISTED)
        self._upcoming = Quiets((*active.lines, *pending.lines))

    def _choose(self, query: Query) -> None:
        state = query.get("state", "")
        self._state = state if state in STATES else STATES[0]
        self._new = "new" in query
        self._edit, self._alert = _id(query.get("edit", "")), _id(query.get("alert", ""))
        self._after = str(Place.read(query.get("after", "")) or "")

    def __panel__(self) -> pn.viewable.Viewable:
        return self.body


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


async def _open(visit: Visit) -> Silences:
    page = Silences(visit)
    await page.load(visit.clock.now_us())
    return page


PAGE = Page(
    path="/silences",
    title="Silences",
    icon="M11 5L6 9H3v6h3l5 4zM16 9l5 6M21 9l-5 6",
    order=55,
    open=_open,
)
