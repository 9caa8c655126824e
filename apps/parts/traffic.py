"""The events chart: everything received, and the part that a rule matched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import Any

import panel as pn
from bokeh.models import (
    BasicTicker,
    ColumnDataSource,
    DatetimeTickFormatter,
    HoverTool,
    PrintfTickFormatter,
    Range1d,
)
from bokeh.plotting import figure

from apps import wording
from apps.markup import Html, box, parts_css
from apps.themed import paint, themed
from signaldesk.model.overview import AlertLine, Bar, Span

_UNITS = ((1, "s"), (60, "min"), (3_600, "h"))
_TOP = 1.12
"""Head room over the tallest bar, so that the chart need not be rescaled at every new maximum."""

MARKS = 2
"""Alerts named on the chart; more would hide the bars."""


class Traffic(pn.viewable.Viewer):
    """Bars over a span that ends now; the last bar grows while its time lasts."""

    def __init__(self, *, zone: tzinfo, dark: bool, **params: object) -> None:
        super().__init__(**params)
        self._zone = zone
        self._bars: list[Bar] = []
        self._seconds = 1
        self._top = 4.0
        self._source = ColumnDataSource({"x": [], "all": [], "matched": [], "n": [], "m": [], "width": []})
        self._marks = ColumnDataSource({name: [] for name in ("from", "to", "x", "y", "label", "align")})
        self._x = Range1d(start=0, end=1)
        self._y = Range1d(start=0, end=4)
        self._axis = PrintfTickFormatter(format="%s/s")
        self._hover = HoverTool(tooltips=None, mode="vline")
        self._figure = self._draw_figure()
        paint(self._figure, dark=dark)
        self._chart = pn.pane.Bokeh(
            self._figure,
            css_classes=["plot"],
            stylesheets=[parts_css()],
            margin=0,
            sizing_mode="stretch_width",
            height=212,
        )
        self._head = Html("bare")
        self._card = box("card", self._head, self._chart)

    def begin(self, span: Span, bars: Iterable[Bar]) -> None:
        """Draw a span from scratch."""
        self._span = span
        self._bars = list(bars)
        self._shift = wording.utc_offset_us(self._bars[-1].start_us, self._zone)
        self._head.fill("overview/traffic.html", span=span)
        self._scale()
        self._source.data = self._columns(self._bars)
        self._frame()

    def add(self, events: int, matched: int, now_us: int) -> None:
        """More events were received at `now_us`; call `draw` when all are told."""
        self._roll(now_us)
        last = self._bars[-1]
        self._bars[-1] = Bar(last.start_us, last.events + events, last.matched + matched)

    def correct(self, bars: Iterable[Bar]) -> None:
        """Take stored counts where they know more: what is stored lags a second, what is told may be lost."""
        stored = {bar.start_us: bar for bar in bars}
        for i, bar in enumerate(self._bars):
            if known := stored.get(bar.start_us):
                self._bars[i] = Bar(
                    bar.start_us, max(bar.events, known.events), max(bar.matched, known.matched)
                )

    def draw(self, now_us: int) -> None:
        """Send what has changed: new bars are streamed, those that grew are patched."""
        self._roll(now_us)
        if self._scale():
            self._source.data = self._columns(self._bars)
            self._frame()
            return
        columns = self._columns(self._bars)
        sent = self._source.data
        first = len(self._bars) - sum(x > sent["x"][-1] for x in columns["x"])
        known = {x: (n, m) for x, n, m in zip(sent["x"], sent["n"], sent["m"], strict=True)}
        places = {x: place for place, x in enumerate(sent["x"])}
        patches: dict[str, list[tuple[int, Any]]] = {name: [] for name in columns}
        for i in range(first):
            if known[columns["x"][i]] != (columns["n"][i], columns["m"][i]):
                for name, values in columns.items():
                    patches[name].append((places[columns["x"][i]], values[i]))
        if patches["x"]:
            self._source.patch(patches)
        if first < len(self._bars):
            self._source.stream(
                {name: values[first:] for name, values in columns.items()}, rollover=self._span.bars
            )
            self._frame()

    def mark(self, alerts: Sequence[AlertLine]) -> None:
        """Shade the time from opening to last firing of the most urgent alerts in view."""
        if not self._bars:
            return
        half = self._span.bar_us // 2
        start, middle = self._bars[0].start_us, self._bars[len(self._bars) // 2].start_us
        shown = [alert for alert in alerts if alert.last_fired_us >= start][:MARKS]
        opened = [max(alert.opened_us, start) for alert in shown]
        fired = [alert.last_fired_us for alert in shown]
        late = [us > middle for us in opened]
        self._marks.data = {
            "from": [self._at(us - half) for us in opened],
            "to": [self._at(us + half) for us in fired],
            "x": [
                self._at(to + half if right else us - half)
                for us, to, right in zip(opened, fired, late, strict=True)
            ],
            "y": [self._top * (1 - 0.085 * row) for row, _ in enumerate(shown)],
            "label": [wording.headline(alert.title, alert.group) for alert in shown],
            "align": ["right" if right else "left" for right in late],
        }

    def __panel__(self) -> pn.viewable.Viewable:
        return self._card

    def _roll(self, now_us: int) -> None:
        """Open the bars whose time has come, drop those that left the span."""
        while self._bars and self._bars[-1].start_us + self._span.bar_us <= now_us:
            self._bars.append(Bar(self._bars[-1].start_us + self._span.bar_us, 0, 0))
        del self._bars[: -self._span.bars]

    def _scale(self) -> bool:
        """Fit unit and height to the tallest bar; True when either changed."""
        tallest = max((bar.events for bar in self._bars), default=0) / self._span.bar_s
        seconds, unit = next(
            ((s, u) for s, u in _UNITS if tallest * s >= 4), _UNITS[-1] if tallest else _UNITS[0]
        )
        height = max(tallest * seconds, 4)
        fits = seconds == self._seconds and height <= self._top <= 2 * height * _TOP
        if fits and len(self._source.data["x"]):
            return False
        self._seconds = seconds
        self._axis.format = f"%s/{unit}"
        self._top = height * _TOP
        self._y.end = self._top
        return True

    def _frame(self) -> None:
        self._x.update(
            start=self._at(self._bars[0].start_us), end=self._at(self._bars[-1].start_us + self._span.bar_us)
        )

    def _columns(self, bars: Sequence[Bar]) -> dict[str, Any]:
        per = self._seconds / self._span.bar_s
        return {
            "x": [self._ms(bar) for bar in bars],
            "all": [bar.events * per for bar in bars],
            "matched": [bar.matched * per for bar in bars],
            "n": [bar.events for bar in bars],
            "m": [bar.matched for bar in bars],
            "width": [self._span.bar_s * 1000 * 0.74] * len(bars),
        }

    def _ms(self, bar: Bar) -> float:
        """The middle of a bar."""
        return self._at(bar.start_us + self._span.bar_us // 2)

    def _at(self, us: int) -> float:
        """A moment as the chart counts time: milliseconds, shifted so that its axis reads local time.

        One shift for the whole chart: where clocks change within the span, the hours before the change are
        labelled an hour off, but no two bars fall on one place.
        """
        return (us + self._shift) / 1000

    def _draw_figure(self) -> figure:
        chart = figure(
            x_range=self._x,
            y_range=self._y,
            x_axis_type="datetime",
            height=212,
            sizing_mode="stretch_width",
            toolbar_location=None,
            tools=[],
            min_border=0,
            outline_line_color=None,
            output_backend="canvas",
        )
        strip = chart.vstrip(x0="from", x1="to", source=self._marks, fill_alpha=0.09, line_color=None)
        everything = chart.vbar(x="x", top="all", width="width", source=self._source, line_color=None)
        matched = chart.vbar(x="x", top="matched", width="width", source=self._source, line_color=None)
        label = chart.text(
            x="x",
            y="y",
            text="label",
            text_align="align",
            source=self._marks,
            y_offset=2,
            text_baseline="top",
        )
        label.glyph.update(text_font={"value": "Inter"}, text_font_size={"value": "10.5px"})
        themed(strip.glyph, fill_color="critical")
        themed(everything.glyph, fill_color="series-1-soft")
        themed(matched.glyph, fill_color="series-3")
        label.glyph.update(background_fill_alpha=0.8)
        themed(label.glyph, text_color="critical", background_fill_color="surface")
        self._hover.update(renderers=[everything], tooltips=_TOOLTIP, formatters={"@x": "datetime"})
        chart.add_tools(self._hover)
        self._style_axes(chart)
        return chart

    def _style_axes(self, chart: figure) -> None:
        chart.yaxis.formatter = self._axis
        chart.yaxis.ticker = BasicTicker(desired_num_ticks=4, mantissas=[1, 2, 4, 5], min_interval=1)
        chart.xaxis.formatter = DatetimeTickFormatter(
            minutes="%H:%M", hourmin="%H:%M", hours="%H:%M", days="%b %e", months="%b %e"
        )
        for axis in (chart.xaxis[0], chart.yaxis[0]):
            axis.update(
                axis_line_color=None,
                major_tick_line_color=None,
                minor_tick_line_color=None,
                major_label_text_font="Inter",
                major_label_text_font_size="10.5px",
            )
            themed(axis, major_label_text_color="ink-3")
        chart.xgrid.grid_line_color = None
        themed(chart.ygrid[0], grid_line_color="line")
        chart.update(background_fill_color=None, border_fill_color=None)


_TOOLTIP = """
<div style="font: 12px Inter; padding: 2px 4px">
  <b>@x{%b %e %H:%M}</b><br>@n{0,0} events<br>@m{0,0} matched by a rule
</div>
"""
