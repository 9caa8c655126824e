"""Pictures of backtests and sweeps, as Bokeh figures for a notebook or a file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bokeh.io import output_file, save
from bokeh.models import ColumnDataSource, Title
from bokeh.plotting import figure
from bokeh.transform import linear_cmap

from signaldesk.backtest.labels import Score
from signaldesk.clock import from_us
from signaldesk.errors import Invalid
from signaldesk.model.message import group_text, many, number

if TYPE_CHECKING:
    from signaldesk.backtest.result import Backtest
    from signaldesk.backtest.sweep import Point, Sweep

_RED, _SHADE = "#d62728", "#ff7f0e"


class Shown(NamedTuple):
    """What a picture needs of a backtest, wherever it ran; times are of the type that Bokeh takes."""

    rule: str
    since: datetime
    until: datetime
    firings: Sequence[tuple[datetime, float, str]]
    """Time, value, group."""
    alerts: Sequence[tuple[datetime, datetime, float]]
    """From when to when, and its value."""
    threshold: float | None


def timeline(found: Backtest) -> Any:
    """Firings as points of time and value over the spans of their alerts."""
    ends = [
        max(one.resolved_at if one.resolved_at is not None else one.last_fired_at, one.opened_at + 1)
        for one in found.alerts
    ]
    return drawn(
        Shown(
            found.rule.name,
            from_us(found.since),
            from_us(found.until),
            [(from_us(one.time), one.value, group_text(one.values)) for one in found.firings],
            [
                (from_us(one.opened_at), from_us(end), one.value)
                for one, end in zip(found.alerts, ends, strict=True)
            ],
            found.firings[-1].threshold if found.firings else None,
        )
    )


def drawn(found: Shown) -> Any:
    """The picture of `timeline`."""
    firings, alerts = many(len(found.firings), "firing"), many(len(found.alerts), "alert")
    plot = figure(
        title=f"{found.rule}: {firings}, {alerts}",
        x_axis_type="datetime", x_range=(found.since, found.until),
        height=300, sizing_mode="stretch_width", tools="xpan,xwheel_zoom,box_zoom,hover,reset",
        tooltips=[("at", "@at{%F %T}"), ("value", "@value"), ("group", "@group")],
    )  # fmt: skip
    plot.hover.formatters = {"@at": "datetime"}
    for start, end, value in found.alerts:
        plot.varea(x=[start, end], y1=[0, 0], y2=[value, value], fill_color=_SHADE, fill_alpha=0.2)
    ats, values, groups = zip(*found.firings, strict=True) if found.firings else ((), (), ())
    source = ColumnDataSource({"at": list(ats), "value": list(values), "group": list(groups)})
    plot.scatter("at", "value", source=source, size=6, color=_RED)
    plot.yaxis.axis_label = "value"
    if found.threshold is not None:
        plot.hspan(y=found.threshold, line_dash="dashed", line_color="gray")
        words = f"threshold {number(found.threshold)}"
        plot.add_layout(Title(text=words, text_font_size="9pt"), "below")
    return plot


def write(plot: Any, path: Path) -> None:
    """Save a figure as a page of its own that needs no network."""
    output_file(str(path), title="SignalDesk", mode="inline")
    save(plot)


FIGURES = ("per_week", "firings", "alerts", "notifications")
"""What a sweep says of its points; with labels also how well they found these."""


def heat_map(found: Sweep, figure_name: str | None = None) -> Any:
    """One figure over the first two parameters of a sweep; with one parameter, a row."""
    scored = bool(found.points) and found.points[0].score is not None
    shown = figure_name or found.figure
    known = (*FIGURES, *(Score._fields if scored else ()))
    if any(point.per_week is None for point in found.points):  # the time is too short for it
        known = known[1:]
    if shown not in known:
        missing = "; the others need labels" if shown in Score._fields else ""
        raise Invalid(f"{shown!r} is no figure of a sweep; there are {', '.join(known)}{missing}")
    across, *rest = found.names
    source: dict[str, list[Any]] = {"x": [], "y": [], "figure": []}
    for point in found.points:
        source["x"].append(str(point.parameters[across]))
        source["y"].append(str(point.parameters[rest[0]]) if rest else "")
        source["figure"].append(_figure(point, shown))
    low, high = min(source["figure"], default=0), max(source["figure"], default=1)
    plot = figure(
        title=f"{found.rule}: {shown.replace('_', ' ')}",
        x_range=list(dict.fromkeys(source["x"])), y_range=list(dict.fromkeys(source["y"])),
        height=300, sizing_mode="stretch_width", tools="hover",
        tooltips=[(across, "@x"), (rest[0] if rest else "", "@y"), (shown, "@figure")],
    )  # fmt: skip
    colours = linear_cmap("figure", "Viridis256", low, max(high, low + 1e-9))
    cells = plot.rect("x", "y", 1, 1, source=ColumnDataSource(source), fill_color=colours, line_color=None)
    plot.xaxis.axis_label, plot.yaxis.axis_label = across, rest[0] if rest else ""
    plot.add_layout(cells.construct_color_bar(width=8), "right")
    return plot


def _figure(point: Point, name: str) -> float:
    if point.score is not None and name in point.score._fields:
        return float(getattr(point.score, name) or 0)
    return float(getattr(point, name))
