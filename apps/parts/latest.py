"""The latest events, as they arrive."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from datetime import tzinfo

import panel as pn

from apps.markup import Html
from signaldesk.model.overview import EventLine

ROWS = 12
PREVIEW = 240
"""Characters of a payload that a row can show at most; the rest is cut off on the server."""


class LatestEvents(pn.viewable.Viewer):
    """Newest first; rows that came since the last drawing light up once."""

    def __init__(self, *, zone: tzinfo, base_url: str, **params: object) -> None:
        super().__init__(**params)
        self._zone = zone
        self._base_url = base_url
        self._lines: deque[EventLine] = deque(maxlen=ROWS)
        self._drawn: frozenset[str] = frozenset()
        self._card = Html("card")

    def begin(self, lines: Iterable[EventLine]) -> None:
        """Start from the stored events, newest first."""
        self._lines.extend(lines)
        self._drawn = frozenset(line.id for line in self._lines)
        self.draw()

    def add(self, lines: Iterable[EventLine]) -> None:
        """Take newly arrived events, oldest first."""
        known = {line.id for line in self._lines}
        self._lines.extendleft(line for line in lines if line.id not in known)

    def draw(self) -> None:
        ids = frozenset(line.id for line in self._lines)
        rows = [(line, preview(line), line.id not in self._drawn) for line in self._lines]
        self._card.fill("overview/latest.html", rows=rows, zone=self._zone, base_url=self._base_url)
        self._drawn = ids

    def __panel__(self) -> pn.viewable.Viewable:
        return self._card


def preview(line: EventLine) -> str:
    """`country=DE amount=12.5`: the payload on one line."""
    words = []
    for name, value in line.payload.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        words.append(f"{name}={text[:PREVIEW]}")
        if sum(map(len, words)) > PREVIEW:
            break
    return " ".join(words)[:PREVIEW]
