"""Pictures of the rows of a query, as Bokeh figures for a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bokeh.models import ColumnDataSource
from bokeh.palettes import Category10_10
from bokeh.plotting import figure

from signaldesk.errors import SignalDeskError

if TYPE_CHECKING:
    import pandas

BINS = 120
"""Columns of time that events are counted in."""
_SERIES = 10
"""Lines or types that are told apart; the others are one."""
_TOOLS = "xpan,xwheel_zoom,box_zoom,hover,reset"


def of(frame: pandas.DataFrame, title: str) -> Any:
    """Events as their number over time by type; other rows as lines over their time, or bars over their text.

    Raises SignalDeskError for rows without any number to draw.
    """
    frame = frame.copy(deep=False)
    for name in frame.select_dtypes("datetimetz"):
        frame[name] = frame[name].dt.tz_convert(None)  # they are UTC, and Bokeh knows no zones
    if {"type", "timestamp", "payload"} <= set(frame.columns):
        return _traffic(frame, f"{len(frame):,} event{'' if len(frame) == 1 else 's'}")
    numbers = [name for name in frame.columns if frame[name].dtype.kind in "iuf"][:_SERIES]
    times = [name for name in frame.columns if frame[name].dtype.kind == "M"]
    if not numbers:
        raise SignalDeskError("there is no column of numbers to draw; name one in the SELECT")
    if times:
        return _lines(frame.sort_values(times[0]), times[0], numbers, title)
    others = [name for name in frame.columns if name not in numbers]
    return _bars(frame, others[0], numbers[0], title) if others else _points(frame, numbers, title)


def _traffic(frame: pandas.DataFrame, title: str) -> Any:
    import pandas

    plot = figure(
        title=title[:100], x_axis_type="datetime", height=300, sizing_mode="stretch_width", tools=_TOOLS,
        tooltips=[("time", "@left{%F %T}"), ("type", "$name"), ("events", "@$name")],
    )  # fmt: skip
    plot.hover.formatters = {"@left": "datetime"}
    plot.yaxis.axis_label = "events"
    if frame.empty:
        return plot
    first, last = frame["timestamp"].min(), frame["timestamp"].max()
    width = max((last - first) / BINS, pandas.Timedelta(milliseconds=1))
    common = frame["type"].value_counts().index[: _SERIES - 1]
    types = frame["type"].where(frame["type"].isin(common), "others")
    place = ((frame["timestamp"] - first) / width).astype("int64").clip(upper=BINS - 1)
    counted = pandas.crosstab(place, types)
    left = first + counted.index.to_numpy() * width
    names = [str(name) for name in counted.columns]
    source = ColumnDataSource(
        {"left": left, "right": left + width, **{str(name): counted[name] for name in counted.columns}}
    )
    plot.vbar_stack(
        names, x="left", width=width, source=source, color=Category10_10[: len(names)], legend_label=names
    )
    return plot


def _lines(frame: pandas.DataFrame, time: str, numbers: list[str], title: str) -> Any:
    plot = figure(
        title=title[:100], x_axis_type="datetime", height=300, sizing_mode="stretch_width", tools=_TOOLS
    )
    for number, name in enumerate(numbers):
        plot.line(frame[time], frame[name], color=Category10_10[number], legend_label=name)
    return plot


def _bars(frame: pandas.DataFrame, text: str, number: str, title: str) -> Any:
    shown = frame.head(50)
    names = list(dict.fromkeys(shown[text].astype(str)))
    plot = figure(title=title[:100], x_range=names, height=300, sizing_mode="stretch_width", tools=_TOOLS)
    plot.vbar(x=shown[text].astype(str), top=shown[number], width=0.8, color=Category10_10[0])
    plot.xaxis.major_label_orientation = 0.8
    plot.yaxis.axis_label = number
    return plot


def _points(frame: pandas.DataFrame, numbers: list[str], title: str) -> Any:
    plot = figure(title=title[:100], height=300, sizing_mode="stretch_width", tools=_TOOLS)
    if len(numbers) > 1:
        plot.scatter(frame[numbers[0]], frame[numbers[1]], color=Category10_10[0])
        plot.xaxis.axis_label, plot.yaxis.axis_label = numbers[:2]
    else:
        plot.line(list(range(len(frame))), frame[numbers[0]], color=Category10_10[0])
        plot.yaxis.axis_label = numbers[0]
    return plot
