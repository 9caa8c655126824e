"""The tuner: sliders for a rule's numbers, what it would have done with known events, and a sweep.

One component for a notebook (`sd.tune`) and for the rule builder of the web, which arranges its pieces
itself. Judging takes its time: with a running event loop it happens in a thread, a moment after the last
move, and what is out of date by then is thrown away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, tzinfo
from time import perf_counter
from typing import Any, NamedTuple

import panel as pn
from bokeh.document import Document

from apps.markup import Html, box
from apps.parts.history_chart import HistoryChart
from apps.parts.knobs import Knob, Knobs
from apps.wording import exact
from signaldesk.backtest.bench import Bench, Stopped, Tried
from signaldesk.backtest.sweep import Point, Sweep
from signaldesk.errors import Invalid, SignalDeskError
from signaldesk.log import get_logger
from signaldesk.model.damage import words
from signaldesk.model.message import many, often
from signaldesk.model.rule import Rule
from signaldesk.rules import document

log = get_logger(__name__)

NAMELESS = "a rule"
DELAY_S = 0.12
COLUMNS, ROWS = 7, 5
"""Values of a sweep's two parameters."""
PATIENCE_S = 20.0
"""A sweep that takes longer is given up."""


class Heat(NamedTuple):
    """A cell of the heat map."""

    text: str
    strength: int
    """0 to 100, per cent of the strongest."""
    here: bool
    """Whether the rule has these values now."""
    words: str


class Tuner(pn.viewable.Viewer):
    """`body` is a rule's document, `bench` the events; without one it says why in `absent`.

    `changed(body)` is called when somebody moves a slider.
    """

    def __init__(
        self,
        body: Mapping[str, Any],
        bench: Bench | None = None,
        *,
        absent: str = "",
        zone: tzinfo = UTC,
        dark: bool = False,
        changed: Callable[[dict[str, Any]], None] | None = None,
        **params: Any,
    ) -> None:
        super().__init__(**params)
        self._body, self._bench, self._absent = dict(body), bench, absent
        self._changed, self._zone = changed, zone
        self._turn = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._drawn: Callable[[], None] = lambda: None
        self._rule: Rule | None = None
        self._tried: Tried | None = None
        self._sweep: Sweep | None = None
        self._fault = ""
        self._busy = self._slow = False
        self.against: Rule | None = None
        """A rule that the present one is compared with, if it differs …"""
        self.against_name = "what is saved"
        """… and what that is for people."""
        self.spans: Sequence[tuple[str, str, bool]] = ()
        """Links to other spans of time: name, address, whether it is the present one."""
        self.knobs = Knobs(self._moved)
        self.chart = HistoryChart(zone=zone, dark=dark)
        self._head, self._figures, self._heat = Html("bare"), Html("bare"), Html("card")
        self.picture = box("picture", self._head, self.chart.__panel__(), self._figures)
        self.heat = self._heat
        self._read()

    # --- what it is about ------------------------------------------------------------------------------

    @property
    def body(self) -> dict[str, Any]:
        """The document as it is now."""
        return self._body

    @property
    def tried(self) -> Tried | None:
        """What came of judging it, once that is done."""
        return self._tried

    @property
    def sweep(self) -> Sweep | None:
        return self._sweep

    def take(self, body: Mapping[str, Any], bench: Bench | None = None, absent: str = "") -> Rule | None:
        """Another document, or other events; the rule that it says, if it is one."""
        self._body = dict(body)
        if bench is not None or absent:
            self._bench, self._absent = bench, absent
        self._read()
        self.judge_soon()
        return self._rule

    def _read(self) -> None:
        self._rule, self._fault = None, ""
        try:
            # What it is called changes nothing of what it would have done.
            self._rule = document.parse({**self._body, "name": self._body.get("name") or NAMELESS})
        except Invalid as error:
            first = next(iter(error.errors), None)
            self._fault = f"{first.field} {first.message}" if first else error.detail
        self.knobs.draw(self._body)

    def _moved(self, path: str, value: Any) -> None:
        """Somebody moved a slider."""
        if path.startswith("when."):
            when = {**self._body.get("when", {}), path.removeprefix("when."): value}
            self._body = {**self._body, "when": when}
        else:
            self._body = {**self._body, path: value}
        self._read()
        if self._changed is not None:
            self._changed(self._body)
        self.judge_soon()

    # --- judging ---------------------------------------------------------------------------------------

    def judge_soon(self) -> None:
        """Judge in a moment; at once where no event loop runs."""
        self._turn += 1
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            if (doc := self._served()) is not None:  # Bokeh 3.10 tells in a thread what was moved
                doc.add_next_tick_callback(self._judge_on_the_loop)
            else:
                self.judge_now()
            return
        task = loop.create_task(self._judge(self._turn))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _judge_on_the_loop(self) -> None:
        self.judge_soon()

    def judge_now(self) -> None:
        """Judge and sweep, and draw it."""
        self._turn += 1
        self._judged(*self._try())
        if self._sweeps():
            self._sweep = self._swept(self._turn)
        self.draw()

    async def settled(self) -> None:
        """Wait until nothing is being judged."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def close(self) -> None:
        """Throw away what is being judged, and the events."""
        self._turn += 1
        self._bench = None
        for task in self._tasks:
            task.cancel()

    async def _judge(self, turn: int) -> None:
        await asyncio.sleep(DELAY_S)
        if turn != self._turn:
            return
        self._busy = True
        self._draw_later()
        found = await asyncio.to_thread(self._try, lambda: turn == self._turn)
        if turn != self._turn:
            return
        self._busy = False
        self._judged(*found)
        self._draw_later()
        if self._sweeps():
            swept = await asyncio.to_thread(self._swept, turn)
            if turn == self._turn:
                self._sweep = swept
                self._draw_later()

    def _try(self, go_on: Callable[[], bool] = lambda: True) -> tuple[Tried | None, str]:
        if self._bench is None or self._rule is None:
            return None, self._fault or self._absent
        try:
            against = None if self.against == self._rule else self.against
            return self._bench.judge(self._rule, against=against, go_on=go_on), ""
        except Stopped:
            return None, ""
        except SignalDeskError as error:
            return None, "; ".join(fault.message for fault in error.errors) or error.detail
        except Exception:
            # The edge of a task that nobody waits for: it is said, and the next move is judged again.
            log.exception("a rule could not be tried out")
            return None, "This could not be judged; the log says why."

    def _judged(self, tried: Tried | None, fault: str) -> None:
        self._tried, self._fault, self._sweep, self._slow = tried, fault, None, False

    def _sweeps(self) -> bool:
        return self._tried is not None and len(self._axes()) > 0

    # --- sweeping --------------------------------------------------------------------------------------

    def _axes(self) -> list[Knob]:
        """The two numbers that a sweep goes through: the limit, and the length of the window."""
        return [one for one in self.knobs.knobs if one.path.startswith("when.")][:2]

    def _swept(self, turn: int) -> Sweep | None:
        if self._bench is None or self._rule is None:
            return None
        most = (COLUMNS, ROWS)
        grid = {one.name: around(one, number) for one, number in zip(self._axes(), most, strict=False)}
        end = perf_counter() + PATIENCE_S
        try:
            return self._bench.sweep(
                self._rule, grid, go_on=lambda: turn == self._turn and perf_counter() < end
            )
        except (Stopped, SignalDeskError):
            self._slow = turn == self._turn
            return None

    # --- drawing ---------------------------------------------------------------------------------------

    def _draw_later(self) -> None:
        """Draw under the lock of the document, where one is served."""
        if (doc := self._served()) is not None:
            doc.add_next_tick_callback(self.draw)
        else:
            self.draw()
            if self.chart.pane._models:
                pn.io.push_notebook(self.chart.pane)

    def _served(self) -> Document | None:
        """The document, if a server has it; a notebook's has nobody who would run callbacks."""
        doc = self.chart.figure.document
        return doc if doc is not None and doc.session_context is not None else None

    def draw(self) -> None:
        tried = self._tried
        if tried is not None:
            self.chart.draw(tried)
        elif self._fault:
            self.chart.clear()
        self._head.fill(
            "tuner/head.html", words=tried.words if tried else "", busy=self._busy, spans=self.spans
        )
        self._figures.fill(
            "tuner/figures.html",
            tried=tried, fault=self._fault, labels=len(self._bench.labels) if self._bench else 0,
            against=self.against_name, ends=tried is not None and ends(tried.found.rule),
            damage=words(self._bench.missing) if self._bench and self._bench.missing else "",
            part=self._part(),
        )  # fmt: skip
        self._draw_heat()

    def _part(self) -> str:
        """What is judged, where it is not all of the time that was asked for."""
        bench = self._bench
        if bench is None:
            return ""
        if bench.left_out:
            return (
                f"Only the latest {len(bench.events):,} events are judged, from "
                f"{exact(bench.since, self._zone)} on: {bench.left_out:,} more came before. Look at a "
                "shorter time or at fewer types, or run a backtest, which judges them all."
            )
        if (kept := bench.events.kept_since) is not None:
            began = exact(kept, self._zone)
            return f"History has no events from before {began}: figures a week count from then on."
        return ""

    def _draw_heat(self) -> None:
        axes, sweep = self._axes(), self._sweep
        rows: list[tuple[str, list[Heat]]] = []
        heads: list[str] = []
        scored = bool(self._bench and self._bench.labels)
        if sweep and axes:
            heads = [str(value) for value in dict.fromkeys(p.parameters[axes[0].name] for p in sweep.points)]
            rows = heat_rows(sweep, axes, scored=scored)
        self._heat.fill(
            "tuner/heat.html",
            axes=axes, heads=heads, rows=rows, scored=scored, tried=self._tried is not None,
            slow=self._slow, weekly=not sweep or sweep.figure != "notifications",
        )  # fmt: skip

    def __panel__(self) -> pn.viewable.Viewable:
        return box("tuner", box("card", self.picture, self.knobs.__panel__()), self.heat)


def ends(rule: Rule) -> bool:
    """Whether alerts of a rule end without anybody's help."""
    return rule.resolve is not None or rule.when.kind == "absence"


def around(knob: Knob, many: int) -> list[Any]:
    """So many values of a knob on both sides of the present one, which is among them; fewer if it has few."""
    step = max(1, len(knob.values) // (many * 3)) if not isinstance(knob.values[0], str) else 1
    before = min(many // 2, knob.at // step)
    after = min(many - 1 - before, (len(knob.values) - 1 - knob.at) // step)
    before = min(many - 1 - after, knob.at // step)
    return [knob.values[knob.at + step * place] for place in range(-before, after + 1)]


def heat_rows(sweep: Sweep, axes: list[Knob], *, scored: bool) -> list[tuple[str, list[Heat]]]:
    """The cells, row by row: F-scores where incidents are known, else notifications: a week, or all."""
    figures = [point.score.f_score if scored and point.score else _notified(point) for point in sweep.points]
    top = max(figures, default=0) or 1
    rows: dict[str, list[Heat]] = {}
    for point, figure in zip(sweep.points, figures, strict=True):
        here = all(point.parameters[one.name] == one.values[one.at] for one in axes)
        digits = 2 if scored else 0 if figure >= 10 or figure.is_integer() else 1
        told = often(point.notifications, point.per_week)
        words = f"{many(point.firings, 'firing')}, {many(point.alerts, 'alert')}, {told}"
        if point.score:
            words += f", recall {point.score.recall:.0%}, precision {point.score.precision:.0%}"
        row = str(point.parameters[axes[1].name]) if len(axes) > 1 else ""
        rows.setdefault(row, []).append(Heat(f"{figure:.{digits}f}", round(100 * figure / top), here, words))
    return list(rows.items())


def _notified(point: Point) -> float:
    return float(point.notifications) if point.per_week is None else point.per_week
