"""The pieces of the Silences page: its folders, the list, the form, and the days to come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from uuid import UUID
from zoneinfo import available_timezones

import panel as pn

from apps.markup import Html
from signaldesk.clock import from_us, to_us
from signaldesk.model.active import DAYS
from signaldesk.model.quiet import STATES, Quiet, Quiets
from signaldesk.model.silence import OPERATORS, Matcher

AHEAD = 7
"""Days that the calendar shows."""
LANES = 8
"""Most rows of the calendar."""


class States(pn.viewable.Viewer):
    """Links to each state's list, and to the form."""

    def __init__(self, *, may_act: bool, **params: object) -> None:
        super().__init__(**params)
        self._may_act = may_act
        self._links = Html("bare heads")

    def draw(self, state: str, new: bool) -> None:
        may = self._may_act and not new
        self._links.fill("silences/states.html", states=STATES, chosen=state, may_act=may)

    def __panel__(self) -> pn.viewable.Viewable:
        return self._links


class QuietList(pn.viewable.Viewer):
    """One state's silences, with what each is about now."""

    def __init__(self, *, zone: tzinfo, may_act: bool, **params: object) -> None:
        super().__init__(**params)
        self._zone = zone
        self._may_act = may_act
        self._card = Html("card flush")

    def draw(self, quiets: Quiets, state: str, edited: UUID | None, after: str, now_us: int) -> None:
        self._card.fill(
            "silences/list.html",
            quiets=quiets, state=state, edited=edited, after=after, may_act=self._may_act, now=now_us,
            zone=self._zone,
        )  # fmt: skip

    def __panel__(self) -> pn.viewable.Viewable:
        return self._card


class QuietForm(pn.viewable.Viewer):
    """Makes one, or changes one. It is drawn anew only when another one is chosen."""

    def __init__(self, *, zone: tzinfo, may_act: bool, **params: object) -> None:
        super().__init__(**params)
        self._zone = zone
        self._may_act = may_act
        self._card = Html("bare")

    def draw(
        self, edited: Quiet | None, new: bool, state: str, about: Sequence[Matcher], names: Sequence[str]
    ) -> None:
        known = edited.matchers if edited else about
        shown = self._may_act and (new or edited is not None)
        self._card.visible = shown  # an empty place would still have a gap beside it
        self._card.fill(
            "silences/form.html",
            shown=shown,
            edited=edited,
            state=state,
            matchers=known or (Matcher("", "=", ""),),
            names=names,
            operators=OPERATORS,
            days=DAYS,
            zones=_zones(),
            here=getattr(self._zone, "key", "UTC"),
            local=lambda us: f"{from_us(us).astimezone(self._zone):%Y-%m-%dT%H:%M}",
        )

    def __panel__(self) -> pn.viewable.Viewable:
        return self._card


class Calendar(pn.viewable.Viewer):
    """When messages are held back within the next days: a row for each silence."""

    def __init__(self, *, zone: tzinfo, **params: object) -> None:
        super().__init__(**params)
        self._zone = zone
        self._card = Html("card")

    def draw(self, quiets: Sequence[Quiet], now_us: int) -> None:
        today = from_us(now_us).astimezone(self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        days = [(today + timedelta(days=number)).replace(fold=0) for number in range(AHEAD + 1)]
        first, last = to_us(days[0]), to_us(days[-1])

        def place(us: int) -> float:
            return round(100 * (min(max(us, first), last) - first) / (last - first), 2)

        rows = []
        for one in quiets:
            bars = [(place(start), place(end)) for start, end in one.stretches(first, last)]
            if bars:
                rows.append((one, bars))
        self._card.fill(
            "silences/calendar.html",
            rows=rows[:LANES], more=max(0, len(rows) - LANES), days=[_day(day) for day in days[:-1]],
            now=place(now_us // 60_000_000 * 60_000_000),
        )  # fmt: skip

    def __panel__(self) -> pn.viewable.Viewable:
        return self._card


def _day(moment: datetime) -> str:
    return f"{moment:%a} {moment.day}"


def _zones() -> list[str]:
    return sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))
