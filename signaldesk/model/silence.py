"""Silences and maintenance windows: which alerts fire without telling anybody, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple
from uuid import UUID

import re2

from signaldesk.model.active import Active
from signaldesk.model.message import plain

Operator = Literal["=", "!=", "=~", "!~"]
OPERATORS: tuple[Operator, ...] = ("=", "!=", "=~", "!~")
KINDS = ("silence", "maintenance")
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
"""The end of what goes on until somebody ends it."""


class Matcher(NamedTuple):
    """One condition on a subject: `rule = Checkout`, `country =~ DE|FR`. What is missing counts as empty."""

    name: str
    operator: Operator
    value: str

    def fits(self, subject: Mapping[str, str]) -> bool:
        found = subject.get(self.name, "")
        if self.operator in ("=", "!="):
            return (found == self.value) == (self.operator == "=")
        return (pattern(self.value).fullmatch(found) is not None) == (self.operator == "=~")


class Silence(NamedTuple):
    """Matchers that must all fit, from `starts_at` on and before `ends_at` (event time, µs).

    One with `hours` comes again and again: it holds in these hours of the week only.
    """

    id: UUID
    kind: str
    matchers: tuple[Matcher, ...]
    starts_at: int
    ends_at: int
    hours: Active | None = None

    def holds(self, subject: Mapping[str, str], at: int) -> bool:
        return (
            self.starts_at <= at < self.ends_at
            and (self.hours is None or self.hours.at(at))
            and fit(self.matchers, subject)
        )


def stretch(starts_at: int, ends_at: int, hours: Active | None, at: int) -> tuple[int, int] | None:
    """From when until before when it holds, at that time or next; None: never again. Times are µs."""
    since = max(at, starts_at)
    if hours is None:
        return (starts_at, ends_at) if since < ends_at else None
    start, end = hours.stretch(since)
    return (start, min(end, ends_at)) if start < ends_at else None


@lru_cache(maxsize=1024)
def pattern(text: str) -> Any:
    """The compiled expression (RE2, which cannot be made slow). Raises ValueError saying what is wrong."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        said = error.args[0] if error.args else "cannot be read"
        raise ValueError(said.decode() if isinstance(said, bytes) else str(said)) from None


def fit(matchers: Iterable[Matcher], subject: Mapping[str, str]) -> bool:
    """Whether all of them fit."""
    return all(matcher.fits(subject) for matcher in matchers)


def subject(
    *, rule: str, severity: str, labels: Mapping[str, str], group: Mapping[str, Any]
) -> dict[str, str]:
    """What matchers look at: group fields, over these the rule's labels, over these `rule` and `severity`."""
    return (
        {name: plain(value) for name, value in group.items()}
        | dict(labels)
        | {
            "rule": rule,
            "severity": severity,
        }
    )


def first(silences: Iterable[Silence], subject: Mapping[str, str], at: int) -> Silence | None:
    """The silence that holds an alert's message back at a time; a maintenance window comes before others."""
    holding = [silence for silence in silences if silence.holds(subject, at)]
    return min(holding, key=lambda silence: (silence.kind, silence.id), default=None)
