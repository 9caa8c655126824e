"""The rules that fire most: where tuning pays first."""

from __future__ import annotations

import panel as pn

from apps.markup import Html
from signaldesk.model.overview import NoisyRule


class NoisyRules(pn.viewable.Viewer):
    def __init__(self, **params: object) -> None:
        super().__init__(**params)
        self._card = Html("card")

    def draw(self, rules: tuple[NoisyRule, ...]) -> None:
        self._card.fill("overview/noisy.html", rules=rules)

    def __panel__(self) -> pn.viewable.Viewable:
        return self._card
