"""The pieces of the alert inbox: folders, the list, and one alert's story."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from uuid import UUID

import panel as pn

from apps.markup import Html
from apps.parts.latest import preview
from signaldesk.model.inbox import FOLDERS, AlertDetail, Inbox


class Folders(pn.viewable.Viewer):
    """Links to each state's list, with how many are in it; nobody counts the resolved ones."""

    def __init__(self, **params: object) -> None:
        super().__init__(**params)
        self._links = Html("bare")

    def draw(self, chosen: str, counts: Mapping[str, int]) -> None:
        self._links.fill("alerts/folders.html", folders=FOLDERS, chosen=chosen, counts=counts)

    def __panel__(self) -> pn.viewable.Viewable:
        return self._links


class AlertList(pn.viewable.Viewer):
    """One folder's alerts; each is a link that opens it."""

    def __init__(self, *, zone: tzinfo, **params: object) -> None:
        super().__init__(**params)
        self._zone = zone
        self._card = Html("card flush")

    def draw(self, inbox: Inbox, state: str, chosen: UUID | None, now_us: int) -> None:
        self._card.fill(
            "alerts/list.html", inbox=inbox, state=state, chosen=chosen, now=now_us, zone=self._zone
        )

    def __panel__(self) -> pn.viewable.Viewable:
        return self._card


class AlertStory(pn.viewable.Viewer):
    """Everything about one alert: what was seen, the evidence, who was told, what people did."""

    def __init__(self, *, zone: tzinfo, may_act: bool, **params: object) -> None:
        super().__init__(**params)
        self._zone = zone
        self._may_act = may_act
        self._card = Html("card story")

    def draw(self, detail: AlertDetail | None, state: str, now_us: int) -> None:
        self._card.fill(
            "alerts/story.html",
            detail=detail,
            evidence=[(line, preview(line)) for line in detail.evidence] if detail else [],
            may_act=self._may_act,
            now=now_us,
            zone=self._zone,
        )

    def __panel__(self) -> pn.viewable.Viewable:
        return self._card
