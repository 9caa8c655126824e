"""A backtest by the engine's own fold: every kind and every option, one event after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from uuid import UUID

from signaldesk.backtest.events import Events, Row
from signaldesk.backtest.outcome import Came, Judged, effective
from signaldesk.engine import timing
from signaldesk.engine.lane import Lane
from signaldesk.engine.watch import Watch
from signaldesk.errors import Invalid
from signaldesk.ids import derived_id
from signaldesk.model import glob
from signaldesk.model.outcome import Held, Stored
from signaldesk.model.rule import Rule, SavedRule
from signaldesk.rules.document import kinds

ORG = UUID(int=1)
"""The organisation of rules that nobody has saved."""
BATCH = 1_000
"""Events of an entry that are judged at once."""


def unsaved(rule: Rule) -> SavedRule:
    """The rule with an identity that follows from its name."""
    id_ = derived_id("backtest", rule.name)
    return SavedRule(org_id=ORG, id=id_, version=1, since_version=1, fingerprint="", rule=rule)


def watched(saved: SavedRule, lateness: int) -> Watch:
    """A watch that knows everything there is, and tells one channel of what it finds."""
    channel = derived_id("backtest channel", str(saved.id))
    watch = Watch(saved, channels=[channel], org_name="", lateness=lateness)
    watch.complete = True
    return watch


def types_of(rules: Sequence[Rule], events: Events) -> list[str]:
    """Those of the events' types that any of the rules looks at."""
    matchers = [glob.matcher(kinds()[rule.when.kind].events(rule)) for rule in rules]
    return [name for name in events.types if any(matches(name) for matches in matchers)]


def judge(
    events: Events,
    saved: SavedRule,
    *,
    parts: Sequence[SavedRule] = (),
    lateness: int,
    since: int | None = None,
    until: int | None = None,
    step: Callable[[int], None] | None = None,
) -> Judged:
    """What the engine makes of the events if the rule was saved at `since` (µs; the first event's time) and
    time goes on `until` (µs; the last event's receipt). `parts` are the rules that a composite one is of.

    `step` is told how many events were judged and may raise to end it.
    """
    watches = [watched(one, lateness) for one in (*parts, saved)]
    lane = Lane(saved.org_id, events.lane, watches)
    begun = since if since is not None else events.first or 0
    for watch in watches:
        watch.begun = begun
        if watch.judge.begins and not watch.by and not lane.name:
            timing.start(lane, lane.enter(watch, ()))
    whole = watches[-1]
    came: list[Came] = []
    position = 0
    types = types_of([watch.saved.rule for watch in watches], events)
    for stored in _entries(events.rows(types), saved, events.lane):
        lane.judge(lane.match(stored, replayed=True))
        lane.dirty.clear()
        came += [one for one in lane.sink.take() if one.saved is saved]
        position = stored.position
        if step is not None:
            step(len(stored.events))
    end = events.end(until)
    lane.sink.begin(Stored(saved.org_id.bytes, lane.name, position + 1, end, [], {}))
    lane.pass_time(end)
    came += [one for one in lane.sink.take() if one.saved is saved]
    for failed in lane.set_aside:
        raise Invalid(f"the rule {failed.name!r} fails: {failed.error}")
    held = [one for one in lane.sink.reports() if one.group.rule_id == whole.id]
    matched = sum(counts[1] for counts in lane.minutes.values())
    return Judged("fold", effective(came), summed(held), matched, whole.late)


def _entries(rows: Iterator[Row], saved: SavedRule, lane: str) -> Iterator[Stored]:
    """Entries of the stream as they were, or of events one by one where there was no stream."""
    org = saved.org_id.bytes
    for (received, _), entry in groupby(rows, key=lambda row: (row.received, row.position)):
        found = list(entry)
        for start in range(0, len(found), BATCH):
            page = found[start : start + BATCH]
            behind = {index: row.behind for index, row in enumerate(page) if row.behind}
            yield Stored(org, lane, page[0].position or 1, received, [row.event for row in page], behind)


def summed(reports: Sequence[Held]) -> list[Held]:
    """One report for each group and reason."""
    found: dict[tuple[str, str], Held] = {}
    for one in reports:
        place = (one.group.key, one.reason)
        before = found.get(place)
        found[place] = one if before is None else before._replace(
            since=min(before.since, one.since), until=max(before.until, one.until),
            times=before.times + one.times, last_event=one.last_event,
        )  # fmt: skip
    return list(found.values())
