"""The events chart: everything received, and the part that a rule matched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import Any

import panel as pn
from bokeh.models import (
    ColumnDataSource,
    HoverTool,
    PrintfTickFormatter,
    Range1d,
)
from bokeh.plotting import figure

from apps import wording
from apps.markup import Html, box, parts_css
from apps.parts.axes import FONT, style_axes
from apps.parts.bars import Bars
from apps.themed import paint, themed
from signaldesk.model.overview import AlertLine, Bar, Span

HEIGHT = 212
MARKS = 2
"""Alerts named on the chart; more would hide the bars."""

LEAD = 4
"""Bars before an alert's latest firing that are shaded with it, as far as it was open then."""

_UNITS = ((1, "s"), (60, "min"), (3_600, "h"))
_LOWEST = 4.0
"""The axis reaches at least this far, in whichever unit: one event must not look like a storm."""
_ROOM = 1.12
"""Head room over the tallest bar, so that the chart need not be rescaled at every new maximum."""


_BAR = ("start", "x", "width", "all", "matched", "n", "m")
_MARK = ("from", "to", "x", "y", "label", "align")


class Traffic(pn.viewable.Viewer):
    """Bars over a span that ends now; the last bar grows while its time lasts."""

    def __init__(self, *, zone: tzinfo, dark: bool, **params: object) -> None:
        super().__init__(**params)
        self._zone = zone
        self._bars: Bars | None = None
        self._shift = 0
        self._seconds, self._top = 0, 0.0
        self._source = ColumnDataSource({name: [] for name in _BAR})
        self._marks = ColumnDataSource({name: [] for name in _MARK})
        self._x, self._y = Range1d(start=0, end=1), Range1d(start=0, end=_LOWEST)
        self._unit = PrintfTickFormatter(format="%s/s")
        chart = _figure(self._source, self._marks, self._x, self._y, self._unit)
        paint(chart, dark=dark)
        plot = pn.pane.Bokeh(
            chart, css_classes=["plot"], stylesheets=[parts_css()], margin=0, sizing_mode="stretch_width"
        )
        self._head = Html("bare")
        self._card = box("card", self._head, plot)

    def begin(self, span: Span, bars: Iterable[Bar], now_us: int) -> None:
        """Draw a span from scratch."""
        self._bars = Bars(span, bars)
        self._shift = wording.utc_offset_us(self._bars.start_us, self._zone)
        self._head.fill("overview/traffic.html", span=span)
        self._seconds = 0
        self.draw(now_us)

    def add(self, events: int, matched: int, now_us: int) -> None:
        """More events were received at `now_us`; call `draw` when all are told."""
        if self._bars is not None:
            self._bars.add(events, matched, now_us)

    def correct(self, stored: Iterable[Bar]) -> None:
        if self._bars is not None:
            self._bars.correct(stored)

    def draw(self, now_us: int) -> None:
        """Send what has changed: new bars are streamed, those that grew are patched."""
        if self._bars is None:
            return
        self._bars.roll(now_us)
        rescaled = self._scale(max(rate.events for rate in self._bars.rates(now_us)))
        columns = self._columns(self._bars, now_us)
        if rescaled:
            self._source.data = columns
        else:
            self._send(columns, self._bars.span.bars)
        self._x.update(start=self._at(self._bars.start_us), end=self._at(self._bars.end_us))

    def mark(self, alerts: Sequence[AlertLine]) -> None:
        """Shade the latest firing of the most urgent alerts in view, and name them. Not all the time since
        they were opened: an alert that nobody resolved would shade half the chart."""
        if self._bars is None:
            return
        begin, middle = self._bars.start_us, (self._bars.start_us + self._bars.end_us) // 2
        half = self._bars.span.bar_us // 2
        marks: dict[str, Any] = {name: [] for name in _MARK}
        shown = [alert for alert in alerts if alert.last_fired_us >= begin][:MARKS]
        for row, alert in enumerate(shown):
            since = max(alert.opened_us, begin, alert.last_fired_us - LEAD * 2 * half)
            left = self._at(since - half)
            right = self._at(alert.last_fired_us + half)
            late = since > middle
            marks["from"].append(left)
            marks["to"].append(right)
            marks["x"].append(right if late else left)
            marks["align"].append("right" if late else "left")
            marks["y"].append(self._top * (1 - 0.085 * row))
            marks["label"].append(wording.headline(alert.title, alert.group))
        self._marks.data = marks

    def __panel__(self) -> pn.viewable.Viewable:
        return self._card

    def _scale(self, tallest: float) -> bool:
        """Fit unit and height to the tallest bar (events per second); True when either changed."""
        fitting = [(seconds, unit) for seconds, unit in _UNITS if tallest * seconds >= _LOWEST]
        seconds, unit = fitting[0] if fitting else _UNITS[-1 if tallest else 0]
        height = max(tallest * seconds, _LOWEST)
        if seconds == self._seconds and height <= self._top <= 2 * height * _ROOM:
            return False
        self._seconds, self._top = seconds, height * _ROOM
        self._unit.format = f"%s/{unit}"
        self._y.end = self._top
        return True

    def _send(self, columns: dict[str, Any], rollover: int) -> None:
        sent: Any = self._source.data
        places = {start: place for place, start in enumerate(sent["start"])}
        patches: dict[str, list[tuple[int, float]]] = {name: [] for name in columns}
        fresh: dict[str, list[float]] = {name: [] for name in columns}
        for i, start in enumerate(columns["start"]):
            place = places.get(start)
            for name, values in columns.items():
                if place is None:
                    fresh[name].append(values[i])
                elif sent[name][place] != values[i]:
                    patches[name].append((place, values[i]))
        if any(patches.values()):
            self._source.patch({name: found for name, found in patches.items() if found})
        if fresh["start"]:
            self._source.stream(fresh, rollover=rollover)

    def _columns(self, bars: Bars, now_us: int) -> dict[str, Any]:
        rates = bars.rates(now_us)
        return {
            "start": [bar.start_us for bar in bars],
            "x": [self._at(bar.start_us + bars.span.bar_us // 2) for bar in bars],
            "all": [rate.events * self._seconds for rate in rates],
            "matched": [rate.matched * self._seconds for rate in rates],
            "n": [bar.events for bar in bars],
            "m": [bar.matched for bar in bars],
            "width": [bars.span.bar_s * 1000 * 0.74] * len(bars),
        }

    def _at(self, us: int) -> float:
        """A moment as the chart counts time: milliseconds, shifted so that its axis reads local time.

        One shift for the whole chart: where clocks change within the span, some hours are labelled one off,
        but no two bars fall on one place.
        """
        return (us + self._shift) / 1000


def _figure(
    source: ColumnDataSource, marks: ColumnDataSource, x: Range1d, y: Range1d, unit: PrintfTickFormatter
) -> figure:
    chart = figure(
        x_range=x,
        y_range=y,
        x_axis_type="datetime",
        height=HEIGHT,
        sizing_mode="stretch_width",
        toolbar_location=None,
        tools=[],
        min_border=0,
        outline_line_color=None,
        background_fill_color=None,
        border_fill_color=None,
    )
    strip = chart.vstrip(x0="from", x1="to", source=marks, fill_alpha=0.09, line_color=None)
    everything = chart.vbar(x="x", top="all", width="width", source=source, line_color=None)
    matched = chart.vbar(x="x", top="matched", width="width", source=source, line_color=None)
    label = chart.text(
        x="x", y="y", text="label", text_align="align", source=marks, y_offset=2, text_baseline="top"
    )
    label.glyph.update(
        text_font={"value": FONT}, text_font_size={"value": "10.5px"}, background_fill_alpha=0.8
    )
    themed(strip.glyph, fill_color="critical")
    themed(everything.glyph, fill_color="series-1-soft")
    themed(matched.glyph, fill_color="series-3")
    themed(label.glyph, text_color="critical", background_fill_color="surface")
    chart.add_tools(
        HoverTool(renderers=[everything], mode="vline", tooltips=_TOOLTIP, formatters={"@x": "datetime"})
    )
    chart.yaxis.formatter = unit
    style_axes(chart, whole=True)
    return chart


_TOOLTIP = """
<div style="font: 12px Inter; padding: 2px 4px">
  <b>@x{%b %e %H:%M}</b><br>@n{0,0} events<br>@m{0,0} matched by a rule
</div>
"""
