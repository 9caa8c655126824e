"""From rows at which a condition holds to those that fire, and what was held back: without any deadlines."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from signaldesk.model.active import Active
from signaldesk.model.rule import Mode, Rule
from signaldesk.rules._columns import Bools, Columns, Ints

_MINUTE = 60_000_000


class Sorted(NamedTuple):
    """Rows that fire, and by reason those that were held back, all by group and then as they came."""

    fired: Ints
    held: dict[str, Ints]


def sort(columns: Columns, hits: Ints, rule: Rule) -> Sorted:
    """Which of the rows where the condition holds fire."""
    if len(columns.late):
        hits = hits[np.lexsort((columns.came[hits], columns.group[hits]))]
    held: dict[str, Ints] = {}
    if rule.mode is Mode.PAUSED:
        held["paused"], hits = hits, hits[:0]
    if rule.active is not None:
        active = _active(rule.active, columns.times[hits])
        held["inactive"], hits = hits[~active], hits[active]
    if rule.cooldown:
        fires = _cooled(columns, hits, rule.cooldown)
        held["cooldown"], hits = hits[~fires], hits[fires]
    return Sorted(hits, {reason: rows for reason, rows in held.items() if len(rows)})


def _active(hours: Active, times: Ints) -> Bools:
    """Hours begin and end with minutes."""
    minutes, place = np.unique(times // _MINUTE, return_inverse=True)
    return np.array([hours.at(int(minute) * _MINUTE) for minute in minutes], bool)[place]


def _cooled(columns: Columns, hits: Ints, cooldown: int) -> Bools:
    """Which of these, by group and as they came, lie no cooldown after one that fired.

    Of those that are older than one before them none fires: if that one fired it is the last, and if it was
    held back, so are all that are older.
    """
    fires = np.zeros(len(hits), bool)
    if not len(hits):
        return fires
    times, groups = columns.times[hits], columns.group[hits]
    newest = np.arange(len(hits))
    if len(columns.late):
        ranks = np.unique(times, return_inverse=True)[1].astype(np.int64)
        ranks += groups * np.int64(len(hits) + 1)
        newest = np.flatnonzero(ranks >= np.maximum.accumulate(ranks))
        times, groups = times[newest], groups[newest]
    starts = np.append(0, np.flatnonzero(groups[1:] != groups[:-1]) + 1)
    rising = Columns(times, hits[newest], starts, {})
    at, ends = rising.starts, rising.ends
    while len(at):
        fires[newest[at]] = True
        at = rising.after(at, times[at] + cooldown - 1)
        at, ends = at[at < ends], ends[at < ends]
    return fires


class Together(NamedTuple):
    """What was held back of one group for one reason."""

    group: int
    times: int
    since: int
    until: int
    first: int
    """The row that was held back first, as they came."""
    last: int


def together(columns: Columns, rows: Ints) -> list[Together]:
    """Rows that were held back for one reason, by group, in the order in which that began."""
    groups = columns.group[rows]
    starts = np.append(0, np.flatnonzero(groups[1:] != groups[:-1]) + 1)
    ends = np.append(starts[1:], len(rows))
    times = columns.times[rows]
    parts: list[NDArray[Any]] = [
        groups[starts], ends - starts, np.minimum.reduceat(times, starts), np.maximum.reduceat(times, starts),
        rows[starts], rows[ends - 1],
    ]  # fmt: skip
    order = np.argsort(columns.came[rows[starts]], kind="stable")
    return [Together(*one) for one in zip(*(part[order].tolist() for part in parts), strict=True)]
