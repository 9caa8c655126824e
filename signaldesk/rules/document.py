"""From a document (YAML or JSON) to a `Rule`, with every fault at once, by field, with suggestions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

import signaldesk.rules as room
from signaldesk import filters, registry
from signaldesk.errors import FieldError, Invalid
from signaldesk.model.rule import Condition, Rule
from signaldesk.model.said import said, shown
from signaldesk.rules._kind import Judge, Kind

M = TypeVar("M", bound=BaseModel)

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
    kind, condition, faults = _condition(document.get("when"))
    where = document.get("where")
    if isinstance(where, str):
        try:
            filters.parse(where)
        except Invalid as error:
            faults += error.errors or [FieldError("where", error.detail)]
    sound = {name: value for name, value in document.items() if name != "where" or not _at(faults, "where")}
    rule, more = _read(Rule, {**sound, "when": condition if condition is not None else _ANY}, name="?")
    faults = [*more, *faults]
    faults += [fault for fault in _events(document, kind) if not _at(faults, fault.field)]
    if rule is not None and condition is not None:
        faults += [fault for fault in _whole(rule, sound=not faults) if not _at(faults, fault.field)]
    if faults or rule is None:
        raise Invalid(f"the rule has {len(faults)} fault{'s' if len(faults) > 1 else ''}", errors=faults)
    return rule


def parse_all(documents: list[Any]) -> list[Rule]:
    """Many rules at once. Raises Invalid with the faults of all of them, by index and name."""
    found: list[Rule] = []
    faults: list[FieldError] = []
    seen: dict[str, int] = {}
    for index, one in enumerate(documents):
        name = one.get("name") if isinstance(one, dict) else None
        if isinstance(name, str) and seen.setdefault(name, index) != index:
            faults.append(FieldError(f"rules[{index}].name", f"is the same as that of rules[{seen[name]}]"))
        try:
            found.append(parse(one))
        except Invalid as error:
            faults += [FieldError(f"rules[{index}].{fault.field}", fault.message) for fault in error.errors]
    if faults:
        raise Invalid(f"{len(faults)} fault{'s' if len(faults) > 1 else ''} in these rules", errors=faults)
    return found


def fingerprint(rule: Rule) -> str:
    """The condition fingerprint: the same filter written differently counts as the same."""
    return rule.fingerprint(filters.parse(rule.where).canonical if rule.where else None)


def _events(document: dict[str, Any], kind: Kind | None) -> list[FieldError]:
    """Whether the rule names events, where its kind wants that and nowhere else."""
    if kind is None or kind.takes_event:
        return [] if document.get("event") not in (None, [], ()) else [FieldError("event", "is missing")]
    if document.get("event"):
        return [FieldError("event", f"`{kind.name}` says in `when` what it looks at; leave this out")]
    return []


def _whole(rule: Rule, *, sound: bool) -> list[FieldError]:
    """Faults that only the rule as a whole shows; `sound`: it has no other ones."""
    kind = kinds()[rule.when.kind]
    faults = kind.check(rule)
    if sound and not faults and (rule.for_ or rule.resolve is not None):
        faults = _timing(rule, kind.judge(rule))
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


def _condition(when: Any) -> tuple[Kind | None, Condition | None, list[FieldError]]:
    """Its kind, and `when` as far as it can be read, with its faults."""
    if not isinstance(when, dict):
        text = "is missing; say e.g. {kind: count, at_least: 3, within: 60s}"
        return None, None, [FieldError("when", text)]
    name = when.get("kind")
    if not isinstance(name, str):
        return None, None, [FieldError("when.kind", f"must be one of {', '.join(sorted(kinds()))}")]
    kind = kinds().get(name)
    if kind is None:
        near = get_close_matches(name[:_CLIP], kinds(), n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(kinds()))}"
        return None, None, [FieldError("when.kind", f"unknown kind {name[:_CLIP]!r}; {hint}")]
    condition, faults = _read(kind.condition, when)
    within = [FieldError(f"when.{fault.field}".rstrip("."), fault.message) for fault in faults]
    return kind, condition, within


def _read(model: type[M], given: dict[str, Any], **instead: Any) -> tuple[M | None, list[FieldError]]:
    """What is given as far as it can be read, and every fault of it.

    What only several parameters together show is found although one of them is wrong: in its place stands
    what `instead` or its own example says. None when that is not enough.
    """
    try:
        return model.model_validate(given), []
    except ValidationError as error:
        faults = faults_of(error, model)
        wrong = {fault["loc"][0] for fault in error.errors(include_url=False) if fault["loc"]}
    known = {field.alias or name: field for name, field in model.model_fields.items()}
    mended = {name: value for name, value in given.items() if name not in wrong}
    unsaid = False
    for name in sorted(map(str, wrong)):
        if name not in known:
            near = _near(name, known)
            if near is not None:
                mended.setdefault(near, given[name])
        elif name in instead or known[name].examples:
            mended[name] = instead[name] if name in instead else (known[name].examples or [None])[0]
        else:
            unsaid = True
    try:
        return model.model_validate(mended), faults
    except ValidationError as error:
        whole = [] if unsaid or not wrong else [fault for fault in faults_of(error, model) if not fault.field]
        return None, [*faults, *whole]


def _at(faults: list[FieldError], field: str) -> bool:
    """Whether there is a fault of this field, or of a part of it."""
    return any(fault.field == field or fault.field.startswith(f"{field}.") for fault in faults)


def faults_of(error: ValidationError, model: type[BaseModel]) -> list[FieldError]:
    """What pydantic found wrong, in our words: unknown fields and values come with the nearest known one."""
    found = error.errors(include_url=False)[:_MOST_FAULTS]
    inside = {fault["loc"][:-1] for fault in found} | {fault["loc"][:-2] for fault in found}
    return [
        _fault(dict(fault), model)
        for fault in found
        if fault["type"] != "too_short" or fault["loc"] not in inside  # it was counted without the wrong ones
    ]


def _fault(fault: dict[str, Any], model: type[BaseModel]) -> FieldError:
    path = ".".join(str(part)[:_CLIP] for part in fault["loc"])
    kind = fault["type"]
    if kind == "extra_forbidden":
        known = _fields(model, fault["loc"][:-1])
        near = _near(str(fault["loc"][-1]), known)
        hint = f"did you mean `{near}`?" if near else f"known are {', '.join(known)}"
        return FieldError(path, f"unknown field; {hint}")
    if kind == "missing":
        return FieldError(path, "is missing")
    if kind == "tuple_type":
        return FieldError(path, f"must be a text or a list of texts, not {shown(fault['input'])}")
    message = said(fault)
    if kind in ("enum", "literal_error") and isinstance(fault["input"], str):
        near = _near(fault["input"].lower(), re.findall(r"'([^']*)'", fault["ctx"]["expected"]))
        message += f"; did you mean {near}?" if near else ""
    return FieldError(path, message)


def _near(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like it, if one is at all."""
    return next(iter(get_close_matches(name[:_CLIP], known, n=1)), None)


def _fields(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    """The fields of the model at the end of a path through models and lists of them."""
    here = model
    for part in path:
        if isinstance(part, str):
            found = {field.alias or name: field for name, field in here.model_fields.items()}.get(part)
            here = next(iter(_models(found.annotation)), here) if found else here
    return [field.alias or name for name, field in here.model_fields.items()]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a field's type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _not_an_object(document: Any) -> FieldError:
    return FieldError("", f"expected an object, found {type(document).__name__}")
