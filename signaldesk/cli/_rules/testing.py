"""`signaldesk rules test`: what rules make of some events, compared with what they should."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from signaldesk.cli import _local

if TYPE_CHECKING:
    from signaldesk.catalog.rule_test_results import Result
    from signaldesk.catalog.rule_tests import Case
    from signaldesk.model.event import Event

Paths = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE|FOLDER|- …", help="Test files, folders with *.test.yaml, - for standard input."
    ),
]


def test(paths: Paths, json: _local.Json = False) -> None:
    """Test rules with events, here and now: no server is asked. Exit code 1 when a test fails.

    The engine that judges is the one that judges live. A file that cannot be read as a test is exit code 2.

    \b
    Examples:
      signaldesk rules test rules/
      signaldesk rules test checkout.test.yaml --json
    \b
    A test:
      rules: checkout.yaml
      tests:
        - name: three failures within a minute fire
          events:
            - {at: 0s, type: checkout_failed, payload: {country: DE, amount: 25}, times: 3, every: 20s}
          fires:
            - {at: 40s, group: {country: DE}, value: 3}
    """
    from signaldesk.cli import _out
    from signaldesk.cli._rules import report

    results = [_result(case, events) for case, events in _cases(paths)]
    if json:
        _out.data([report.as_json(result) for result in results])
    else:
        for result in results:
            for line in report.lines(result):
                _out.say(line)
    failed = sum(not result.passed for result in results)
    if not json:
        count = f"{len(results)} test{'' if len(results) == 1 else 's'}"
        _out.say(f"{count}, {failed} failed" if failed else f"{count} passed")
    if failed:
        raise typer.Exit(1)


def _cases(paths: list[Path]) -> list[tuple[Case, list[Event]]]:
    """The tests with their events. Raises Unusable with every fault of all files."""
    from signaldesk.catalog import rule_tests
    from signaldesk.cli._out import Unusable
    from signaldesk.errors import Invalid, NotFound

    try:
        cases = rule_tests.read(paths)
    except (Invalid, NotFound) as error:
        raise Unusable(error.detail, errors=error.errors) from None
    faults: list[Any] = []
    found = [(case, _events(case, faults)) for case in cases]
    if faults:
        raise Unusable(f"{len(faults)} events cannot be sent", errors=faults)
    return found


def _events(case: Case, faults: list[Any]) -> list[Event]:
    """The events as the intake takes them; faults are added to the list."""
    from uuid import UUID

    from signaldesk.clock import from_us
    from signaldesk.errors import FieldError
    from signaldesk.intake.check import Rejection, check

    found = []
    for number, (value, at, place) in enumerate(case.sent):
        whole = {**value, "timestamp": from_us(at).isoformat()}
        id = UUID(int=number + 1).bytes
        checked = check(whole, org="", cloud=False, now_us=at, skew_us=0, new_id=lambda id=id: id)  # type: ignore[misc]
        if isinstance(checked, Rejection):
            faults.append(FieldError(f"{place}: {checked.field}".rstrip(": "), checked.message))
        else:
            found.append(checked.event)
    return found


def _result(case: Case, events: list[Event]) -> Result:
    from signaldesk.catalog.rule_test_results import compare
    from signaldesk.clock import MICROS
    from signaldesk.engine.dry_run import judge
    from signaldesk.settings import Settings

    lateness = Settings.model_fields["allowed_lateness"].default * MICROS
    found = judge(case.rules, events, start=case.start, lateness=lateness, until=case.until)
    return compare(case, found)
