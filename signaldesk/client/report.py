"""What came of a backtest that an installation ran, as its API tells it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from signaldesk.model.message import brief, group_text, many, often

if TYPE_CHECKING:
    import pandas

_SHOWN = 20


class Report:
    """`summary`, `firings`, `alerts` and `suppressed` as plain JSON; the last two have 1,000 rows at most."""

    def __init__(self, answer: dict[str, Any], firings: list[dict[str, Any]]) -> None:
        self.summary: dict[str, Any] = answer["summary"]
        self.alerts: list[dict[str, Any]] = answer["alerts"]
        self.suppressed: list[dict[str, Any]] = answer["suppressed"]
        self.missing: Sequence[str] = answer["missing"]
        """Damaged files of history, whose events were not judged."""
        self.notes: Sequence[str] = self.summary.get("notes", ())
        """What one should know of it."""
        self.kept_since = moment(self.summary.get("kept_since"))
        """From when on (µs) history has events, when that is later than was asked for."""
        self.firings = firings

    def as_json(self) -> dict[str, Any]:
        """As `Backtest.as_json`."""
        return {
            "summary": self.summary,
            "firings": self.firings,
            "alerts": self.alerts,
            "suppressed": self.suppressed,
        }

    def df(self) -> pandas.DataFrame:
        """The firings as a DataFrame: time, value, how exact it is, a column for each field of the group."""
        import pandas

        names = ["at", "value", "at_least", "margin"]
        rows = [{**{name: one.get(name) for name in names}, **one["group"]} for one in self.firings]
        frame = pandas.DataFrame(rows, columns=None if rows else names)
        frame["at"] = pandas.to_datetime(frame["at"], utc=True, format="ISO8601")
        return frame

    def plot(self) -> Any:
        """A Bokeh figure: firings over time, by their value, with the alerts they belong to."""
        from datetime import datetime, timedelta

        from signaldesk.backtest.picture import Shown, drawn
        from signaldesk.model.message import group_text

        def at(text: str) -> datetime:
            return datetime.fromisoformat(text)

        alerts = []
        for one in self.alerts:
            start, end = at(one["opened_at"]), at(one["resolved_at"] or one["last_fired_at"])
            alerts.append((start, max(end, start + timedelta(microseconds=1)), one["value"]))
        firings = [(at(one["at"]), one["value"], group_text(one["group"])) for one in self.firings]
        span = at(self.summary["from"]), at(self.summary["to"])
        return drawn(Shown(self.summary["rule"], *span, firings, alerts, self.summary["threshold"]))

    def __repr__(self) -> str:
        return f"<Report of {self.summary['rule']!r}: {'; '.join([self._words, *self.notes])}>"

    @property
    def _words(self) -> str:
        found = self.summary
        told = often(found["notifications"], found["notifications_per_week"])
        firings, alerts = many(found["firings"], "firing"), many(found["alerts"], "alert")
        return f"{firings}, {alerts}, {told}"

    def _repr_html_(self) -> str:
        found = self.summary
        rows = "".join(
            f"<tr><td>{escape(str(one['at']))}</td><td>{escape(group_text(one['group'])) or '–'}</td>"
            f"<td>{escape(_value(one))}</td></tr>"
            for one in self.firings[:_SHOWN]
        )
        more = found["firings"] - _SHOWN
        rest = f"<p>and {more} more</p>" if more > 0 else ""
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return (
            f"<h4>{escape(found['rule'])}</h4><p>{escape(found['condition'])}: {self._words}; "
            f"{found['matched']:,} of {found['events']:,} events matched</p>{notes}"
            f"<table><tr><th>at</th><th>group</th><th>value</th></tr>{rows}</table>{rest}"
        )


def moment(text: str | None) -> int | None:
    """µs since 1970, of a time in an answer."""
    from datetime import datetime

    from signaldesk.clock import to_us

    return to_us(datetime.fromisoformat(text)) if text is not None else None


def _value(firing: dict[str, Any]) -> str:
    """How exact it is, results that were kept from an earlier version do not say."""
    return brief(firing["value"], firing.get("at_least", False), firing.get("margin"))


class ComparisonReport:
    """Two rules over the same past, as plain JSON; see `backtest.comparison.Comparison`."""

    def __init__(self, found: dict[str, Any], missing: Sequence[str] = ()) -> None:
        self._found = found
        self.missing = missing
        """Damaged files of history, whose events were not judged."""
        both = (found[one].get("notes", ()) for one in ("new", "old"))
        self.notes = list(dict.fromkeys(note for notes in both for note in notes))
        """What one should know of it."""
        self.sentence: str = found["sentence"]
        self.fewer: int = found["fewer"]
        """Messages that people would have been spared; negative when there are more."""
        self.missed: list[dict[str, Any]] = found["missed"]
        """Alerts of the other rule that this one would not have had."""
        self.extra: list[dict[str, Any]] = found["extra"]
        """Alerts that only this one would have had."""

    def as_json(self) -> dict[str, Any]:
        return self._found

    def __repr__(self) -> str:
        return f"<Comparison: {self.sentence}>"

    def _repr_html_(self) -> str:
        from signaldesk.backtest.comparison import as_html

        return as_html(self._found, self.notes)
