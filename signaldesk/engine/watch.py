"""A rule made ready for judging: compiled filter, grouping and condition, and the states of its groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from signaldesk import filters
from signaldesk.engine.state import State
from signaldesk.model import glob, group
from signaldesk.model.event import Event
from signaldesk.model.group import Key
from signaldesk.model.rule import Mode, SavedRule
from signaldesk.rules.document import kinds

Predicate = Callable[[dict[str, Any], str, str | None, int], bool]


class Watch:
    """One rule in one lane."""

    __slots__ = (
        "active",
        "active_from",
        "attentive",
        "begun",
        "by",
        "channels",
        "complete",
        "composites",
        "cooldown",
        "group",
        "holds_for",
        "id",
        "judge",
        "late",
        "lateness",
        "off",
        "org_name",
        "parts",
        "paused",
        "plain",
        "predicate",
        "puts_off",
        "quiet_for",
        "reach",
        "recovers",
        "remembers",
        "sampled",
        "saved",
        "states",
        "timed",
        "watches",
        "where",
        "windowed",
    )

    def __init__(
        self,
        saved: SavedRule,
        *,
        channels: list[UUID],
        off: Sequence[str] = (),
        org_name: str,
        lateness: int,
    ) -> None:
        """`lateness` (µs) holds where the rule says nothing of its own."""
        rule, kind = saved.rule, kinds()[saved.rule.when.kind]
        self.id = saved.id
        self.by = rule.by
        self.where = kind.where(rule)
        self.predicate: Predicate | None = filters.parse(self.where).predicate if self.where else None
        self.group: Callable[[Event, dict[str, Any]], Key] = group.grouper(rule.by)
        self.judge = kind.judge(rule)
        self.sampled = self.judge.sampled
        self.parts = kind.parts(rule.when)
        self.composites: list[Watch] = []
        """Composite rules that this one is part of; see `Lane.replace`."""
        self.holds_for = rule.for_
        self.lateness = lateness if rule.allowed_lateness is None else rule.allowed_lateness
        self.states: dict[Key, State] = {}
        self.complete = False
        """Whether memory holds every group there is, so that an unknown one needs no looking up."""
        self.active_from = 0
        """Position from which on events are judged by this condition."""
        self.begun = 0
        """When that was (µs)."""
        self.late = 0
        self.cooldown = rule.cooldown
        self.plain = True
        """Whether nothing but the window and the cooldown decides: no timing, no notes."""
        self.watches = glob.matcher(kind.events(rule))
        """Whether an event type is one that it has to be shown."""
        self.update(saved, channels=channels, off=off, org_name=org_name)

    def update(
        self, saved: SavedRule, *, channels: list[UUID], off: Sequence[str] = (), org_name: str
    ) -> None:
        """Take over a new version that judges the same: windows stay. Everything must be saved before."""
        self.saved = saved
        self.channels = channels
        self.off = off
        self.org_name = org_name
        if saved.rule.cooldown and not self.cooldown:
            # Without a cooldown nobody asked when groups fired last. They are saved, and come back with it.
            self.states.clear()
            self.complete = False
        self.cooldown = saved.rule.cooldown
        judge, rule = self.judge, saved.rule
        plain = not (
            judge.timed or judge.noted or judge.ends or self.parts or rule.for_ or rule.resolve or rule.active
        )
        if plain is not self.plain:
            self.states.clear()  # they come back with the notes that they need now
            self.complete = False
        self.plain = plain
        self.windowed = judge.span > 0 or not plain
        self.paused = saved.rule.mode is Mode.PAUSED
        self.active = saved.rule.active
        self.quiet_for = saved.rule.resolve.quiet_for if saved.rule.resolve else None
        self.timed = judge.timed or bool(rule.for_) or self.quiet_for is not None
        """Whether an evaluation can set a deadline."""
        self.puts_off = judge.puts_off and not rule.for_ and self.quiet_for is None
        """Whether an event brings no deadline forward."""
        self.remembers = judge.timed or bool(rule.for_) or bool(self.parts)
        """Whether the latest matching event is asked for later."""
        self.recovers = judge.ends or (rule.resolve is not None and rule.resolve.threshold is not None)
        """Whether an evaluation that does not hold can end its alert."""
        self.attentive = self.remembers or self.recovers or self.timed
        """Whether an event at which it does not hold can mean more than that."""
        behind = self.lateness + self.holds_for + (self.quiet_for or 0)
        self.reach = max(judge.span, judge.learned) + behind
        """How far before the watermark (µs) an event can matter to a window."""

    @property
    def needs_payload(self) -> bool:
        return self.predicate is not None or bool(self.by) or self.sampled
