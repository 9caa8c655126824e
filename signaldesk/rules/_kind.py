"""What a rule kind offers to the engine: a `Kind` with its parameters, and the `Judge` it makes of a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple

from signaldesk.errors import FieldError
from signaldesk.model.event import Event
from signaldesk.model.message import measured
from signaldesk.model.rule import Condition, Rule
from signaldesk.model.window import Window

if TYPE_CHECKING:
    from signaldesk.rules._columns import Bools, Columns, Ints
    from signaldesk.rules._past.waiting import Course, Shown

EVIDENCE_MAX = 100
"""Most event ids that a verdict names."""

SKIP: Final = object()
"""What `Judge.sample` answers for an event that is none of its business."""


class Verdict(NamedTuple):
    """Why a condition holds: the measured value, what it was compared with, the window, the evidence.

    `at_least`: the value is a lower bound, because no more members are kept than the threshold needs.
    `margin`: how far off it may be, as a share of it, where windows are summarised; 0: only the edges of its
    windows are rounded. None: it is exact, or a lower bound.
    Times are microseconds; evidence are at most 100 event ids of 16 bytes, oldest first. `words` say what
    happened, for people; without them the message counts events in a window.
    """

    value: float
    at_least: bool
    threshold: float
    window_from: int
    window_to: int
    evidence: list[bytes]
    words: str = ""
    margin: float | None = None


class Judge:
    """One rule's condition with its parameters worked out, ready for many events.

    It keeps nothing itself: what a group needs is in its `Window`. Members (time, bytes of which the first
    16 are the event's id) and `notes` come back after a restart; `memory`, whatever is worked out of them,
    is made anew by `load`. Every decision is a function of the events in their order, never of a clock.
    """

    span: int = 0
    """How far back in time (µs) members can matter; 0 when there are none."""
    learned: int = 0
    """How far back in time (µs) notes are learned anew from stored events when they were lost."""
    lasting: int = 0
    """How long (µs) what an evaluation found stays true when nothing more happens; 0: for its moment only."""
    sampled: bool = False
    """Whether `sample` is asked for what `holds` needs of an event."""
    timed: bool = False
    """Whether it has deadlines (`due`, `ring`)."""
    puts_off: bool = False
    """Whether an event never makes it hold, and never brings the deadline forward that there is."""
    noted: bool = False
    """Whether it keeps notes (`dump`, `load`)."""
    ends: bool = False
    """Whether it knows itself when its alert is over (`over`)."""
    begins: bool = False
    """Whether a rule without groups is judged from its beginning on, before any event (`begin`)."""

    def sample(self, payload: dict[str, Any], event: Event) -> Any:
        """What `holds` needs of an event beyond its time and id; SKIP when it is none of its business."""
        raise NotImplementedError

    def holds(self, window: Window, time: int, event: bytes, sample: Any) -> bool:
        """Take the event into its group's window and say whether the condition holds at its own time."""
        raise NotImplementedError

    def verdict(self, window: Window, time: int, event: bytes) -> Verdict:
        """The reason, after `holds` (or `ring`) was true at that time."""
        raise NotImplementedError

    def value(self, window: Window, time: int) -> float | None:
        """What is measured at the time of the latest evaluation, for `resolve.threshold`; None: nothing."""
        return None

    def margin(self, window: Window, time: int) -> float | None:
        """How far off that value may be, as a `Verdict` says it."""
        return None

    def lacking(self, window: Window, time: int, now: int) -> str:
        """What an evaluation at `time` found that did not hold, or what it lacked, in words; `now` is when
        that is asked. Empty: there is nothing more to say."""
        value = self.value(window, time)
        return "" if value is None else f"the value was {measured(value, margin=self.margin(window, time))}"

    def passed_over(self, payload: dict[str, Any], event: Event) -> str:
        """Why `sample` says SKIP of an event, in words."""
        return "it has nothing that is measured"

    def recovered(self, value: float, threshold: float) -> bool:
        """Whether a value is back on the good side of `resolve.threshold`."""
        return False

    def thin(self, window: Window, horizon: int) -> None:
        """Forget what can no longer matter: members at or before `horizon`, and needless ones after it."""

    def due(self, window: Window) -> int | None:
        """The next deadline (µs of event time), asked after each event and each deadline."""
        return None

    def ring(self, window: Window, time: int) -> bool:
        """Its deadline has come: whether the condition holds at that moment."""
        return False

    def over(self, window: Window) -> bool:
        """Right after `holds` was false: whether this event ends the group's alert."""
        return False

    def begin(self, window: Window, time: int) -> None:
        """A rule without groups, and without a past, is judged from this moment on."""

    def dump(self, window: Window) -> Any:
        """What cannot be worked out of the members, as plain values that msgpack can write."""
        return None

    def load(self, window: Window, notes: Any) -> None:
        """Make `memory` of the members and of what `dump` gave (None: a group without a past)."""


class Wanted(NamedTuple):
    """A column that a replay needs: what a text in the language of filters is for each event."""

    text: str
    """A value, such as a field; for `truth` a condition."""
    what: Literal["number", "truth", "scalar", "field"]
    """A DOUBLE; whether a condition holds; a number for each value of a field, whose names are digests; or
    one for each value as groups tell them apart, lists and objects included."""
    needed: bool = False
    """Whether an event that has no such value is none of the rule's business."""
    events: tuple[str, ...] = ()
    """Types, or globs, of which the event has to be as well; one that no such `truth` is true of is none of
    the rule's business."""

    @property
    def name(self) -> str:
        return " ".join((*self.events, self.text))


class Replay:
    """One rule's condition over events of the past, in columns, to the same end as its `Judge`.

    Only the question *whether* it holds is answered here. Why it does (`Verdict`) is asked of the judge, for
    the few moments that matter, with a window that is filled with the members of that moment.
    """

    wanted: tuple[Wanted, ...] = ()
    """Columns of `Columns.samples`, by their names."""
    exact: bool = False
    """Whether `holds` and `recovered` are right for `columns.disturbed` as well, if `columns.exact`."""

    waits: bool = False
    """Whether the kind has deadlines: the judge itself is shown the rows that matter (`shown`) then, and
    nothing else is asked but `unfit`."""

    def shown(self, columns: Columns, course: Course) -> Shown:
        """The rows that the judge has to be shown, more being no harm."""
        raise NotImplementedError

    summed: bool = False
    """Whether a row that is shown stands for others as well: `sample` says for which. Its judge is asked for
    a reason right after its deadline, with the members of the window (`inside`) in place."""

    def doubtful(self, columns: Columns, course: Course) -> Bools | None:
        """With `unfit`, groups that the judge has to judge itself, event by event; None: there are none."""
        return None

    def sample(self, row: int) -> Any:
        """What the judge is given as the sample of a row that was `shown`."""
        raise NotImplementedError

    def inside(self, window: Window) -> tuple[int, int, int]:
        """After `ring` was true: from when to before when (µs) members matter to the verdict, and how many
        later ones there may be without any of these having been forgotten."""
        raise NotImplementedError

    def holds(self, columns: Columns) -> Bools:
        """For each row whether the condition holds, if all that had come were the rows before it.

        Unless `exact`, it need not be right for `columns.disturbed`: the judge is asked, one by one.
        """
        raise NotImplementedError

    def recovered(self, columns: Columns, threshold: float) -> Bools:
        """For each row whether the measured value is back on the good side of `resolve.threshold`."""
        raise NotImplementedError

    def measured(self, columns: Columns) -> Any:
        """For each row the value that is compared with a limit, as doubles, for a picture: it may be off by a
        rounding, and is NaN where nothing is measured. None: there is none."""
        return None

    def nearest(self, columns: Columns, slots: Ints, count: int, *, most: bool) -> Any:
        """For each of so many slots the greatest (or least) value that is `measured` at its rows, NaN where
        there is none. `slots` says of each row which one it lies in, or -1. None: nothing is measured."""
        values = self.measured(columns)
        if values is None:
            return None
        from signaldesk.rules._columns import extreme_by_slot

        return extreme_by_slot(values, slots, count, most=most)

    def unfit(self, columns: Columns) -> Bools | None:
        """Groups that the judge has to judge itself, event by event; None: there are none."""
        return None

    def first(self, columns: Columns, rows: Ints) -> Ints:
        """For each of these rows the first one that the judge needs to have in its window."""
        raise NotImplementedError

    def members(self, columns: Columns, rows: Ints) -> list[Ints]:
        """For each of these rows those that the judge needs to have in its window, in order of time."""
        first = self.first(columns, rows)
        return [columns.members(*one) for one in zip(rows.tolist(), first.tolist(), strict=True)]

    def suffixes(self, columns: Columns, rows: Ints) -> list[bytes] | None:
        """What the judge appends to the ids of its members; None: nothing."""
        return None

    settles: bool = False
    """Whether `settle` knows what is measured at a row's own time, so that a reason takes no `members`."""

    def latest(self, columns: Columns, rows: Ints) -> Ints:
        """For each of these rows the first one whose id the judge may name as evidence."""
        raise NotImplementedError

    def settle(self, columns: Columns, window: Window, row: int) -> None:
        """Make the judge's `memory` of what is measured at this row; the window has the `latest` ids."""
        raise NotImplementedError

    def recall(self, columns: Columns, window: Window, row: int, members: list[bytes]) -> None:
        """What a verdict needs of the judge's `memory` after `holds` was true of this row.

        The window has the row's `members`, and was loaded without notes.
        """


class Kind:
    """A rule kind: its name, its parameters, its judge, and the words for it."""

    name: ClassVar[str]
    condition: ClassVar[type[Condition]]
    plain_field: ClassVar[bool] = False
    """Whether its `field` is a field as `by` names them, where others take an expression."""
    takes_event: ClassVar[bool] = True
    """Whether the rule itself names events; the others say in their condition what they look at."""
    wants_where: ClassVar[bool] = False
    """Whether a rule of this kind means nothing without a filter; `check` says so."""

    def judge(self, rule: Rule) -> Judge:
        """A judge for a rule of this kind."""
        raise NotImplementedError

    def replay(self, rule: Rule) -> Replay | None:
        """The same in columns; None: every event has to be judged by itself."""
        return None

    def sentence(self, condition: Condition) -> str:
        """The condition in a few words, e.g. `3 or more in 60 s`."""
        raise NotImplementedError

    def example(self) -> dict[str, Any]:
        """A condition of this kind as people write it: the first example of each parameter that has one."""
        fields = self.condition.model_fields.items()
        return {
            "kind": self.name,
            **{field.alias or name: field.examples[0] for name, field in fields if field.examples},
        }

    def check(self, rule: Rule) -> list[FieldError]:
        """Faults of a rule as a whole that its parameters alone do not show."""
        return []

    def events(self, rule: Rule) -> tuple[str, ...]:
        """The event types (or globs) that the engine has to show it."""
        return rule.event

    def where(self, rule: Rule) -> str | None:
        """The filter that an event has to pass to be shown to it."""
        return rule.where

    def parts(self, condition: Condition) -> tuple[str, ...]:
        """Names of the rules it is made of: each time one of them holds, `Judge.holds` gets its name."""
        return ()
