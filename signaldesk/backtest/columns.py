"""A backtest in columns: of one rule, or of a composite one and its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from signaldesk.backtest.events import Events
from signaldesk.backtest.feeding import Unsure
from signaldesk.backtest.outcome import Judged
from signaldesk.backtest.single import Single, replay_of
from signaldesk.backtest.whole import Whole
from signaldesk.model.rule import SavedRule


def judge(
    events: Events,
    saved: SavedRule,
    *,
    parts: Sequence[SavedRule] = (),
    lateness: int,
    since: int | None = None,
    until: int | None = None,
    step: Callable[[int], None] | None = None,
) -> Judged | str:
    """What the fold would make of the events (see `fold.judge`), or why that cannot be said in columns."""
    begun = since if since is not None else events.first or 0
    try:
        replay = replay_of(saved.rule)
        if parts:
            return Whole(events, saved, replay, parts, lateness, (begun, until)).run(until, step)
        backtest = Single(events, saved, replay, lateness)
        return backtest.wait(begun, until, step) if replay.waits else backtest.run(until, step)
    except Unsure as why:
        return str(why)
