"""Tests of rules as code: YAML files that say which events make which rules fire, and which do not.

A file names its rules (files beside it, or the rules themselves) and holds tests. What is wrong in it is
named by file and line, all of it at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from signaldesk.catalog import files, parts
from signaldesk.catalog.files import Source
from signaldesk.clock import to_us
from signaldesk.errors import FieldError, Invalid, NotFound
from signaldesk.model import duration
from signaldesk.model.duration import Duration
from signaldesk.model.moment import Moment, What
from signaldesk.model.rule import Rule
from signaldesk.rules.document import faults_of, parse_all

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
"""Noon of a Monday: where a test begins that says nothing else."""
MOST_EVENTS = 100_000
_WHATS: tuple[What, ...] = get_args(What)
M = TypeVar("M", bound=BaseModel)


def _time(value: Any) -> datetime:
    """A time, which YAML has read already, or its text."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
        to_us(found)
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise ValueError(f"{str(value)[:40]!r} is no time with a zone; write 2026-01-31T12:00:00Z") from None
    return found


def _when(value: Any) -> Any:
    """A time, or a duration since the start in µs."""
    if isinstance(value, date) or (isinstance(value, str) and value[4:5] == "-"):
        return _time(value)
    return duration.parse(value)


When = Annotated[Any, BeforeValidator(_when)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Given(_Part):
    """An event, or several alike; the rest of its fields is checked as it is for events that are sent."""

    at: Annotated[When, Field(description="Time since the start of the test, or a timestamp")]
    times: Annotated[int, Field(ge=1, le=MOST_EVENTS, description="How many")] = 1
    every: Annotated[Duration, Field(description="How far apart they are")] = 1_000_000


class Expected(_Part):
    """A moment that shall be; what is left out is not looked at."""

    at: When
    rule: Annotated[str | None, Field(description="May be left out when there is but one")] = None
    group: dict[str, Any] | None = None
    value: float | None = None
    reason: str | None = None


class _Case(_Part):
    name: Annotated[str, Field(min_length=1)]
    start: Annotated[datetime, BeforeValidator(_time)] = START
    events: list[dict[str, Any]]
    until: Annotated[When | None, Field(description="Until when time goes on after the last event")] = None
    fires: list[dict[str, Any]]
    held: list[dict[str, Any]] | None = None
    resolves: list[dict[str, Any]] | None = None


class _File(_Part):
    rules: Any
    tests: Annotated[list[dict[str, Any]], Field(min_length=1)]


class Sent(NamedTuple):
    """An event of a test as it would be sent, its time (µs), and its place in the file."""

    value: dict[str, Any]
    at: int
    place: str


class Wanted(NamedTuple):
    """An expected moment and its place in the file."""

    moment: Moment
    place: str

    @property
    def at(self) -> int:
        return self.moment.at


class Case(NamedTuple):
    """One test, ready to be run. `looked_at` are the kinds of moments that it says something about."""

    file: str
    name: str
    place: str
    rules: list[Rule]
    start: int
    sent: list[Sent]
    until: int | None
    wanted: list[Wanted]
    looked_at: frozenset[str]


def read(paths: Iterable[Path]) -> list[Case]:
    """The tests of files, and of all `*.test.yaml` in folders.

    Raises NotFound for what cannot be read, Invalid with every fault of all files, by file and line.
    """
    sources = files.read(paths, tests=True)
    faults, cases = list(sources.faults), []
    for source in sources.rules:
        reader = _Reader(source)
        cases += reader.cases()
        faults += [fault for _, fault in sorted(reader.faults, key=lambda fault: fault[0])]
    if faults:
        raise Invalid(f"{len(faults)} fault{'s' if len(faults) > 1 else ''} in these files", errors=faults)
    return cases


class _Reader:
    """Reads one document of a file, and collects what is wrong with it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.faults: list[tuple[int, FieldError]] = []
        """(line, fault); those of other files come first."""

    def cases(self) -> list[Case]:
        file = self._part(_File, self._source.document, "")
        if file is None:
            return []
        rules = self._rules(file.rules)
        return [
            case
            for index, one in enumerate(file.tests)
            if (case := self._case(one, f"tests.{index}", rules)) is not None
        ]

    def _rules(self, given: Any) -> list[Rule]:
        """The rules that are named, or given; none when there is a fault in them."""
        listed = given if isinstance(given, list) else [given]
        folder = Path(self._source.file).parent
        documents, sources = [], []
        for index, one in enumerate(listed):
            if isinstance(one, str):
                sources.append(folder / one)
            else:
                documents.append((one, f"rules.{index}" if isinstance(given, list) else "rules"))
        try:
            found = files.read(sources).parsed() if sources else []
        except (Invalid, NotFound) as error:
            told = error.errors or [FieldError(self._source.place("rules"), error.detail)]
            self.faults += [(0, fault) for fault in told]
            return []
        try:
            inline = parse_all([one for one, _ in documents])
        except Invalid as error:
            for fault in error.errors:
                head, _, path = fault.field.partition(".")
                number = int(head.removeprefix("rules[").removesuffix("]"))
                self._fault(f"{documents[number][1]}.{path}".rstrip("."), fault.message)
            return []
        if twice := {rule.name for rule in found} & {rule.name for rule in inline}:
            self._fault("rules", f"{min(twice)} is given twice")
            return []
        rules = found + inline
        known = {rule.name: rule for rule in rules}
        for fault in (fault for rule in rules for fault in parts.faults(rule.document(), known)):
            self._fault("rules", fault.message)
        return rules

    def _case(self, one: dict[str, Any], path: str, rules: list[Rule]) -> Case | None:
        case = self._part(_Case, one, path)
        if case is None:
            return None
        start = to_us(case.start)
        wanted = [
            found
            for what in _WHATS
            for index, expected in enumerate(getattr(case, what) or ())
            if (found := self._wanted(what, expected, f"{path}.{what}.{index}", start, rules)) is not None
        ]
        looked_at = {what for what in _WHATS if getattr(case, what) is not None}
        return Case(
            file=self._source.file,
            name=case.name,
            place=self._source.place(path),
            rules=rules,
            start=start,
            sent=[
                sent
                for index, event in enumerate(case.events)
                for sent in self._sent(event, f"{path}.events.{index}", start)
            ],
            until=None if case.until is None else _moment(case.until, start),
            wanted=wanted,
            looked_at=frozenset(looked_at),
        )

    def _sent(self, event: dict[str, Any], path: str, start: int) -> list[Sent]:
        own = {name: event[name] for name in Given.model_fields if name in event}
        given = self._part(Given, own, path)
        if given is None:
            return []
        rest = {name: value for name, value in event.items() if name not in own}
        first, place = _moment(given.at, start), self._source.place(path)
        return [Sent(rest, first + number * given.every, place) for number in range(given.times)]

    def _wanted(
        self, what: What, one: dict[str, Any], path: str, start: int, rules: list[Rule]
    ) -> Wanted | None:
        expected = self._part(Expected, one, path)
        if expected is None or not rules:
            return None
        names = [rule.name for rule in rules]
        if expected.rule is None and len(names) > 1:
            self._fault(path, f"say which `rule`: {', '.join(names[:10])}")
            return None
        if expected.rule is not None and expected.rule not in names:
            self._fault(f"{path}.rule", f"there is no such rule here; there are {', '.join(names[:10])}")
            return None
        moment = Moment(
            what,
            expected.rule or names[0],
            _moment(expected.at, start),
            expected.group,
            expected.value,
            reason=expected.reason,
        )
        return Wanted(moment, self._source.place(path))

    def _part(self, model: type[M], value: Any, path: str) -> M | None:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            for fault in faults_of(error, model):
                self._fault(f"{path}.{fault.field}".strip("."), fault.message)
            return None

    def _fault(self, path: str, message: str) -> None:
        line, where = self._source.line(path), self._source.place(path)
        self.faults.append((line, FieldError(f"{where}: {path}" if path else where, message)))


def _moment(when: Any, start: int) -> int:
    return to_us(when) if isinstance(when, datetime) else start + int(when)
