"""What is kept of one group of one rule, and how its notes are written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from signaldesk.model import group
from signaldesk.model.event import Event
from signaldesk.model.group import Key
from signaldesk.model.outcome import GroupRef
from signaldesk.model.window import Window

if TYPE_CHECKING:
    from signaldesk.engine.watch import Watch

_SHOWN = 4096
"""Bytes of the latest event's payload that are kept: what a message can show of it."""

SAVED, DIRTY, DUE = 0, 1, 2
"""The checkpoint has a state as it is; it has not; it has not, and the save under way is to have it so."""

_encoder = msgspec.msgpack.Encoder()


class _Notes(msgspec.Struct, array_like=True, gc=False):
    """What does not follow from a window's members."""

    since: int | None
    until: int
    at: int
    held_at: int
    due_for: int | None
    due_quiet: int | None
    event: Event | None
    kind: Any


_decoder = msgspec.msgpack.Decoder(_Notes)


def shown(event: Event) -> Event:
    """The event without a payload that is too large to be shown."""
    if len(event.payload) <= _SHOWN:
        return event
    return Event(event.id, event.type, event.timestamp, b"{}", event.source, event.clock_skewed)


class State(Window):
    """One group of one watch: its window, its timing, and what was held back since the last report."""

    __slots__ = (
        "at",
        "dirty",
        "due",
        "due_for",
        "due_quiet",
        "event",
        "held",
        "held_at",
        "key",
        "last_fired",
        "listed",
        "queued",
        "since",
        "text",
        "touched",
        "until",
        "watch",
    )

    def __init__(self, watch: Watch, key: Key, text: str | None = None) -> None:
        """`text`: of the group, for those who know it."""
        super().__init__()
        self.watch = watch
        self.key = key
        self.text = group.text(watch.by, key) if text is None else text
        self.last_fired: int | None = None
        self.held: list[Any] | None = None
        """[times, since, until, first event, last event, reason]"""
        self.dirty = SAVED
        self.touched = 0
        """The number of the batch that used it last; what is long unused may leave memory."""
        self.due: int | None = None
        """Its earliest deadline, or one before that if `watch.puts_off`."""
        self.queued: int | None = None
        """Where it stands in the lane's timers: no later than that."""
        self.listed = False
        """Whether the checkpoint has a deadline of it."""
        if watch.plain:
            return
        self.event: Event | None = None
        """The latest matching event, for what a deadline finds; only if `watch.remembers`."""
        self.at = -1
        """Event time of the newest evaluation; older ones do not change how long the condition has held."""
        self.since: int | None = None
        """Since when the condition holds without a break."""
        self.until = 0
        """When it ends unless an event says so again."""
        self.held_at = 0
        """The newest evaluation that held."""
        self.due_for: int | None = None
        self.due_quiet: int | None = None

    def ref(self, lane: str) -> GroupRef:
        return GroupRef(self.watch.id, lane, self.text)

    def keep_event(self, event: Event) -> None:
        """Remember the latest matching event."""
        self.event = event if len(event.payload) <= _SHOWN else shown(event)

    def deadline(self) -> int | None:
        """The earliest of its deadlines."""
        judge = self.watch.judge
        first = judge.due(self) if judge.timed else None
        for due in (self.due_for, self.due_quiet):
            if due is not None and (first is None or due < first):
                first = due
        return first

    def notes(self) -> bytes:
        """Everything that does not follow from the members; nothing for plain watches."""
        watch = self.watch
        if watch.plain:
            return b""
        kind = watch.judge.dump(self) if watch.judge.noted else None
        notes = _Notes(
            self.since, self.until, self.at, self.held_at, self.due_for, self.due_quiet, self.event, kind
        )
        return _encoder.encode(notes)

    def recall(self, members: list[tuple[bytes, int]], written: bytes) -> bool:
        """Take over what a checkpoint holds: members and notes; whether there was anything."""
        self.fill(members)
        if self.watch.plain:
            return bool(members)
        kind = None
        if written:
            notes = _decoder.decode(written)
            self.since, self.until, self.at, self.held_at = notes.since, notes.until, notes.at, notes.held_at
            self.due_for, self.due_quiet = notes.due_for, notes.due_quiet
            self.event, kind = notes.event, notes.kind
        self.watch.judge.load(self, kind)
        return bool(members or written)
