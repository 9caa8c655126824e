"""The result of a backtest: firings, alerts, what people would have been told, and what was held back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from signaldesk.backtest.outcome import Judged
from signaldesk.clock import iso
from signaldesk.model.life import STORM_AFTER, Alert, Ground, Lives, Over
from signaldesk.model.message import brief, group_text, many, often
from signaldesk.model.outcome import Firing, Held, Resolution
from signaldesk.model.rule import Rule
from signaldesk.rules.document import kinds

if TYPE_CHECKING:
    import pandas

HOUR = 3_600_000_000
WEEK = 7 * 24 * HOUR
ENOUGH = 20 * HOUR
"""About a day, as the events of one lie: less says nothing of a week."""
NOISIEST = 10
"""Groups that a summary names."""
_SHOWN = 20


class Notification(NamedTuple):
    """A message that people would have got; `reason` is the engine's (`opened`, `again`, `storm`, …)."""

    at: int
    reason: str
    group: dict[str, Any]


class Backtest:
    """What a rule would have done. Times are µs since 1970; notifications are counted once, not per channel.

    A storm is one notification here: how many messages tell of it live depends on when the first was sent.
    """

    def __init__(
        self,
        rule: Rule,
        judged: Judged,
        *,
        events: int,
        since: int,
        until: int,
        why: str = "",
        notes: Sequence[str] = (),
        kept_since: int | None = None,
    ) -> None:
        """`why` the rule was not judged in columns, if it was not; `notes` are what one should know of it."""
        self.rule = rule
        self.notes = notes
        self.how = f"{judged.how}: {why}" if why else judged.how
        self.events, self.matched, self.late = events, judged.matched, judged.late
        self.since, self.until = since, until
        self.kept_since = kept_since
        """From when on history has events, when that is later than `since`."""
        self.missing: Sequence[str] = ()
        """Damaged files of history, whose events were not judged."""
        self.firings: list[Firing] = []
        resolutions: list[Resolution] = []
        for one in judged.came:
            if isinstance(one, Firing):
                self.firings.append(one)
            else:
                resolutions.append(one._replace(after=len(self.firings)))
        self._lives = Lives(Ground(), storm_after=STORM_AFTER).run(self.firings, resolutions)
        self.suppressed: list[Held] = [*judged.held, *self._lives.held]

    @property
    def alerts(self) -> list[Alert]:
        """In the order in which they were opened; those of shadow rules are none."""
        return self._lives.alerts

    @cached_property
    def notifications(self) -> list[Notification]:
        """In order of time."""
        found = [
            Notification(one.resolution.at, "resolved", one.alert.values)
            if isinstance(one, Over)
            else Notification(one.firing.time, one.reason, one.firing.values)
            for one in self._lives.tellings
        ]
        found += [Notification(storm.since, "storm", {}) for storm in self._lives.storms.values()]
        return sorted(found, key=lambda one: one.at)

    @property
    def per_week(self) -> float | None:
        """Notifications; None for less than about a day, which says nothing of a week."""
        judged = self.until - max(self.since, self.kept_since or self.since)
        return round(len(self.notifications) * WEEK / judged, 2) if judged >= ENOUGH else None

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The figures; of the groups those that fired most often."""
        held: Counter[str] = Counter()
        for one in self.suppressed:
            held[one.reason] += one.times
        fired = Counter(one.group.key for one in self.firings)
        values = {one.group.key: one.values for one in self.firings}
        return {
            "rule": self.rule.name,
            "condition": kinds()[self.rule.when.kind].sentence(self.rule.when),
            "from": iso(self.since),
            "to": iso(self.until),
            "kept_since": iso(self.kept_since) if self.kept_since is not None else None,
            "events": self.events,
            "matched": self.matched,
            "late": self.late,
            "firings": len(self.firings),
            "alerts": len(self.alerts),
            "threshold": self.firings[-1].threshold if self.firings else None,
            "notifications": len(self.notifications),
            "notifications_per_week": self.per_week,
            "suppressed": dict(sorted(held.items())),
            "groups": len(fired),
            "noisiest": [
                {"group": values[key], "firings": times} for key, times in fired.most_common(NOISIEST)
            ],
            "how": self.how,
            "notes": list(self.notes),
        }

    def as_json(self) -> dict[str, Any]:
        """`summary`, `firings`, `alerts` and `suppressed`, as plain JSON."""
        return {
            "summary": self.summary,
            "firings": [_firing(one) for one in self.firings],
            "alerts": [_alert(one) for one in self.alerts],
            "suppressed": [_held(one) for one in self.suppressed],
        }

    def df(self) -> pandas.DataFrame:
        """The firings as a DataFrame: time, value, how exact it is (`at_least`, `margin`), threshold, and a
        column for each field of the group."""
        import pandas

        frame = pandas.DataFrame(
            [
                {
                    "at": one.time,
                    "value": one.value,
                    "at_least": one.at_least,
                    "margin": one.margin,
                    "threshold": one.threshold,
                    **one.values,
                }
                for one in self.firings
            ],
            columns=["at", "value", "at_least", "margin", "threshold", *self.rule.by],
        )
        frame["at"] = pandas.to_datetime(frame["at"], unit="us", utc=True)
        return frame

    def plot(self) -> Any:
        """A Bokeh figure: firings over time, by their value, with the alerts they belong to."""
        from signaldesk.backtest.picture import timeline

        return timeline(self)

    def __repr__(self) -> str:
        return f"<Backtest of {self.rule.name!r}: {'; '.join([self._words, *self.notes])}>"

    @property
    def _words(self) -> str:
        return (
            f"{many(len(self.firings), 'firing')}, {many(len(self.alerts), 'alert')}, "
            f"{often(len(self.notifications), self.per_week)}"
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{iso(one.time)}</td><td>{escape(group_text(one.values)) or '–'}</td>"
            f"<td>{_value(one)}</td></tr>"
            for one in self.firings[:_SHOWN]
        )
        more = len(self.firings) - _SHOWN
        rest = f"<p>and {more} more</p>" if more > 0 else ""
        return (
            f"<h4>{escape(self.rule.name)}</h4><p>{escape(self.summary['condition'])}: {self._words}; "
            f"{self.matched:,} of {self.events:,} events matched</p>{as_html(self.notes)}"
            f"<table><tr><th>at</th><th>group</th><th>value</th></tr>{rows}</table>{rest}"
        )


def as_html(notes: Sequence[str]) -> str:
    """Notes, as paragraphs for a notebook."""
    return "".join(f"<p>{escape(note)}</p>" for note in notes)


def _value(firing: Firing) -> str:
    return brief(firing.value, firing.at_least, firing.margin)


def _firing(one: Firing) -> dict[str, Any]:
    return {
        "group": one.values,
        "at": iso(one.time),
        "value": one.value,
        "at_least": one.at_least,
        "margin": one.margin,
    }


def _alert(one: Alert) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "group": one.values,
        "state": one.state,
        "opened_at": iso(one.opened_at),
        "last_fired_at": iso(one.last_fired_at),
        "resolved_at": iso(one.resolved_at) if one.resolved_at is not None else None,
        "firings": one.firings,
        "value": one.value,
        "at_least": one.at_least,
        "margin": one.margin,
        "flapping": one.flapping,
    }


def _held(one: Held) -> dict[str, Any]:
    return {
        "group": one.values,
        "reason": one.reason,
        "times": one.times,
        "since": iso(one.since),
        "until": iso(one.until),
    }
