"""The look of every chart's axes."""

from __future__ import annotations

from bokeh.models import BasicTicker, DatetimeTickFormatter
from bokeh.plotting import figure

from apps.themed import themed

FONT = "Inter, system-ui, sans-serif"
"""Notebooks do not have ours."""


def style_axes(chart: figure, *, whole: bool = False) -> None:
    """Few ticks, no lines but a faint grid; time below. `whole`: ticks at whole numbers only."""
    chart.yaxis.ticker = BasicTicker(
        desired_num_ticks=4, mantissas=[1, 2, 4, 5], min_interval=1 if whole else 0
    )
    chart.xaxis.formatter = DatetimeTickFormatter(
        minutes="%H:%M", hourmin="%H:%M", hours="%H:%M", days="%b %e", months="%b %e"
    )
    chart.min_border_right = 16  # half of a time that stands at the very end
    for axis in (chart.xaxis[0], chart.yaxis[0]):
        axis.update(
            axis_line_color=None,
            major_tick_line_color=None,
            minor_tick_line_color=None,
            major_label_text_font=FONT,
            major_label_text_font_size="10.5px",
        )
        themed(axis, major_label_text_color="ink-3")
    chart.xgrid.grid_line_color = None
    themed(chart.ygrid[0], grid_line_color="line")
