"""What a page is: where it stands, and how one visit to it begins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import panel as pn

from apps.data import InboxData, OverviewData, PastData, RulesData, SilencesData
from signaldesk.clock import Clock

Query = Mapping[str, str]
Message = Mapping[str, Any]
"""One live message of the organisation: `kind` is `events`, `alert` or `notification`."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks."""

    id: UUID
    name: str
    email: str
    role: str
    org_name: str
    plan: str


@dataclass(frozen=True, slots=True)
class Visit:
    """Everything a page gets to know about the person and the request that opened it."""

    visitor: Visitor
    query: Query
    zone: tzinfo
    dark: bool
    base_url: str
    clock: Clock
    overview: OverviewData
    inbox: InboxData
    silences: SilencesData
    rules: RulesData
    past: PastData
    may_act: bool
    """Whether the visitor may acknowledge and resolve, and make silences."""
    may_edit: bool
    """Whether the visitor may make, change and delete rules."""


class PageView(Protocol):
    """An open page. Every method is called by one task at a time, on the event loop."""

    @property
    def actions(self) -> pn.viewable.Viewable:
        """Controls that stand in the header, beside the title."""
        ...

    @property
    def body(self) -> pn.viewable.Viewable: ...

    def receive(self, messages: Sequence[Message], now_us: int) -> None:
        """Take what happened since the last call (perhaps nothing: then only time has passed)."""
        ...

    async def refresh(self, now_us: int) -> bool:
        """Ask again for what messages only hint at; False when nothing was due. Draws nothing."""
        ...

    def draw(self, now_us: int) -> None:
        """Show what `refresh` or `navigate` fetched."""
        ...

    async def navigate(self, query: Query, now_us: int) -> None:
        """The address changed without a reload."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the workbench, as its module declares it."""

    path: str
    title: str
    icon: str
    """An SVG path in a 24 x 24 box."""
    order: int
    """Place in the sidebar."""
    open: Callable[[Visit], Awaitable[PageView]]
    below: str = ""
    """The path of the page that leads to it; such a page does not stand in the sidebar itself."""


def zone_named(name: str | None) -> tzinfo:
    """The viewer's time zone as the browser names it; UTC for a name this machine does not know."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")
