"""The history chart of a tuner: what a rule measures over time, its threshold, firings and cooldowns."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

import panel as pn
from bokeh.models import ColumnDataSource, HoverTool, Range1d, Span
from bokeh.plotting import figure

from apps import wording
from apps.markup import parts_css
from apps.parts.axes import FONT, style_axes
from apps.themed import paint, themed
from signaldesk.backtest.bench import Tried
from signaldesk.model.message import brief, number

HEIGHT = 230
MOST_MARKS = 400
"""Firings and cooldowns that are drawn; more would be one red block anyway."""
_ROOM = 1.18

_BAR = ("x", "width", "quiet", "fired", "value", "events")
_MARK = ("x", "y", "group", "value", "at")
_SPAN = ("from", "to")


class HistoryChart(pn.viewable.Viewer):
    """`draw` shows what came of judging; until then it is empty."""

    def __init__(self, *, zone: tzinfo, dark: bool, **params: object) -> None:
        super().__init__(**params)
        self._zone = zone
        self._shift = 0
        self._bars = ColumnDataSource({name: [] for name in _BAR})
        self._marks = ColumnDataSource({name: [] for name in _MARK})
        self._held = ColumnDataSource({name: [] for name in _SPAN})
        self._label = ColumnDataSource({"x": [], "y": [], "text": []})
        self._x, self._y = Range1d(start=0, end=1), Range1d(start=0, end=1)
        self._line = Span(dimension="width", line_dash="dashed", line_width=1.6, visible=False)
        self.figure = self._figure()
        paint(self.figure, dark=dark)
        self._show(False)
        self.pane = pn.pane.Bokeh(
            self.figure, css_classes=["plot", "history"], stylesheets=[parts_css()], margin=0,
            sizing_mode="stretch_width",
        )  # fmt: skip

    def draw(self, tried: Tried) -> None:
        found = tried.found
        self._show(bool(tried.slots))
        self._shift = wording.utc_offset_us(found.until, self._zone)
        threshold = _threshold(tried)
        fired = {(one.time - found.since) // tried.slot_us for one in found.firings}
        bars: dict[str, list[Any]] = {name: [] for name in _BAR}
        for slot in tried.slots:
            hit = (slot.start - found.since) // tried.slot_us in fired
            bars["x"].append(self._at(slot.start + tried.slot_us // 2))
            bars["width"].append(tried.slot_us / 1000 * 0.78)
            bars["quiet"].append(0 if hit else slot.value)
            bars["fired"].append(slot.value if hit else 0)
            bars["value"].append(slot.value)
            bars["events"].append(slot.events)
        tallest = max([*bars["value"], threshold or 0, 0])
        lowest = min([*bars["value"], 0])
        self._y.update(start=lowest * _ROOM, end=tallest * _ROOM or 1)
        self._x.update(start=self._at(found.since), end=self._at(found.until))
        self._bars.data = bars
        self._mark(tried)
        self._line.update(location=threshold or 0, visible=threshold is not None)
        self._label.data = (
            {"x": [self._x.end], "y": [threshold], "text": [f"threshold {number(threshold)}"]}
            if threshold is not None
            else {"x": [], "y": [], "text": []}
        )

    def _show(self, on: bool) -> None:
        for part in (*self.figure.axis, *self.figure.grid):
            part.visible = on

    def clear(self) -> None:
        """Show nothing: there is nothing that could be judged."""
        for source in (self._bars, self._marks, self._held, self._label):
            source.data = {name: [] for name in source.data}
        self._line.visible = False
        self._show(False)

    def _mark(self, tried: Tried) -> None:
        found = tried.found
        marks: dict[str, list[Any]] = {name: [] for name in _MARK}
        for one in found.firings[:MOST_MARKS]:
            marks["x"].append(self._at(one.time))
            marks["y"].append(self._y.end - (self._y.end - self._y.start) * 0.03)
            marks["group"].append(wording.group_text(one.values))
            marks["value"].append(brief(one.value, one.at_least, one.margin))
            marks["at"].append(wording.exact(one.time, self._zone))
        self._marks.data = marks
        spans: dict[str, list[float]] = {name: [] for name in _SPAN}
        for start, end in _merged([(one.time, one.time + found.rule.cooldown) for one in found.firings]):
            spans["from"].append(self._at(start))
            spans["to"].append(self._at(min(end, found.until)))
        self._held.data = spans

    def _figure(self) -> figure:
        chart = figure(
            x_range=self._x, y_range=self._y, x_axis_type="datetime", height=HEIGHT,
            sizing_mode="stretch_width", toolbar_location=None, tools=[], min_border=0,
            outline_line_color=None, background_fill_color=None, border_fill_color=None,
        )  # fmt: skip
        held = chart.vstrip(x0="from", x1="to", source=self._held, fill_alpha=0.13, line_color=None)
        quiet = chart.vbar(x="x", top="quiet", width="width", source=self._bars, line_color=None)
        fired = chart.vbar(x="x", top="fired", width="width", source=self._bars, line_color=None)
        marks = chart.scatter(
            x="x", y="y", source=self._marks, marker="inverted_triangle", size=9, line_color=None
        )
        text = chart.text(
            x="x", y="y", text="text", source=self._label, text_align="right", text_baseline="bottom",
            x_offset=-2, y_offset=-2, text_font={"value": FONT}, text_font_size={"value": "10.5px"},
            background_fill_alpha=0.8,
        )  # fmt: skip
        chart.add_layout(self._line)
        themed(held.glyph, fill_color="ink-3")
        themed(quiet.glyph, fill_color="series-1-soft")
        themed(fired.glyph, fill_color="critical")
        themed(marks.glyph, fill_color="critical")
        themed(text.glyph, text_color="accent", background_fill_color="surface")
        themed(self._line, line_color="accent")
        chart.add_tools(
            HoverTool(
                renderers=[quiet, fired], mode="vline", tooltips=_TOOLTIP, formatters={"@x": "datetime"}
            ),
            HoverTool(renderers=[marks], tooltips=_FIRED),
        )
        style_axes(chart)
        return chart

    def _at(self, us: int) -> float:
        """A moment as the chart counts time: milliseconds, shifted so that its axis reads local time."""
        return (us + self._shift) / 1000

    def __panel__(self) -> pn.viewable.Viewable:
        return self.pane


def _threshold(tried: Tried) -> float | None:
    """The limit of the condition, where the bars show what is compared with it."""
    if tried.words == "matching events":
        return None
    when = tried.found.rule.when
    names = ("at_least", "above", "below", "at_most")
    found = next((getattr(when, name) for name in names if getattr(when, name, None) is not None), None)
    return None if found is None else float(found)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans without overlaps, as few as fit on a chart."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if end == start:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found[:MOST_MARKS]


_TOOLTIP = """
<div style="font: 12px Inter; padding: 2px 4px">
  <b>@x{%b %e %H:%M}</b><br>@value{0,0.[000]} at most<br>@events{0,0} matching events
</div>
"""
_FIRED = """
<div style="font: 12px Inter; padding: 2px 4px"><b>Fires</b> @at<br>@group<br>value @value</div>
"""
