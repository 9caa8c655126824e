"""A rule in the hands of a person at a notebook: made of parameters, judged over the past.

Every kind has a constructor by its name, made of its parameters: `Rule.count("checkout_failed", at_least=3,
within="60s", by="country")`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError
from datetime import datetime, timedelta
from difflib import get_close_matches
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

from signaldesk.backtest import labels as labelled
from signaldesk.backtest import looks
from signaldesk.backtest.constructors import Constructors
from signaldesk.backtest.engine import judged
from signaldesk.backtest.events import Events
from signaldesk.backtest.fold import unsaved
from signaldesk.backtest.heap import set_aside
from signaldesk.backtest.interrupt import interruptible
from signaldesk.backtest.result import Backtest
from signaldesk.backtest.sweep import Sweep, grid, plain, run
from signaldesk.clock import to_us
from signaldesk.errors import FieldError, Invalid
from signaldesk.model import duration, span
from signaldesk.model import rule as model
from signaldesk.model.label import Label
from signaldesk.model.rule import SavedRule
from signaldesk.rules import document
from signaldesk.settings import Settings


class _Constructors(Constructors):
    """`Rule.count` and its like: one for every kind that there is."""

    if not TYPE_CHECKING:  # which knows them by their signatures

        def __getattr__(cls, name: str) -> Callable[..., Rule]:
            return _constructor(name)

    def __dir__(cls) -> Iterable[str]:
        return [*super().__dir__(), *document.kinds()]


def _constructor(kind: str) -> Callable[..., Rule]:
    if kind.startswith("_") or kind not in document.kinds():
        raise AttributeError(f"there is no kind {kind!r}; there are {', '.join(document.kinds())}")

    def made(*event: Any, **fields: Any) -> Rule:
        return Rule._made(kind, *event, **fields)

    made.__name__, made.__qualname__, made.__doc__ = kind, f"Rule.{kind}", _help(kind)
    made.__signature__ = _signature(kind)  # type: ignore[attr-defined]
    return made


def _help(kind: str) -> str:
    """What it watches, and what its parameters and the fields of every rule mean."""
    condition = document.kinds()[kind].condition
    lines = [
        f"    {name}: {field.description}"
        for fields in (condition.model_fields, model.Rule.model_fields)
        for name, field in fields.items()
        if field.description and name != "when"
    ]
    return "\n".join([(condition.__doc__ or "").strip(), "", *lines])


def _signature(kind: str) -> Signature:
    """What the constructor of a kind takes: events, the condition's parameters, a rule's fields."""
    condition = [name for name in document.kinds()[kind].condition.model_fields if name != "kind"]
    names = [*condition, *(name for name in model.Rule.model_fields if name not in ("when", "event"))]
    event = Parameter("event", Parameter.POSITIONAL_OR_KEYWORD, default=())
    keywords = [Parameter(name, Parameter.KEYWORD_ONLY, default=None) for name in dict.fromkeys(names)]
    return Signature([event, *keywords])


class Rule(metaclass=_Constructors):
    """One rule. `document` is what people write as YAML; raises Invalid with every fault of it."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.model = document.parse(body)

    @classmethod
    def _made(cls, kind: str, event: str | Sequence[str] = (), **fields: Any) -> Rule:
        fields = {name: plain(value) for name, value in fields.items()}
        condition = document.kinds()[kind].condition.model_fields
        of_kind = {field.alias or name for name, field in condition.items()}
        when = {"kind": kind, **{name: value for name, value in fields.items() if name in of_kind}}
        body = {name: value for name, value in fields.items() if name not in of_kind and value is not None}
        if "for_" in body:
            body["for"] = body.pop("for_")
        _check_names(body, of_kind | {field.alias or name for name, field in model.Rule.model_fields.items()})
        if event:
            body["event"] = event
        return cls({"name": f"{kind} of {event or 'rules'}", **body, "when": when})

    @property
    def document(self) -> dict[str, Any]:
        """The rule as plain JSON, without what is at its default."""
        return self.model.document()

    def with_(self, **changes: Any) -> Rule:
        """The same rule with other fields, or other parameters of its condition."""
        body, changes = self.document, {name: plain(value) for name, value in changes.items()}
        condition = document.kinds()[self.model.when.kind].condition.model_fields
        known = {field.alias or name for name, field in condition.items()} - {"kind"}
        fields = {field.alias or name for name, field in model.Rule.model_fields.items()}
        _check_names(changes, known | fields)
        of_kind = {name: value for name, value in changes.items() if name in known}
        body |= {name: value for name, value in changes.items() if name not in known}
        when = body["when"]
        return Rule({**body, "when": {**when, **of_kind} if isinstance(when, dict) else when})

    def backtest(
        self,
        events: Any,
        *,
        others: Sequence[Rule] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        lateness: float | str | timedelta | None = None,
        columns: bool = True,
    ) -> Backtest:
        """What this rule would have done with these events, had it been saved at `since`.

        `events`: see `Events.of`; those before `since` and from `until` on are left out. `others`: the rules
        that a composite one is made of. `until`: time goes on until then after the last event. `lateness` in
        seconds, or as a duration (`10m`), where the rule says nothing of its own. `columns`: false to judge
        by the engine's fold in any case. Raises Invalid with every fault.
        """
        if faults := span.faults(since, until):
            raise Invalid("these are no times", errors=faults)
        first, last = (to_us(one) if one else None for one in (since, until))
        return backtest(
            unsaved(self.model),
            self.loaded(events, others, since=first, until=last),
            others=[unsaved(one.model) for one in others],
            since=first,
            until=last,
            lateness=_micros(lateness),
            columns=columns,
        )

    def sweep(
        self,
        events: Any,
        *,
        labels: labelled.Given = (),
        others: Sequence[Rule] = (),
        lateness: float | str | timedelta | None = None,
        progress: bool = True,
        **parameters: Any,
    ) -> Sweep:
        """A backtest at every combination of values, e.g. `at_least=range(2, 21), within=["30s", "60s"]`.

        `labels` are known incidents, or a CSV file of them; `others` and `lateness` as for `backtest`. Raises
        Invalid before the first backtest when one of the rules that come of it is none.
        """
        points, known = grid(parameters), labelled.known(labels)
        loaded = self.loaded(events, others)
        parts = [unsaved(one.model) for one in others]
        return swept(
            unsaved(self.model), loaded, points,
            others=parts, labels=known, progress=progress, lateness=_micros(lateness),
        )  # fmt: skip

    def loaded(
        self, events: Any, others: Sequence[Rule] = (), *, since: int | None = None, until: int | None = None
    ) -> Events:
        """Events as this rule takes them: see `Events.of`. Raises as that does, and Invalid for a table in
        which fields are missing that it looks at."""
        for one in others:
            given(one)
        type_ = self.model.event[0] if len(self.model.event) == 1 else None
        found = Events.of(events, type=type_, since=since, until=until)
        looks.check([self.model, *(one.model for one in others)], found)
        return found

    def __repr__(self) -> str:
        kind = document.kinds()[self.model.when.kind]
        by = f", by {', '.join(self.model.by)}" if self.model.by else ""
        return f"<Rule {self.model.name!r}: {kind.sentence(self.model.when)}{by}>"

    def _repr_html_(self) -> str:
        """Its name, what it watches in words, and its document as YAML."""
        from html import escape

        from signaldesk.catalog.yaml_text import write

        sentence = document.kinds()[self.model.when.kind].sentence(self.model.when)
        text = f"<pre>{escape(write([self.document]))}</pre>"
        return f"<h4>{escape(self.model.name)}</h4><p>{escape(sentence)}</p>{text}"


def given(rule: Any) -> Rule:
    """The same. Raises Invalid for what is no rule."""
    if not isinstance(rule, Rule):
        instead = "sd.Rule(…) makes one of it" if isinstance(rule, dict) else "give e.g. sd.Rule.count(…)"
        raise Invalid(f"a {type(rule).__name__} is no rule; {instead}")
    return rule


def _micros(lateness: Any) -> int | None:
    """Raises Invalid for what is no time to wait."""
    try:
        return None if lateness is None else duration.parse(plain(lateness))
    except ValueError as error:
        raise Invalid("this is no lateness", errors=[FieldError("lateness", str(error))]) from None


def _check_names(given: Iterable[str], known: set[str]) -> None:
    """Raises Invalid for names that are none of these parameters."""
    faults = []
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
            faults.append(FieldError(name, f"is no parameter; {hint}"))
    if faults:
        raise Invalid("there are no such parameters", errors=faults)


@interruptible()
def backtest(
    saved: SavedRule,
    events: Events,
    *,
    others: Sequence[SavedRule] = (),
    since: int | None = None,
    until: int | None = None,
    lateness: int | None = None,
    columns: bool = True,
    step: Callable[[int], None] | None = None,
) -> Backtest:
    """The same for a rule with an identity, whose alerts so get their own ids; times are µs."""
    if lateness is None:
        lateness = Settings.model_fields["allowed_lateness"].default * 1_000_000
    first = since if since is not None else events.first or 0
    last = until if until is not None else max(events.clock or 0, first)
    with set_aside():
        found, why = judged(
            events, saved,
            others=others, since=since, until=until, lateness=lateness, columns=columns, step=step,
        )  # fmt: skip
        return Backtest(
            saved.rule, found, events=len(events), since=first, until=last, why=why,
            notes=_notes(events, saved, others), kept_since=events.kept_since,
        )  # fmt: skip


@interruptible()
def swept(
    saved: SavedRule,
    events: Events,
    points: Sequence[dict[str, Any]],
    *,
    others: Sequence[SavedRule] = (),
    labels: Sequence[Label] = (),
    progress: bool = False,
    since: int | None = None,
    until: int | None = None,
    lateness: int | None = None,
    step: Callable[[int], None] | None = None,
) -> Sweep:
    """A backtest at every point, as if the rule was live. Raises Invalid, before the first one, for points
    that make no rule.

    `step` is told of every point that is done, with a 1, and may raise to end it; by several threads.
    """
    swept = Rule({**saved.rule.document(), "mode": model.Mode.LIVE.value})  # in the shadow nobody is told
    rules = [swept.with_(**point).model for point in points]

    def test(rule: model.Rule, going: Callable[[], bool]) -> Backtest:
        def look(_: int) -> None:
            if not going():
                raise CancelledError

        changed = saved.model_copy(update={"rule": rule})
        found = backtest(
            changed, events, others=others, since=since, until=until, lateness=lateness, step=look
        )
        if step is not None:
            step(1)
        return found

    found = run(points, rules, test, labels=labels, progress=progress)
    return Sweep(
        saved.rule.name, list(points[0]), found,
        notes=_notes(events, saved, others), kept_since=events.kept_since,
    )  # fmt: skip


def _notes(events: Events, saved: SavedRule, others: Sequence[SavedRule]) -> list[str]:
    return [*events.notes, *looks.notes([one.rule for one in (saved, *others)], events)]
