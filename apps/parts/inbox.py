"""The pieces of the alert inbox: folders, filters, the list, and one alert's story."""

from __future__ import annotations

from datetime import tzinfo
from uuid import UUID

import panel as pn

from apps.markup import Html, box
from apps.parts.chosen import Chosen
from apps.parts.latest import preview
from signaldesk.model.inbox import FOLDERS, AlertDetail, Choices, Inbox
from signaldesk.model.rule import SEVERITIES


class Folders(pn.viewable.Viewer):
    """Links to each state's list, with how many are in it; nobody counts the resolved ones."""

    def __init__(self, **params: object) -> None:
        super().__init__(**params)
        self._links = Html("bare")

    def draw(self, chosen: Chosen, inbox: Inbox) -> None:
        self._links.fill("alerts/folders.html", folders=FOLDERS, chosen=chosen, counts=inbox.counts)

    def __panel__(self) -> pn.viewable.Viewable:
        return self._links


class AlertList(pn.viewable.Viewer):
    """One folder's alerts, each a link that opens it, below what they are chosen by.

    The filters and what is done with many alerts stand still while the list moves: somebody may be typing.
    """

    def __init__(self, *, zone: tzinfo, may_act: bool, **params: object) -> None:
        super().__init__(**params)
        self._zone = zone
        self._may_act = may_act
        self._tools = Html("bare")
        self._list = Html("bare")

    def draw(self, inbox: Inbox, choices: Choices, chosen: Chosen, shown: UUID | None, now_us: int) -> None:
        self._tools.fill(
            "alerts/tools.html",
            chosen=chosen, choices=choices, severities=reversed(SEVERITIES), may_act=self._may_act,
            rules={str(one.id): one.name for one in choices.rules},
            members={str(one.id): one.name for one in choices.members},
        )  # fmt: skip
        self._list.fill(
            "alerts/list.html",
            inbox=inbox, chosen=chosen, shown=shown, may_act=self._may_act, now=now_us, zone=self._zone,
        )  # fmt: skip

    def __panel__(self) -> pn.viewable.Viewable:
        return box("card flush", self._tools, self._list)


class AlertStory(pn.viewable.Viewer):
    """Everything about one alert: what was seen, the evidence, who was told, what people did and may do."""

    def __init__(self, *, zone: tzinfo, may_act: bool, **params: object) -> None:
        super().__init__(**params)
        self._zone = zone
        self._may_act = may_act
        self._title, self._acts = Html("grow"), Html("bare acts")
        self._facts, self._forms, self._timeline = Html("bare"), Html("bare"), Html("bare")

    def draw(self, detail: AlertDetail | None, choices: Choices, chosen: Chosen, now_us: int) -> None:
        about = {"detail": detail, "chosen": chosen, "now": now_us, "zone": self._zone}
        # What people press and type in is drawn anew only when the alert has changed, not with each second.
        may = {"detail": detail, "may_act": self._may_act, "members": choices.members}
        self._title.fill("alerts/title.html", detail=detail)
        self._acts.fill("alerts/acts.html", **may)
        evidence = [(line, preview(line)) for line in detail.evidence] if detail else []
        self._facts.fill("alerts/facts.html", evidence=evidence, **about)
        self._forms.fill("alerts/forms.html", **may)
        self._timeline.fill("alerts/timeline.html", **about)

    def __panel__(self) -> pn.viewable.Viewable:
        top = box("title", self._title, self._acts)
        return box("card story", top, self._facts, self._forms, self._timeline)
