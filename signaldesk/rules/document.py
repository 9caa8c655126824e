"""From a document (YAML or JSON) to a `Rule`, with every fault at once, by field, with suggestions."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

import signaldesk.rules as room
from signaldesk import filters, registry
from signaldesk.errors import FieldError, Invalid
from signaldesk.model.rule import Condition, Rule
from signaldesk.rules._kind import Judge, Kind

_MOST_FAULTS = 100
"""Faults that are listed of one rule; a document of nothing but wrong fields is not worth more."""
_CLIP = 60
"""Characters of a stranger's name that are repeated in an answer."""


@cache
def kinds() -> dict[str, Kind]:
    """Every rule kind by name."""
    return {kind.name: kind for kind in registry.members(room, "KIND", Kind)}


def parse(document: Any) -> Rule:
    """The rule that a document describes.

    Raises Invalid with one FieldError per fault: unknown fields (with the nearest known one), wrong types,
    values out of range, filters that cannot be parsed (with the position).
    """
    if not isinstance(document, dict):
        raise Invalid(
            "a rule is an object with a name, an event and a condition", errors=[_not_an_object(document)]
        )
    faults: list[FieldError] = []
    condition = _condition(document.get("when"), faults)
    body = {**document, "when": condition if condition is not None else _ANY}
    faults += _events(document, condition)
    try:
        rule = Rule.model_validate(body)
    except ValidationError as error:
        faults = [*faults_of(error, Rule), *faults]
        rule = None
    where = document.get("where")
    if isinstance(where, str):
        try:
            filters.parse(where)
        except Invalid as error:
            faults += error.errors or [FieldError("where", error.detail)]
    if rule is not None and condition is not None:
        faults += _whole(rule)
    if faults or rule is None:
        raise Invalid(f"the rule has {len(faults)} fault{'s' if len(faults) > 1 else ''}", errors=faults)
    return rule


def parse_all(documents: list[Any]) -> list[Rule]:
    """Many rules at once. Raises Invalid with the faults of all of them, by index and name."""
    found: list[Rule] = []
    faults: list[FieldError] = []
    seen: dict[str, int] = {}
    for index, one in enumerate(documents):
        try:
            rule = parse(one)
        except Invalid as error:
            faults += [FieldError(f"rules[{index}].{fault.field}", fault.message) for fault in error.errors]
            continue
        if rule.name in seen:
            faults.append(
                FieldError(f"rules[{index}].name", f"is the same as that of rules[{seen[rule.name]}]")
            )
        seen.setdefault(rule.name, index)
        found.append(rule)
    if faults:
        raise Invalid(f"{len(faults)} fault{'s' if len(faults) > 1 else ''} in these rules", errors=faults)
    return found


def fingerprint(rule: Rule) -> str:
    """The condition fingerprint: the same filter written differently counts as the same."""
    return rule.fingerprint(filters.parse(rule.where).canonical if rule.where else None)


def _events(document: dict[str, Any], condition: Condition | None) -> list[FieldError]:
    """Whether the rule names events, where its kind wants that and nowhere else."""
    kind = kinds()[condition.kind] if condition is not None else None
    if kind is None or kind.takes_event:
        return [] if document.get("event") not in (None, [], ()) else [FieldError("event", "is missing")]
    if document.get("event"):
        return [FieldError("event", f"`{kind.name}` says in `when` what it looks at; leave this out")]
    return []


def _whole(rule: Rule) -> list[FieldError]:
    """Faults that only the rule as a whole shows."""
    kind = kinds()[rule.when.kind]
    faults = kind.check(rule)
    if rule.for_ or rule.resolve is not None:
        faults += _timing(rule, kind.judge(rule)) if not faults else []
    return faults


def _timing(rule: Rule, judge: Judge) -> list[FieldError]:
    faults = []
    if rule.for_ and not judge.lasting:
        faults.append(FieldError("for", f"`{rule.when.kind}` holds for a moment only; leave this out"))
    if rule.resolve is not None and rule.resolve.threshold is not None and type(judge).value is Judge.value:
        faults.append(
            FieldError("resolve.threshold", f"`{rule.when.kind}` measures nothing; use `quiet_for` instead")
        )
    return faults


_ANY = Condition(kind="?")


def _condition(when: Any, faults: list[FieldError]) -> Condition | None:
    """The parsed `when`; faults are added to the list."""
    if not isinstance(when, dict):
        faults.append(FieldError("when", "is missing; say e.g. {kind: count, at_least: 3, within: 60s}"))
        return None
    name = when.get("kind")
    if not isinstance(name, str):
        faults.append(FieldError("when.kind", f"must be one of {', '.join(sorted(kinds()))}"))
        return None
    kind = kinds().get(name)
    if kind is None:
        near = get_close_matches(name[:_CLIP], kinds(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(kinds()))}"
        faults.append(FieldError("when.kind", f"unknown kind {name[:_CLIP]!r}; {hint}"))
        return None
    try:
        return kind.condition.model_validate(when)
    except ValidationError as error:
        faults += [
            FieldError(f"when.{fault.field}".rstrip("."), fault.message)
            for fault in faults_of(error, kind.condition)
        ]
        return None


def faults_of(error: ValidationError, model: type[BaseModel]) -> list[FieldError]:
    """What pydantic found wrong, in our words: unknown fields and values come with the nearest known one."""
    found = error.errors(include_url=False, include_context=False)
    return [_fault(dict(fault), model) for fault in found[:_MOST_FAULTS]]


def _fault(fault: dict[str, Any], model: type[BaseModel]) -> FieldError:
    path = ".".join(str(part)[:_CLIP] for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        known = [field.alias or name for name, field in model.model_fields.items()]
        near = get_close_matches(str(fault["loc"][-1])[:_CLIP], known, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"known are {', '.join(known)}"
        return FieldError(path, f"unknown field; {hint}")
    if fault["type"] == "missing":
        return FieldError(path, "is missing")
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] in ("enum", "literal_error") and isinstance(fault["input"], str):
        near = get_close_matches(fault["input"][:_CLIP].lower(), re.findall(r"'([^']*)'", message), n=1)
        message += f"; did you mean {near[0]}?" if near else ""
    return FieldError(path, message)


def _not_an_object(document: Any) -> FieldError:
    return FieldError("", f"expected an object, found {type(document).__name__}")
