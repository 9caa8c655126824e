"""Colours of things drawn on a canvas, where no style sheet reaches.

A model is tagged with the names of the design tokens that colour it. The server paints it in the theme that
the visitor has; when the visitor changes it, `ui.js` reads the same tags and paints it anew, on the spot.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from bokeh.model import Model

PREFIX = "token:"
TOKENS = Path(__file__).parent / "static" / "tokens.css"

_BLOCK = re.compile(r"^(:root|\[data-theme=\"dark\"\]) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
_TOKEN = re.compile(r"--([\w-]+): (#[0-9a-f]{6});")


@lru_cache(maxsize=2)
def colours(dark: bool) -> dict[str, str]:
    """Every colour token of a theme, by name without dashes in front."""
    themes = dict(_BLOCK.findall(TOKENS.read_text(encoding="utf-8")))
    light = dict(_TOKEN.findall(themes[":root"]))
    return light | dict(_TOKEN.findall(themes['[data-theme="dark"]'])) if dark else light


def themed(model: Model, **properties: str) -> None:
    """Let `properties` of `model` follow tokens: `themed(glyph, fill_color="series-1")`."""
    model.tags = [*model.tags, *(f"{PREFIX}{name}:{token}" for name, token in properties.items())]


def paint(root: Model, *, dark: bool) -> None:
    """Colour everything below `root` that was `themed`."""
    palette = colours(dark)
    for model in root.references():
        for tag in model.tags:
            if isinstance(tag, str) and tag.startswith(PREFIX):
                name, _, token = tag.removeprefix(PREFIX).partition(":")
                model.update(**{name: palette[token]})


def tags_of(model: Any) -> list[str]:
    """The tokens that colour a model, as `property:token`."""
    return [tag.removeprefix(PREFIX) for tag in model.tags if str(tag).startswith(PREFIX)]
