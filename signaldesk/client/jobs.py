"""Backtests that an installation runs for us: ordered, waited for, fetched, and ended when nobody waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from signaldesk.client.http import Api, Refused, Unreachable
from signaldesk.client.report import ComparisonReport, Report, moment
from signaldesk.errors import FieldError

if TYPE_CHECKING:
    from signaldesk.backtest.sweep import Sweep

PATH = "/api/v1/backtests"
_PAGE = 5_000
_FIRST, _LONGEST = 0.05, 1.0
_PATIENCE = 60.0
"""Seconds without an answer after which we give up."""


def backtest(api: Api, order: dict[str, Any], *, progress: bool = False) -> Report:
    """Raises Refused, also for what goes wrong on the way, and Unreachable."""
    with _ended(api, order, progress) as answer:
        path: str | None = f"{PATH}/{answer['id']}/firings?limit={_PAGE}"
        firings: list[Any] = []
        while path is not None:
            page = api.get(path).body
            firings += page["items"]
            more = page["next"]
            path = f"{PATH}/{answer['id']}/firings?limit={_PAGE}&cursor={more}" if more else None
        return Report(answer, firings)


def compare(api: Api, order: dict[str, Any], *, progress: bool = False) -> ComparisonReport:
    """The order's rule against another one."""
    with _ended(api, order, progress) as answer:
        return ComparisonReport(answer["comparison"], answer["missing"])


def sweep(api: Api, order: dict[str, Any], *, progress: bool = False) -> Sweep:
    """The same at every point of the order's `sweep`."""
    from signaldesk.backtest.labels import Score
    from signaldesk.backtest.sweep import Point, Sweep

    with _ended(api, order, progress) as answer:
        scores = [one["score"] and Score(**one["score"]) for one in answer["points"]]
        points = [
            Point(**{**one, "score": found}) for one, found in zip(answer["points"], scores, strict=True)
        ]
        swept = Sweep(
            answer["rule"], list(order["sweep"]), points,
            notes=answer["notes"], kept_since=moment(answer.get("kept_since")),
        )  # fmt: skip
        swept.missing = answer["missing"]
        return swept


@contextmanager
def _ended(api: Api, order: dict[str, Any], progress: bool) -> Iterator[dict[str, Any]]:
    """A backtest that is done; it is forgotten there when the block ends."""
    import orjson

    headers = {"Content-Type": "application/json"}
    job = api.post(PATH, orjson.dumps(order), headers=headers).body
    path = f"{PATH}/{job['id']}"
    try:
        with _told(progress) as tell:
            job = _wait(api, path, tell)
        if problem := job["problem"]:
            faults = tuple(FieldError(one["field"], one["message"]) for one in problem["errors"])
            raise Refused(problem["detail"], status=problem["status"], body=problem, errors=faults)
        yield job
    finally:
        with suppress(Refused, Unreachable):
            api.delete(path)


def _wait(api: Api, path: str, tell: Callable[[int, int], None]) -> dict[str, Any]:
    pause, answered = _FIRST, time.monotonic()
    while True:
        try:
            job: dict[str, Any] = api.get(path).body
            answered = time.monotonic()
            if job["state"] != "running":
                return job
            tell(job["progress"]["done"], job["progress"]["total"])
        except Unreachable:
            if time.monotonic() - answered > _PATIENCE:
                raise
        time.sleep(pause)
        pause = min(_LONGEST, pause * 1.5)


@contextmanager
def _told(progress: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, if it is wanted."""
    if not progress:
        yield lambda done, total: None
        return
    from rich.progress import Progress

    from signaldesk.backtest.bar import shown

    with Progress(transient=True, **shown()) as bar:
        task = bar.add_task("backtest", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)
