"""How the result of a test of rules is told, to people and to programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from signaldesk.catalog.rule_test_results import Result
from signaldesk.catalog.rule_tests import Case
from signaldesk.clock import from_us
from signaldesk.model import duration
from signaldesk.model.message import group_text, measured
from signaldesk.model.moment import Moment


def lines(result: Result) -> Iterator[str]:
    """`✓` with the name; or `✗` and the differences, `-` for what is missing, `+` for what is too much."""
    case = result.case
    if result.passed:
        yield f"✓ {case.name}"
        return
    yield f"✗ {case.name} ({case.place})"
    found = [(wanted.at, "-", f"{_line(case, wanted.moment)}  ({wanted.place})") for wanted in result.missing]
    found += [(moment.at, "+", _line(case, moment)) for moment in result.unexpected]
    for _, sign, text in sorted(found):
        yield f"  {sign} {text}"


def as_json(result: Result) -> dict[str, Any]:
    case = result.case
    missing = [{**_plain(wanted.moment), "place": wanted.place} for wanted in result.missing]
    return {
        "file": case.file,
        "name": case.name,
        "place": case.place,
        "passed": result.passed,
        "missing": missing,
        "unexpected": [_plain(moment) for moment in result.unexpected],
    }


def _line(case: Case, moment: Moment) -> str:
    """`fires at 40s: country = DE, value 3`, the rule's name in front when there are several."""
    named = f"{moment.rule}: " if len(case.rules) > 1 else ""
    value = moment.value
    parts = [
        group_text(moment.group or {}),
        "" if value is None else f"value {measured(value, moment.at_least, moment.margin)}",
        moment.reason or "",
    ]
    told = ", ".join(part for part in parts if part)
    return f"{named}{moment.what} at {_offset(moment.at - case.start)}" + (f": {told}" if told else "")


def _offset(micros: int) -> str:
    return duration.text(micros) if micros >= 0 else f"-{duration.text(-micros)}"


def _plain(moment: Moment) -> dict[str, Any]:
    return {**moment._asdict(), "at": from_us(moment.at), "reason": moment.reason or None}
