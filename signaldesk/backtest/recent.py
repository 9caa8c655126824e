"""An organisation's latest events for a preview: no more of them than it bears, and of each what rules need.

The fields that the rules look at come out of their columns; payloads are read only where that would not be
exact (see `history.typed`). When there are too many events, the latest part of the time is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from signaldesk.backtest.events import Events, Unreadable
from signaldesk.backtest.looks import paths
from signaldesk.backtest.room import MOST
from signaldesk.clock import from_us, to_us
from signaldesk.errors import FieldError, Invalid
from signaldesk.history import duck, typed
from signaldesk.history.cut import Cut
from signaldesk.history.history import History
from signaldesk.history.typed import Typed
from signaldesk.model.rule import Rule
from signaldesk.rules.document import kinds

if TYPE_CHECKING:
    import duckdb

WHOLE = 250_000
"""Most events of a preview that needs their payloads."""
_MEMORY = "1GB"
"""Of DuckDB, for one preview."""
_STEPS = 1_440
"""A part begins at one of so many moments: of a day, at a minute."""


class Recent(NamedTuple):
    """Events since a moment (µs), how many came before it, and the damaged files that had more of them."""

    events: Events
    since: int
    left_out: int
    missing: Sequence[str]


def load(
    history: History, org_id: UUID, rules: Sequence[Rule], since: datetime, until: datetime, most: int = MOST
) -> Recent:
    """An organisation's live events in [since, until) that these rules look at, the latest `most` of them.

    Raises Invalid when more than that came at the same time, or need more memory than there is.
    """
    import duckdb

    types = sorted({name for rule in rules for name in kinds()[rule.when.kind].events(rule)})

    def read() -> Recent:
        return _read(history.cut(org_id, types=types, since=to_us(since), until=to_us(until)), rules, most)

    found = history.whole(org_id, read, unreadable=(Unreadable, duckdb.Error))
    found.events.kept_since = history.begins_after(org_id, from_us(found.since), now=until)
    return found


def _read(cut: Cut, rules: Sequence[Rule], most: int) -> Recent:
    import duckdb

    connection = duck.connect(memory=_MEMORY)
    connection.execute("SET temp_directory = ''")  # what does not fit into memory goes nowhere else
    connection.register("tail", cut.tail)
    try:
        return _load(connection, cut, rules, most)
    except duckdb.OutOfMemoryException:
        raise _too_much("these events need more memory than a preview has; look at a shorter time") from None
    finally:
        connection.execute("DROP VIEW IF EXISTS given")
        connection.unregister("tail")


def _load(connection: duckdb.DuckDBPyConnection, cut: Cut, rules: Sequence[Rule], most: int) -> Recent:
    fields = paths(rules)
    types = typed.types(cut, fields) if fields is not None else None
    if types is not None:
        part, left_out = _latest(connection, cut, most)
        narrow = Typed(part, types, tail="tail")
        strays = narrow.strays()
        if not strays or not connection.execute(strays).fetchall()[0][0]:
            connection.execute(f"CREATE VIEW given AS {narrow.sql()}")
            return Recent(Events.on(connection, paths=narrow.columns), part.since or 0, left_out, cut.missing)
    part, left_out = _latest(connection, cut, min(most, WHOLE))
    connection.execute(f"CREATE VIEW given AS {part.sql(tail='tail', lane='')}")
    return Recent(Events.on(connection), part.since or 0, left_out, cut.missing)


def _latest(connection: duckdb.DuckDBPyConnection, cut: Cut, most: int) -> tuple[Cut, int]:
    """The latest part of a cut that has no more events than that, and how many came before it."""
    assert cut.since is not None and cut.until is not None
    step = max(1, -(-(cut.until - cut.since) // _STEPS))
    counted = connection.execute(
        f"SELECT (epoch_us(timestamp) - {cut.since}) // {step}, count(*) "
        f"FROM ({Typed(cut, {}, tail='tail').sql()}) GROUP BY 1 ORDER BY 1 DESC"
    ).fetchall()
    total = sum(count for _, count in counted)
    if total <= most:
        return cut, 0
    kept, begins = 0, _STEPS
    for place, count in counted:
        if kept + count > most:
            break
        kept, begins = kept + count, place
    if not kept:  # they came together: the latest part of that moment
        place, count = counted[0]
        if step == 1:
            raise _too_much(
                f"{count:,} events of {', '.join(cut.types[:3])} have the same time, and a preview looks at "
                f"{most:,}; look at fewer types, or run a backtest"
            )
        begin = cut.since + place * step
        moment = replace(cut, since=begin, until=min(cut.until, begin + step))
        part, left_out = _latest(connection, moment, most)
        return part, left_out + total - count
    return replace(cut, since=cut.since + begins * step), total - kept


def _too_much(message: str) -> Invalid:
    return Invalid(message, errors=[FieldError("events", message)])
