"""What a test of rules expected, compared with what judging its events came to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from signaldesk.catalog.rule_tests import Case, Wanted
from signaldesk.model.group import key, text
from signaldesk.model.moment import Moment


class Result(NamedTuple):
    """A test with what it missed and what it did not expect; without either it passed."""

    case: Case
    missing: list[Wanted]
    unexpected: list[Moment]

    @property
    def passed(self) -> bool:
        return not self.missing and not self.unexpected


def compare(case: Case, moments: Sequence[Moment]) -> Result:
    """Each expected moment takes one that fits; what is left on either side is a difference."""
    left = [moment for moment in moments if moment.what in case.looked_at]
    missing = []
    # Those that say more choose first, so that a vague one never takes what only a precise one fits.
    for wanted in sorted(case.wanted, key=_said, reverse=True):
        fitting = next((moment for moment in left if _fits(wanted.moment, moment)), None)
        if fitting is None:
            missing.append(wanted)
        else:
            left.remove(fitting)
    return Result(case, sorted(missing, key=lambda wanted: wanted.at), left)


def _said(wanted: Wanted) -> int:
    moment = wanted.moment
    return sum(part is not None for part in (moment.group, moment.value, moment.reason))


def _fits(wanted: Moment, moment: Moment) -> bool:
    """Whether the moment is a wanted one, as far as that says anything."""
    return (
        wanted[:3] == moment[:3]
        and (wanted.group is None or _same(wanted.group, moment.group or {}))
        and wanted.reason in (None, moment.reason)
        and (wanted.value is None or _close(wanted.value, moment.value))
    )


def _close(value: float, found: float | None) -> bool:
    return found is not None and math.isclose(value, found, rel_tol=1e-9)


def _same(wanted: dict[str, Any], found: dict[str, Any]) -> bool:
    """Whether it is the same group: 1 and 1.0 are, 1 and true are not."""
    return text(tuple(wanted), key(tuple(wanted), wanted)) == text(tuple(found), key(tuple(found), found))
