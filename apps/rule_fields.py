"""The fields of a form for a kind of rule, made of the kind's own parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from signaldesk.rules.document import kinds

NUMERIC = ("integer", "number", "share")


class Field(NamedTuple):
    """One parameter. `name` is its path below `when`, such as `within` or `expected.cron`."""

    name: str
    label: str
    help: str
    shape: str
    """`integer`, `number`, `share`, `duration`, `choice`, `text`, `texts` or `steps`."""
    required: bool
    placeholder: str
    choices: tuple[str, ...]
    low: float | None
    high: float | None


class Form(NamedTuple):
    """What a kind asks. Of `limits` exactly one is given: they are one field with a word in front."""

    fields: tuple[Field, ...]
    limits: tuple[Field, ...]

    def field(self, name: str) -> Field | None:
        return next((one for one in (*self.limits, *self.fields) if one.name == name), None)


@cache
def form_of(kind: str) -> Form:
    """The form for the parameters of a kind."""
    schema = kinds()[kind].condition.model_json_schema()
    found = tuple(_fields(schema, schema, ""))
    limits = tuple(one for one in found if one.shape in NUMERIC and not one.required and not one.placeholder)
    limits = limits if len(limits) > 1 else ()
    return Form(tuple(one for one in found if one not in limits), limits)


def _fields(schema: Mapping[str, Any], root: Mapping[str, Any], path: str) -> Iterator[Field]:
    for name, given in schema["properties"].items():
        if "const" in given:
            continue
        plain = _plain(given)
        if "$ref" in plain:
            inner = root["$defs"][plain["$ref"].rpartition("/")[2]]
            yield from _fields(inner, root, f"{path}{name}.")
            continue
        required = not path and name in schema.get("required", ())
        yield _field(f"{path}{name}", given, plain, required)


def _plain(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """What it is when it is not null."""
    some = [one for one in given.get("anyOf", ()) if one.get("type") != "null"]
    return some[0] if len(some) == 1 else given


def _field(path: str, given: Mapping[str, Any], plain: Mapping[str, Any], required: bool) -> Field:
    default = given.get("default")
    shape, numbers = _shape(given, plain), _numbers(plain)
    examples = given.get("examples") or [""]
    shown = examples[0] if default is None or isinstance(default, list) else default
    if shape == "duration" and isinstance(shown, int):
        shown = _duration(shown)
    return Field(
        name=path,
        label=path.replace(".", " ").replace("_", " ").capitalize(),
        help=given.get("description", "").replace("`", ""),
        shape=shape,
        required=required,
        placeholder="" if default is None and not required and shape in NUMERIC else _text(shown),
        choices=tuple(plain.get("enum", ())),
        low=numbers.get("minimum", numbers.get("exclusiveMinimum")),
        high=numbers.get("maximum", plain.get("le")),
    )


def _shape(given: Mapping[str, Any], plain: Mapping[str, Any]) -> str:
    if "enum" in plain:
        return "choice"
    kind = plain.get("type")
    if kind in ("integer", "number"):
        return str(kind)
    if kind == "array":
        return "steps"
    if "anyOf" in plain:
        return "share" if any(one.get("type") == "number" for one in plain["anyOf"]) else "texts"
    return "duration" if "Duration" in (plain.get("title"), given.get("title")) else "text"


def _numbers(plain: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((one for one in plain.get("anyOf", ()) if one.get("type") == "number"), plain)


def _duration(micros: int) -> str:
    from signaldesk.model.duration import text

    return text(micros)


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
