"""A sweep: a backtest at every point of a grid of parameters, over the same events."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from html import escape
from itertools import product
from math import prod
from threading import Event
from typing import TYPE_CHECKING, Any, NamedTuple

from signaldesk.backtest.labels import Score, score
from signaldesk.backtest.result import Backtest, as_html
from signaldesk.clock import iso
from signaldesk.errors import FieldError, Invalid
from signaldesk.model import duration
from signaldesk.model.label import Label
from signaldesk.model.message import group_text
from signaldesk.model.rule import Rule

if TYPE_CHECKING:
    import pandas

MOST_POINTS = 10_000
WORKERS = min(4, os.cpu_count() or 1)
"""Points that are tested at a time. NumPy and DuckDB hold nobody up, but Python does: two threads on two
cores were measured to save a tenth."""


class Point(NamedTuple):
    """One point of the grid: its parameters, and what the rule would have done with them."""

    parameters: dict[str, Any]
    firings: int
    alerts: int
    notifications: int
    per_week: float | None
    """Notifications; None for less than about a day."""
    noisiest: dict[str, Any] | None
    """The group that fired most."""
    score: Score | None
    """How well it found the labelled incidents, if there are any."""

    def as_json(self) -> dict[str, Any]:
        found = self._asdict()
        return {**found, "score": self.score._asdict() if self.score else None}


class Sweep:
    """Points in the order of the grid. `recommended` are those that no other one beats in everything."""

    def __init__(
        self,
        rule: str,
        names: Sequence[str],
        points: list[Point],
        *,
        notes: Sequence[str] = (),
        kept_since: int | None = None,
    ) -> None:
        self.rule = rule
        self.names = list(names)
        self.points = points
        self.notes = notes
        """What one should know of it."""
        self.kept_since = kept_since
        """From when on (µs) history has events, when that is later than was asked for."""
        self.missing: Sequence[str] = ()
        """Damaged files of history, whose events were not judged."""

    @property
    def recommended(self) -> list[Point]:
        """The pareto set: fewest notifications for the recall that they buy, fewest first.

        Without labels there is nothing to find, and nothing is recommended.
        """
        best: list[Point] = []
        reached = -1.0
        scored = [point for point in self.points if point.score is not None]
        for point in sorted(scored, key=lambda one: (one.notifications, -_goodness(one))):
            if _goodness(point) > reached:
                reached = _goodness(point)
                best.append(point)
        return best

    def df(self) -> pandas.DataFrame:
        """A row for every point."""
        import pandas

        rows = [
            {
                **point.parameters,
                "firings": point.firings,
                "alerts": point.alerts,
                "notifications": point.notifications,
                "notifications_per_week": point.per_week,
                "noisiest": _noisiest(point),
                **(point.score._asdict() if point.score else {}),
            }
            for point in self.points
        ]
        frame = pandas.DataFrame(rows)
        return frame if any(frame.get("noisiest", ())) else frame.drop(columns="noisiest", errors="ignore")

    def as_json(self) -> dict[str, Any]:
        """The points, the parameters of those that are recommended, and what one should know of it."""
        return {
            "points": [point.as_json() for point in self.points],
            "recommended": [point.parameters for point in self.recommended],
            "notes": list(self.notes),
            "kept_since": iso(self.kept_since) if self.kept_since is not None else None,
        }

    def plot(self, figure: str | None = None) -> Any:
        """A heat map of a figure (the one that `figure` says) over the first two parameters."""
        from signaldesk.backtest.picture import heat_map

        return heat_map(self, figure)

    @property
    def figure(self) -> str:
        """The one that people look at first: `f_score` with labels, else `per_week` if the time tells it."""
        if any(point.score for point in self.points):
            return "f_score"
        return "notifications" if any(point.per_week is None for point in self.points) else "per_week"

    def table(self) -> pandas.DataFrame:
        """`df` for people: without a rate that a short time does not tell."""
        frame = self.df()
        told = "notifications_per_week" not in frame or frame["notifications_per_week"].notna().any()
        return frame if told else frame.drop(columns="notifications_per_week")

    def __repr__(self) -> str:
        points = f"{len(self.points)} points over {', '.join(self.names)}"
        return f"<Sweep of {self.rule!r}: {'; '.join([points, *self.notes])}>"

    def _repr_html_(self) -> str:
        points = self.table().to_html(index=False, float_format=_rounded)
        return f"<h4>{escape(self.rule)}</h4>{as_html(self.notes)}{points}"


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _noisiest(point: Point) -> str:
    """The group that fired most and how often, in words."""
    if point.noisiest is None or not point.noisiest["group"]:
        return ""
    return f"{group_text(point.noisiest['group'])} ({point.noisiest['firings']:,})"


def _goodness(point: Point) -> float:
    return point.score.f_score if point.score else 0.0


def grid(parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Every combination of the parameters' values. Raises Invalid for none, or for too many of them."""
    tried = listed(parameters)
    count = prod(len(values) for values in tried.values())
    if count > MOST_POINTS:
        fault = FieldError("sweep", f"these are {count:,} points; the most is {MOST_POINTS:,}")
        raise Invalid("this is no grid", errors=[fault])
    return [dict(zip(tried, values, strict=True)) for values in product(*tried.values())]


def listed(parameters: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The values to try as JSON has them, each once; one alone is a list of one. Raises Invalid where there
    is none."""
    found = {
        name: list({repr(one): one for one in map(plain, _several(value))}.values())
        for name, value in parameters.items()
    }
    faults = [FieldError(name, "has no value to try") for name, values in found.items() if not values]
    if not found:
        faults.append(FieldError("sweep", "name a parameter and its values, e.g. at_least=range(2, 21)"))
    if faults:
        raise Invalid("this is no grid", errors=faults)
    return found


def _several(value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    return value if isinstance(value, Iterable) and not isinstance(value, str | dict) else (value,)


def plain(value: Any) -> Any:
    """A parameter as JSON has it: NumPy's numbers as Python's, a timedelta as a duration."""
    if getattr(value, "ndim", None) == 0:
        value = value.item()
    return duration.text(value // timedelta(microseconds=1)) if isinstance(value, timedelta) else value


def run(
    points: Sequence[dict[str, Any]],
    rules: Sequence[Rule],
    test: Callable[[Rule, Callable[[], bool]], Backtest],
    *,
    labels: Sequence[Label] = (),
    progress: bool = False,
) -> list[Point]:
    """Test the rule of every point, several at a time. Whoever wants to stop it interrupts it, or has `test`
    raise: what has not begun is left alone, and nothing stays behind.

    `test` is given the rule, and what it may ask whether to go on.
    """
    stopped = Event()

    def tested(parameters: dict[str, Any], rule: Rule) -> Point:
        return _point(parameters, test(rule, lambda: not stopped.is_set()), labels)

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="sweep") as pool:
        try:
            pending = [pool.submit(tested, *one) for one in zip(points, rules, strict=True)]
            return [one.result() for one in _told(pending, progress)]
        except BaseException:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _told(pending: Sequence[Future[Point]], progress: bool) -> Iterator[Future[Point]]:
    """The points, with a bar on standard error while they are worked on."""
    if not progress:
        yield from pending
        return
    from rich.progress import track

    from signaldesk.backtest.bar import shown

    yield from track(pending, description="sweep", transient=True, **shown())


def _point(parameters: dict[str, Any], found: Backtest, labels: Sequence[Label]) -> Point:
    summary = found.summary
    return Point(
        parameters=parameters,
        firings=summary["firings"],
        alerts=summary["alerts"],
        notifications=summary["notifications"],
        per_week=summary["notifications_per_week"],
        noisiest=summary["noisiest"][0] if summary["noisiest"] else None,
        score=score(found.alerts, labels) if labels else None,
    )
