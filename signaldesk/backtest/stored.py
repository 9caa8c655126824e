"""An organisation's stored events, as a backtest takes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from signaldesk.backtest.events import Events, Unreadable
from signaldesk.backtest.fold import unsaved
from signaldesk.clock import to_us
from signaldesk.errors import FieldError, Invalid, NotFound
from signaldesk.history import duck
from signaldesk.history.cut import Cut
from signaldesk.history.history import History
from signaldesk.model.rule import Rule, SavedRule
from signaldesk.rules import document
from signaldesk.rules.document import kinds

if TYPE_CHECKING:
    import duckdb

    from signaldesk.catalog.rules import RuleCatalog
    from signaldesk.store.rules import StoredRule

_COLUMNS = (
    "id, type, source, timestamp, received_at, clock_skewed, behind, position, idx, "
    "payload::VARCHAR AS payload"
)


class Loaded(NamedTuple):
    """Events, and the paths of damaged files that had more of them."""

    events: Events
    missing: Sequence[str]


def load(
    history: History,
    org_id: UUID,
    rules: Sequence[Rule],
    since: datetime,
    until: datetime,
    *,
    now: datetime,
    replay: str = "",
    connection: duckdb.DuckDBPyConnection | None = None,
) -> Loaded:
    """The live events in [since, until) that these rules look at, or those of an import (`replay`), from
    PostgreSQL and files as one, in the order in which they were judged.

    They go straight into a table of DuckDB, on the connection given or one of their own. Raises Invalid for a
    range that is none or that lies before what is kept, and for events that need more memory than there is.
    """
    import duckdb

    if until <= since:
        raise _fault("to", "does not come after `from`; nothing lies between them")
    watermark = history.watermark(org_id, replay) if replay else None
    if replay and watermark is None:
        raise _fault("replay", f"there is no import {replay[:60]!r}; `signaldesk send --replay` makes one")
    types = sorted({name for rule in rules for name in kinds()[rule.when.kind].events(rule)})
    on = connection or duck.connect()

    def read() -> Loaded:
        cut = history.cut(org_id, types=types, since=to_us(since), until=to_us(until))
        return Loaded(_events(on, cut, replay), cut.missing)

    events, missing = history.whole(org_id, read, unreadable=(Unreadable, duckdb.Error))
    if not len(events) and until <= (kept := history.kept_since(org_id, now)):
        message = f"lies before {kept:%Y-%m-%d}, and older events are not kept; name a later time"
        raise _fault("to", message)
    if watermark is not None:  # events of other types have moved its time as well
        events.clock = max(events.clock or 0, min(watermark, to_us(until)))
    events.kept_since = history.begins_after(org_id, since, now)
    return Loaded(events, missing)


def _events(connection: duckdb.DuckDBPyConnection, cut: Cut, lane: str) -> Events:
    import duckdb

    connection.register("tail", cut.tail)
    found = cut.sql(tail="tail", lane=lane)
    try:
        connection.execute(f"CREATE OR REPLACE VIEW given AS SELECT {_COLUMNS} FROM ({found})")
        events = Events.on(connection, lane=lane)
    except duckdb.OutOfMemoryException:
        many = sum(one.events for one in cut.files) + cut.tail.num_rows
        message = f"up to {many:,} events lie there, more than fit into memory; name a shorter time"
        raise _fault("from", message) from None
    connection.unregister("tail")
    return events


class Judges(NamedTuple):
    """A rule with its identity, and the rules that a composite one is made of."""

    saved: SavedRule
    others: list[SavedRule]


async def judges(
    rules: RuleCatalog, org_id: UUID, wanted: Any, version: int | None = None, *, field: str = "rule"
) -> Judges:
    """The rule of a document, or the saved one of this name or id, in its newest version or an older one.

    Raises Invalid with every fault.
    """
    known = await rules.all(org_id)
    if isinstance(wanted, str):
        named = next((one for one in known if wanted in (one.name, str(one.id))), None)
        if named is None:
            names = ", ".join(one.name for one in known[:10]) or "none yet"
            raise _fault(field, f"there is no rule {wanted[:60]!r}; there are {names}")
        wanted = named.body
        if version is not None:
            try:
                wanted = (await rules.version(org_id, named.id, version))[0].body
            except NotFound:
                message = f"there is no version {version}; there are 1 to {named.version}"
                raise _fault("version", message) from None
    elif version is not None:
        raise _fault("version", "is that of a saved rule; name one in `rule`")
    rule = document.parse(wanted)
    return Judges(identified(org_id, rule, known), others(org_id, rule, [], known))


def _fault(field: str, message: str) -> Invalid:
    return Invalid(f"{field}: {message}", errors=[FieldError(field, message)])


def identified(org_id: UUID, rule: Rule, known: Sequence[StoredRule]) -> SavedRule:
    """The rule with the identity of the saved one of that name, so that its alerts have the same ids."""
    for one in known:
        if one.name == rule.name:
            return SavedRule(
                org_id=org_id, id=one.id, version=one.version, since_version=one.since_version,
                fingerprint=one.fingerprint, rule=rule,
            )  # fmt: skip
    return unsaved(rule)


def others(org_id: UUID, rule: Rule, given: Sequence[Rule], known: Sequence[StoredRule]) -> list[SavedRule]:
    """The rules that a composite one may be made of: those given with it, then the saved ones."""
    names = {one.name for one in given}
    saved = [document.parse(one.body) for one in known if one.name not in names]
    parts = kinds()[rule.when.kind].parts(rule.when)
    return [identified(org_id, one, known) for one in [*given, *saved] if one.name in parts]
