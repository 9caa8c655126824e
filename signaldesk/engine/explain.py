"""Why did a rule fire, or not, at a moment: what was written down then, and the live fold for the rest.

What fired and what was held back stands in Postgres. For a moment at which neither happened, the stored
events that its window could hold are judged again, in memory, as the live engine judged them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

import orjson

from signaldesk import filters
from signaldesk.clock import from_us, iso, to_us
from signaldesk.engine import audience
from signaldesk.engine.audience import Audience, Audiences
from signaldesk.engine.lane import Lane
from signaldesk.engine.state import State
from signaldesk.engine.watch import Watch
from signaldesk.errors import FieldError, Invalid
from signaldesk.ids import of_event
from signaldesk.model import group as groups
from signaldesk.model.explanation import Clause, Explanation
from signaldesk.model.message import measured, number
from signaldesk.model.outcome import Stored
from signaldesk.model.rule import Rule, SavedRule
from signaldesk.rules import document
from signaldesk.store import rule_versions, rules
from signaldesk.store.database import Database
from signaldesk.store.past import Seen
from signaldesk.store.rule_history import FiringRecord, RuleHistory, SuppressionRecord, Wanted
from signaldesk.store.rule_versions import Activation, RuleVersion
from signaldesk.store.tables.outcomes import SUPPRESSED

MOST_EVENTS = 50_000
"""Stored events that are judged again; in a larger window, the newest ones."""
_VERSIONS = 1_000
_NEVER = 1 << 31
_UNFIRED = [reason for reason in SUPPRESSED if reason not in audience.REASONS]
_HELD_BACK = "the condition held, and the firing was held back"
_HELD = {"paused": "the rule was paused", "inactive": "it was outside of the rule's active hours"}


class Looking(Protocol):
    """Looks back at stored events, as `Past` does."""

    async def events(
        self, org_id: UUID, types: Sequence[str], *, since: int, until: int, after: int, most: int
    ) -> list[Seen]: ...


class Explainer:
    """Answers for one organisation at a time. Raises NotFound for foreign rules."""

    def __init__(self, *, database: Database, past: Looking, lateness: int) -> None:
        """`lateness` (µs) is that of rules that say nothing of their own."""
        self._database = database
        self._history = RuleHistory(database=database)
        self._past = past
        self._audiences = Audiences(database=database)
        self._lateness = lateness

    async def explain(
        self, org_id: UUID, rule_id: UUID, at: int, values: dict[str, Any] | None = None
    ) -> Explanation:
        """Why the rule fired or did not for a group at an event time (µs).

        Raises Invalid when the rule has groups and `values` does not name one.
        """
        async with self._database.tenant(org_id) as connection:
            stored = await rules.by_id(connection, org_id, rule_id)
            versions = await rule_versions.page(connection, org_id, rule_id, limit=_VERSIONS)
            began = await rule_versions.activations(connection, org_id, rule_id)
            others = await rules.listed(connection, org_id)
        version, active = _in_force(versions, began, at)
        early = version is None
        if early and began:  # but what came after the rule was saved may tell of a time before that
            version, active = _in_force(versions, began, began[-1].begun)
        rule = document.parse((version or versions[-1]).body)
        key = _group(rule, values)
        shown = groups.values(rule.by, key)
        condition = document.kinds()[rule.when.kind].sentence(rule.when)
        since = f"since {iso(began[-1].begun)} only" if began else "not yet"
        not_yet = Explanation(
            "not_yet", f"{rule.name} judges {since}", at, 0, stored.version, condition, shown
        )
        if version is None or active is None:
            return not_yet
        if active.failed_at is not None and to_us(active.failed_at) <= at:
            text = (
                f"the rule failed at {iso(to_us(active.failed_at))}, and is not judged since: {active.error}"
            )
            return Explanation("set_aside", text, at, version.version, stored.version, condition, shown)
        parts = document.kinds()[rule.when.kind].parts(rule.when)
        wholes = [document.parse(one.body) for one in others if one.name in parts]
        judged = _Judged([*wholes, rule], key, self._lateness, stored.id)
        seen = await self._past.events(
            org_id, judged.types, since=at - judged.reach, until=at, after=active.position, most=MOST_EVENTS
        )
        judged.run(seen, at)
        group = groups.text(rule.by, key)
        wanted = Wanted("", group, None, from_us(at + 1))
        fired = await self._history.firings(org_id, rule_id, wanted, limit=1)
        held = await self._history.suppressions(org_id, rule_id, wanted, reasons=_UNFIRED, limit=5)
        found = _Finding(rule, (version.version, stored.version), condition, shown, at)
        answer = _answer(found, judged, fired, held, seen)
        if early and answer.answer == "no_event":
            return not_yet
        if answer.answer == "fired":
            answer = _heard(answer, await self._audiences.of(org_id, rule_id, rule, fired[0], group))
        return answer


class _Finding:
    """Makes explanations of one rule, group and moment."""

    def __init__(
        self, rule: Rule, versions: tuple[int, int], condition: str, group: dict[str, Any], at: int
    ) -> None:
        """`versions`: the one that judged then, and the newest one."""
        self.rule = rule
        self.at = at
        self._about = (at, *versions, condition, group)

    def __call__(self, answer: Any, text: str, **more: Any) -> Explanation:
        return Explanation(answer, text, *self._about, **more)


class _Judged:
    """The rule's fold over stored events, and what it saw of the group."""

    def __init__(self, every: Sequence[Rule], key: Any, lateness: int, rule_id: UUID) -> None:
        org_id = UUID(int=1)
        watches = []
        for place, rule in enumerate(every):
            id_ = rule_id if rule is every[-1] else UUID(int=place)
            saved = SavedRule(org_id=org_id, id=id_, version=1, since_version=1, fingerprint="", rule=rule)
            watch = Watch(saved, channels=[], org_name="", lateness=lateness)
            watch.complete = True
            watches.append(watch)
        self.watch = watches[-1]
        self.lane = Lane(org_id, "", watches)
        self.reach = sum(watch.reach for watch in watches)
        self.key = key
        self.latest: Seen | None = None
        """The newest event that the rule judged for the group."""
        self.late: Seen | None = None
        kinds = document.kinds()
        self.types = tuple({name for rule in every for name in kinds[rule.when.kind].events(rule)})

    @property
    def held(self) -> bool:
        """Whether the condition held at that event."""
        state, latest = self.watch.states.get(self.key), self.latest
        if state is None or latest is None:
            return False
        back = state.held[2] if state.held is not None else None
        return latest.event.timestamp in (state.last_fired, back)

    @property
    def state(self) -> State:
        """Of the group; that of a group without a past, if no part of a composite rule ever held in it."""
        state = self.watch.states.get(self.key)
        if state is None:
            state = State(self.watch, self.key)
            self.watch.judge.load(state, None)
        return state

    def run(self, seen: Sequence[Seen], at: int) -> None:
        for place, one in enumerate(seen, 1):
            behind = {0: one.behind} if one.behind else {}
            matched = self.lane.match(
                Stored(b"", "", place, one.received_at, [one.event], behind), replayed=True
            )
            self.lane.judge(matched)
            if any(
                self.watch in (watch, *watch.composites) and state.key == self.key
                for watch, state, *_ in matched.hits
            ):
                self.latest = one
            elif self.watch.late:
                self.watch.late, self.late = 0, one
        self.lane.pass_time(at + 1)
        self.lane.sink.take()


def _in_force(
    versions: Sequence[RuleVersion], began: Sequence[Activation], at: int
) -> tuple[RuleVersion | None, Activation | None]:
    """The version that judged at that time, and from where on its condition did."""
    for place, one in enumerate(began):
        if one.begun <= at:
            ended = began[place - 1].since_version if place else _NEVER
            same = [version for version in versions if one.since_version <= version.version < ended]
            saved = (version for version in same if to_us(version.created_at) <= at)
            return next(saved, same[-1]), one
    return None, None


def _group(rule: Rule, values: dict[str, Any] | None) -> Any:
    names = ", ".join(rule.by)
    if set(values or {}) != set(rule.by):
        what = f"name exactly the fields {names}" if rule.by else "this rule has no groups; leave it out"
        raise Invalid(errors=[FieldError("group", f"{what}, as a JSON object")])
    return groups.key(rule.by, values or {}) if rule.by else ()


def _answer(
    found: _Finding,
    judged: _Judged,
    fired: list[FiringRecord],
    held: list[SuppressionRecord],
    seen: Sequence[Seen],
) -> Explanation:
    rule, at, latest = found.rule, found.at, judged.latest
    since = latest.event.timestamp if latest else at - judged.reach
    if fired and to_us(fired[0].timestamp) >= since:
        return _fired(found, fired[0])
    for one in held:
        if to_us(one.since) <= at and to_us(one.until) >= since:
            return _held(found, one, fired)
    for failed in judged.lane.set_aside:
        if failed.rule_id == judged.watch.id:
            return found("set_aside", f"judging it fails: {failed.error}")
    if latest is None:
        return _nothing(found, judged, fired, seen)
    event = {"event_id": UUID(bytes=latest.event.id), "event_at": latest.event.timestamp}
    state = judged.state
    if fired and judged.held and latest.event.timestamp < to_us(fired[0].timestamp) + rule.cooldown:
        until, words = _cooling(found, fired[0])  # it is written down a moment later
        return found("held_back", words, reason="cooldown", until=until, **event)
    judge = judged.watch.judge
    value = judge.value(state, latest.event.timestamp)
    when = iso(latest.event.timestamp)
    if not judged.watch.plain and rule.for_ and state.since is not None:
        text = f"the condition holds since {iso(state.since)}, and must for {rule.document()['for']}"
        return found("holds_not_long_enough", text, value=value, until=state.due_for, **event)
    margin = None if value is None else judge.margin(state, latest.event.timestamp)
    lacking = judge.lacking(state, latest.event.timestamp, at) or "the condition did not hold"
    sentence = document.kinds()[rule.when.kind].sentence(rule.when)
    text = f"at the latest event, {when}, {lacking}; the rule needs: {sentence}"
    return found("not_enough", text, value=value, margin=margin, **event)


def _fired(found: _Finding, firing: FiringRecord) -> Explanation:
    value = measured(firing.value, firing.at_least, firing.margin)
    return found(
        "fired",
        f"it fired at {iso(to_us(firing.timestamp))} with the value {value}",
        event_id=of_event(firing.event_id),
        event_at=to_us(firing.timestamp),
        value=firing.value,
        at_least=firing.at_least,
        margin=firing.margin,
        firing_id=firing.id,
        alert_id=firing.alert_id,
    )


def _heard(fired: Explanation, by: Audience) -> Explanation:
    """The same with what people heard of it."""
    return fired._replace(text=fired.text + by.text, told=by.told, reason=by.reason, until=by.until)


def _cooling(found: _Finding, firing: FiringRecord) -> tuple[int, str]:
    """Until when a firing's cooldown lasts, and that in words."""
    fired = to_us(firing.timestamp)
    until = fired + found.rule.cooldown
    words = f"cooldown until {iso(until)}, after the firing at {iso(fired)}"
    return until, f"{_HELD_BACK}: {words}"


def _held(found: _Finding, held: SuppressionRecord, fired: list[FiringRecord]) -> Explanation:
    until, words = None, f"{_HELD_BACK}: {_HELD.get(held.reason, held.reason)}"
    if held.reason == "cooldown" and fired:
        until, words = _cooling(found, fired[0])
    last = to_us(held.until)
    event = of_event(held.last_event)
    return found("held_back", words, reason=held.reason, until=until, event_id=event, event_at=last)


def _nothing(
    found: _Finding, judged: _Judged, fired: list[FiringRecord], seen: Sequence[Seen]
) -> Explanation:
    """No event of the group was judged: too late, not for this group, not true, or not there."""
    if judged.late is not None:
        event = judged.late.event
        behind = number(judged.late.behind / 1e6)
        text = f"the event of {iso(event.timestamp)} came {behind} s behind the newest one: too late"
        return found("late", text, event_id=UUID(bytes=event.id), event_at=event.timestamp)
    watch = judged.watch
    for one in reversed(seen):
        event, payload = one.event, orjson.loads(one.event.payload)
        if watch.watches(event.type) and watch.group(event, payload) == judged.key:
            time = event.timestamp
            about = payload, event.type, event.source, time
            named = {"event_id": UUID(bytes=event.id), "event_at": time}
            if watch.predicate is None or watch.predicate(*about) is True:
                why = watch.judge.passed_over(payload, event)
                return found("passed_over", f"the latest event, {iso(time)}, does not count: {why}", **named)
            assert watch.where is not None
            clauses = tuple(Clause(*clause) for clause in filters.parse(watch.where).clauses(*about))
            unmet = ", ".join(
                f"{clause.text} is {'NULL' if clause.holds is None else 'false'}"
                for clause in clauses
                if not clause.holds
            )
            text = f"for the latest event, {iso(time)}, the filter is not true: {unmet}"
            return found("filter_false", text, clauses=clauses, **named)
    text = f"no event of this group came in the {number(judged.reach / 1e6)} s that the rule looks back"
    if watch.judge.begins and fired:
        text += f"; it fired for that at {iso(to_us(fired[0].timestamp))}, and does once only"
    return found("no_event", text)
