"""Two rules over the same past: how often one would have told people, and what it would have missed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

from signaldesk.backtest import result
from signaldesk.backtest.events import Events
from signaldesk.backtest.result import Backtest
from signaldesk.backtest.rule import backtest
from signaldesk.clock import iso
from signaldesk.model.life import Alert
from signaldesk.model.rule import Mode, SavedRule

_SHOWN = 20


class Pair(NamedTuple):
    """An alert of either rule, and what the other one had at that time in that group."""

    old: Alert
    new: Alert

    @property
    def later(self) -> float:
        """Seconds by which the new one opened later."""
        return (self.new.opened_at - self.old.opened_at) / 1e6


class Comparison:
    """`new` against `old`, a rule that is judged already; both as if they were live."""

    def __init__(self, new: Backtest, old: Backtest) -> None:
        self.new, self.old = new, old
        self.missing: Sequence[str] = ()
        """Damaged files of history, whose events were not judged."""
        self.fewer = len(old.notifications) - len(new.notifications)
        """Messages that people would have been spared; negative when there are more."""
        self.both: list[Pair] = []
        """Alerts of the old rule during which the new one was open in the same group, too."""
        self.missed: list[Alert] = []
        """Alerts of the old rule during which it was not."""
        met: set[Any] = set()
        for alert in old.alerts:
            found = next((one for one in new.alerts if _meet(alert, one)), None)
            if found is None:
                self.missed.append(alert)
            else:
                self.both.append(Pair(alert, found))
                met.add(found.id)
        self.extra = [
            one
            for one in new.alerts
            if one.id not in met and not any(_meet(alert, one) for alert in old.alerts)
        ]
        """Alerts of the new rule during which the old one was not open."""

    @property
    def notes(self) -> list[str]:
        """What one should know of it."""
        return list(dict.fromkeys([*self.new.notes, *self.old.notes]))

    @property
    def later(self) -> float | None:
        """By how many seconds (mean) the new rule would have noticed later; negative: earlier."""
        delays = [pair.later for pair in self.both]
        return sum(delays) / len(delays) if delays else None

    @property
    def sentence(self) -> str:
        """The result in words."""
        told, before = len(self.new.notifications), len(self.old.notifications)
        new, old = repr(self.new.rule.name), repr(self.old.rule.name)
        if new == old:
            new, old = f"{new} as given", "the saved one"
        if self.fewer:
            times = f"{abs(self.fewer)} time{'s' if abs(self.fewer) != 1 else ''}"
            change = f"{times} {'fewer' if self.fewer > 0 else 'more'} than {old}"
            said = f"{new} would have notified {change} ({told} instead of {before})"
        else:
            said = f"{new} would have notified as often as {old} ({told} time{'s' if told != 1 else ''})"
        missed = f"{len(self.missed)} of {len(self.old.alerts)} alerts" if self.missed else "nothing"
        extra = f", with {len(self.extra)} that the other did not have" if self.extra else ""
        return f"{said} and missed {missed}{extra}"

    def as_json(self) -> dict[str, Any]:
        """The sentence, the summaries of both, and the alerts that one has and the other has not."""
        return {
            "sentence": self.sentence,
            "fewer": self.fewer,
            "later": None if self.later is None else round(self.later, 3),
            "both": len(self.both),
            "missed": [_alert(one) for one in self.missed],
            "extra": [_alert(one) for one in self.extra],
            "new": self.new.summary,
            "old": self.old.summary,
        }

    def __repr__(self) -> str:
        return f"<Comparison: {self.sentence}>"

    def _repr_html_(self) -> str:
        return as_html(self.as_json(), self.notes)


def compared(
    new: SavedRule,
    old: SavedRule,
    events: Events,
    *,
    others: Sequence[SavedRule] = (),
    since: int | None = None,
    until: int | None = None,
    lateness: int | None = None,
) -> Comparison:
    """Both rules over these events (times are µs), whatever mode they are in."""
    found = [
        backtest(_live(one), events, others=others, since=since, until=until, lateness=lateness)
        for one in (new, old)
    ]
    return Comparison(*found)


def as_html(found: dict[str, Any], notes: Sequence[str]) -> str:
    """A comparison's JSON and notes for a notebook."""
    names = ["firings", "alerts", "notifications"]
    if found["new"]["notifications_per_week"] is not None:
        names.append("notifications_per_week")
    heads = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in names)
    lines = "".join(
        f"<tr><td>{escape(one['rule'])}</td>{''.join(f'<td>{one[name]}</td>' for name in names)}</tr>"
        for one in (found["old"], found["new"])
    )
    shown = [("missed", one) for one in found["missed"]] + [("extra", one) for one in found["extra"]]
    rest = "".join(
        f"<tr><td>{what}</td><td>{escape(one['opened_at'])}</td><td>{escape(str(one['group']))}</td></tr>"
        for what, one in shown[:_SHOWN]
    )
    more = f"<table>{rest}</table>" if rest else ""
    said = result.as_html([found["sentence"], *notes])
    return f"{said}<table><tr><th></th>{heads}</tr>{lines}</table>{more}"


def _live(saved: SavedRule) -> SavedRule:
    return saved.model_copy(update={"rule": saved.rule.model_copy(update={"mode": Mode.LIVE})})


def _meet(one: Alert, other: Alert) -> bool:
    """Whether both were open at some moment, in groups that agree on the fields that both have."""
    if not (_starts_before_end(one, other) and _starts_before_end(other, one)):
        return False
    return all(one.values[name] == other.values[name] for name in one.values.keys() & other.values.keys())


def _starts_before_end(one: Alert, other: Alert) -> bool:
    return other.resolved_at is None or one.opened_at <= other.resolved_at


def _alert(one: Alert) -> dict[str, Any]:
    return {
        "group": one.values,
        "opened_at": iso(one.opened_at),
        "resolved_at": iso(one.resolved_at) if one.resolved_at is not None else None,
        "firings": one.firings,
    }
