"""A rule made ready for judging: compiled filter, grouping and condition, and the state of its groups."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import translate
from re import Pattern, compile
from typing import Any
from uuid import UUID

from signaldesk import filters
from signaldesk.model import group
from signaldesk.model.event import Event
from signaldesk.model.group import Key
from signaldesk.model.outcome import GroupRef
from signaldesk.model.rule import Mode, SavedRule
from signaldesk.model.window import Window
from signaldesk.rules.document import kinds

Predicate = Callable[[dict[str, Any], str, str | None, int], bool]


class State(Window):
    """One group of one watch: its window, its latest firing, and what was held back since the last report."""

    __slots__ = ("dirty", "held", "key", "last_fired", "text", "touched", "watch")

    def __init__(self, watch: Watch, key: Key) -> None:
        super().__init__()
        self.watch = watch
        self.key = key
        self.text = group.text(watch.by, key)
        self.last_fired: int | None = None
        self.held: list[Any] | None = None
        """[times, since, until, first event, last event, reason]"""
        self.dirty = False
        self.touched = 0
        """The number of the batch that used it last; what is long unused may leave memory."""

    def ref(self, lane: str) -> GroupRef:
        return GroupRef(self.watch.id, lane, self.text)


class Watch:
    """One rule in one lane."""

    __slots__ = (
        "_patterns",
        "active_from",
        "by",
        "channels",
        "complete",
        "cooldown",
        "group",
        "id",
        "judge",
        "late",
        "lateness",
        "org_name",
        "paused",
        "predicate",
        "saved",
        "states",
        "where",
        "windowed",
    )

    def __init__(self, saved: SavedRule, *, channels: list[UUID], org_name: str, lateness: int) -> None:
        """`lateness` (µs) holds where the rule says nothing of its own."""
        rule = saved.rule
        self.id = saved.id
        self.by = rule.by
        self.where = rule.where
        self.predicate: Predicate | None = filters.parse(rule.where).predicate if rule.where else None
        self.group: Callable[[Event, dict[str, Any]], Key] = group.grouper(rule.by)
        self.judge = kinds()[rule.when.kind].judge(rule.when)
        self.windowed = self.judge.span > 0
        self.lateness = lateness if rule.allowed_lateness is None else rule.allowed_lateness
        self.states: dict[Key, State] = {}
        self.complete = False
        """Whether memory holds every group there is, so that an unknown one needs no looking up."""
        self.active_from = 0
        """Position from which on events are judged by this condition."""
        self.late = 0
        self.cooldown = rule.cooldown
        self._patterns = [_pattern(type_) for type_ in rule.event]
        self.update(saved, channels=channels, org_name=org_name)

    def update(self, saved: SavedRule, *, channels: list[UUID], org_name: str) -> None:
        """Take over a new version that judges the same: windows stay. Everything must be saved before."""
        self.saved = saved
        self.channels = channels
        self.org_name = org_name
        if saved.rule.cooldown and not self.cooldown:
            # Without a cooldown nobody asked when groups fired last. They are saved, and come back with it.
            self.states.clear()
            self.complete = False
        self.cooldown = saved.rule.cooldown
        self.paused = saved.rule.mode is Mode.PAUSED

    @property
    def needs_payload(self) -> bool:
        return self.predicate is not None or bool(self.by)

    @property
    def reach(self) -> int:
        """How far before the watermark (µs) an event can matter to a window."""
        return self.judge.span + self.lateness

    def watches(self, type_: str) -> bool:
        return any(type_ == p if isinstance(p, str) else p.match(type_) is not None for p in self._patterns)


def _pattern(type_: str) -> str | Pattern[str]:
    """A type as it is, or a glob in which only `*` is special."""
    if "*" not in type_:
        return type_
    return compile(translate(type_.replace("[", "[[]").replace("?", "[?]")))
