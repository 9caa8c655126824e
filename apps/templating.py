"""HTML from templates, always escaped. Knows nothing of Panel, so that forms can be drawn without it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from apps import wording

HERE = Path(__file__).parent


@lru_cache(maxsize=1)
def templates() -> Environment:
    """The templates of the workbench: escaping is on, a missing name is an error."""
    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for tool in (
        wording.count,
        wording.short,
        wording.ago,
        wording.exact,
        wording.clock_time,
        wording.millis,
        wording.share,
        wording.group_text,
        wording.verdict,
        wording.capitalize_first,
        wording.day_or_time,
        wording.moment,
        wording.hours_text,
        wording.length_of,
    ):
        env.filters[tool.__name__] = tool
    env.globals["spark"] = spark
    env.globals["icon"] = icon
    return env


def render(template: str, **values: Any) -> str:
    return templates().get_template(template).render(values)


def icon(path: str, size: int = 18, extra: str = "") -> Markup:
    """A line icon drawn in the current colour; decoration only, hidden from screen readers."""
    return Markup(
        '<svg class="icon {}" viewBox="0 0 24 24" width="{}" height="{}" fill="none" stroke="currentColor" '
        'stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">'
        '<path d="{}"/></svg>'
    ).format(extra, size, size, path)


def spark(values: tuple[float, ...], width: int, height: int, label: str) -> Markup:
    """A line of `values`, scaled to its own largest; a flat line at the bottom when all are zero."""
    top = max(values, default=0) or 1
    step = width / max(len(values) - 1, 1)
    points = " ".join(
        f"{i * step:.1f},{height - 2 - value / top * (height - 4):.1f}" for i, value in enumerate(values)
    )
    return Markup(
        '<svg class="spark" role="img" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}" '
        'preserveAspectRatio="none"><polyline points="{}"/></svg>'
    ).format(label, width, height, width, height, points)
