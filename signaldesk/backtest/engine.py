"""Which way a rule is judged over the past: in columns where that is exact, else by the engine's fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from signaldesk.backtest import fold
from signaldesk.backtest.events import Events
from signaldesk.backtest.outcome import Judged
from signaldesk.errors import FieldError, Invalid
from signaldesk.model.rule import SavedRule
from signaldesk.rules.document import kinds


def judged(
    events: Events,
    saved: SavedRule,
    *,
    others: Sequence[SavedRule],
    since: int | None,
    until: int | None,
    lateness: int,
    columns: bool,
    step: Callable[[int], None] | None = None,
) -> tuple[Judged, str]:
    """What came of it, and why not in columns. Raises Invalid when a part of a composite rule is missing."""
    parts = _parts(saved, others)
    why = "that was asked for"
    if columns:
        from signaldesk.backtest.columns import judge  # NumPy and Arrow: only for those who need them

        found = judge(events, saved, parts=parts, lateness=lateness, since=since, until=until, step=step)
        if isinstance(found, Judged):
            return found, ""
        why = found
    folded = fold.judge(events, saved, parts=parts, lateness=lateness, since=since, until=until, step=step)
    return folded, why


def _parts(saved: SavedRule, others: Sequence[SavedRule]) -> list[SavedRule]:
    named = {one.rule.name: one for one in others}
    wanted = kinds()[saved.rule.when.kind].parts(saved.rule.when)
    if missing := [name for name in dict.fromkeys(wanted) if name not in named]:
        message = f"names the rules {', '.join(missing)}, which are not here; give them as `others`"
        raise Invalid(errors=[FieldError("when", message)])
    return [named[name] for name in dict.fromkeys(wanted)]
