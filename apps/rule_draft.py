"""Between a form and a rule's document: what people typed becomes the document that YAML would say.

A form is nested texts by the names of its fields; empty ones say nothing. Numbers stay texts where they are
none, so that the rule's own check names the fault at its field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from apps.rule_fields import NUMERIC, Field, form_of
from signaldesk.rules.document import kinds

DURATIONS = ("for", "cooldown", "repeat", "allowed_lateness")
PLAIN = ("name", "where", *DURATIONS, "severity", "runbook", "description", "mode")
DEFAULT_KIND = "count"

_WHOLE = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_COMMA = re.compile(r"(?<!\\),")


def document(form: Mapping[str, Any]) -> dict[str, Any]:
    """The document that a filled form says."""
    when = form.get("when") or {}
    kind = when.get("kind", DEFAULT_KIND)
    takes_event = kinds()[kind].takes_event if kind in kinds() else True
    found: dict[str, Any] = {name: form.get(name, "") for name in PLAIN}
    found["event"] = split(form.get("event", "")) if takes_event else []
    found["by"] = split(form.get("by", ""))
    found["where"] = found["where"] if takes_event else ""
    found["when"] = {"kind": kind, **condition(kind, when)}
    found["resolve"] = _resolve(form.get("resolve") or {})
    found["active"] = _active(form.get("active") or {})
    found["notify"] = [*_filled(form.get("notify") or ()), *split(form.get("addresses", ""))]
    found["labels"] = {
        row["name"]: row.get("value", "") for row in form.get("labels") or () if row["name"].strip()
    }
    found = {name: value for name, value in found.items() if not _empty(value)}
    for name, default in (("severity", "warning"), ("mode", "live")):
        if found.get(name) == default:
            del found[name]
    return found


def condition(kind: str, when: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a kind as the form has them; those of other kinds are left out."""
    if kind not in kinds():
        return {}
    form, found = form_of(kind), {}
    limit = form.field(when.get("_limit", "")) if form.limits else None
    if limit is not None:
        found[limit.name] = value_of(limit, when.get("_value", ""))
    for one in form.fields:
        given: Any = when
        *above, last = one.name.split(".")
        for step in above:
            given = (given or {}).get(step)
        put(found, one.name, value_of(one, (given or {}).get(last, "")))
    return {name: value for name, value in found.items() if not _empty(value)}


def value_of(field: Field, given: Any) -> Any:
    """A field's value for the document; None for nothing."""
    if field.shape == "steps":
        return [step for step in map(_step, given or ()) if step]
    text = str(given).strip()
    if field.shape == "texts":
        return split(text)
    if field.shape in NUMERIC:
        return number(text)
    return text


def number(text: str) -> Any:
    """`3` → 3, `0.5` → 0.5; what is no number stays a text."""
    text = text.strip()
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def split(text: str) -> list[str]:
    """`a, b` → a and b; a comma that belongs to a name has a backslash before it."""
    parts = (part.strip().replace("\\,", ",") for part in _COMMA.split(text))
    return [part for part in parts if part]


def joined(values: str | Sequence[str]) -> str:
    """The text that `split` takes apart."""
    return ", ".join(value.replace(",", "\\,") for value in ([values] if isinstance(values, str) else values))


def put(whole: dict[str, Any], path: str, value: Any) -> None:
    """Set `a.b` inside nested dicts, unless there is nothing to set."""
    if _empty(value):
        return
    *above, last = path.split(".")
    for step in above:
        whole = whole.setdefault(step, {})
    whole[last] = value


def get(whole: Mapping[str, Any], path: str) -> Any:
    """What stands at `a.b`; None for nothing."""
    found: Any = whole
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _step(given: Mapping[str, Any]) -> dict[str, Any]:
    found = {"event": split(given.get("event", "")), "where": given.get("where", "").strip()}
    return {name: value for name, value in found.items() if value}


def _resolve(given: Mapping[str, Any]) -> dict[str, Any]:
    found = {"quiet_for": given.get("quiet_for", "").strip(), "threshold": number(given.get("threshold", ""))}
    return {name: value for name, value in found.items() if not _empty(value)}


def _active(given: Mapping[str, Any]) -> dict[str, Any]:
    if not given.get("on"):
        return {}
    found = {name: given.get(name, "").strip() for name in ("from", "to", "timezone")}
    kept = {name: value for name, value in found.items() if value}
    return {"days": _filled(given.get("days") or ()), **kept}


def _filled(values: Sequence[str]) -> list[str]:
    return [value for value in values if value]


def _empty(value: Any) -> bool:
    return value is None or value in ("", [], {}, ())
