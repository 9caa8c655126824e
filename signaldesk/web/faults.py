"""What is wrong with a body, in our words and by the names that its sender wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from signaldesk.errors import FieldError
from signaldesk.model.said import said

_WORDS = {"missing": "is missing", "extra_forbidden": "unknown field"}
_NO_TIME = "is no time; write e.g. 2026-01-31T12:00:00Z"


class _Fault(NamedTuple):
    """`depth`: how many parts of the place stand before the choice between several forms, if there is one."""

    place: tuple[str, ...]
    message: str
    depth: int | None


def faults_of(error: ValidationError, given: Any, model: type[BaseModel]) -> list[FieldError]:
    """Every fault once. Of a value that may have several forms, those of the form that it is nearest to."""
    known = [field.alias or name for name, field in model.model_fields.items()]
    found = [_fault(dict(one), given, known) for one in error.errors(include_url=False)]
    return list(dict.fromkeys(FieldError(".".join(one.place), one.message) for one in _nearest(found)))


def _fault(fault: dict[str, Any], given: Any, known: Sequence[str]) -> _Fault:
    place: list[str] = []
    depth, value = None, given
    for number, part in enumerate(fault["loc"]):
        if (isinstance(value, dict) and part in value) or (isinstance(value, list) and isinstance(part, int)):
            value = value[part]
        elif fault["type"] != "missing" or number < len(fault["loc"]) - 1:
            depth = len(place) if depth is None else depth  # pydantic's name of one of the forms
            continue
        place.append(str(part))
    # Bodies may hold passwords: nothing of what was given is repeated.
    message = _WORDS.get(fault["type"], said(fault, quoted=False))
    if fault["type"] == "extra_forbidden" and len(place) == 1:
        near = get_close_matches(place[0][:60], known, n=1)
        message += f"; did you mean `{near[0]}`?" if near else f"; known are {', '.join(known)}"
    elif fault["type"].startswith("datetime_"):
        message = _NO_TIME
    return _Fault(tuple(place), message, depth)


def _nearest(found: Sequence[_Fault]) -> Iterator[_Fault]:
    deepest: dict[tuple[str, ...], int] = {}
    for one in found:
        if one.depth is not None:
            choice = one.place[: one.depth]
            deepest[choice] = max(deepest.get(choice, 0), len(one.place))
    for one in found:
        choice = one.place[: one.depth]
        if one.depth is None or len(one.place) > len(choice) or deepest[choice] == len(choice):
            yield one
