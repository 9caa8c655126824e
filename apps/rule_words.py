"""Rules as people read them: a sentence, the whole as YAML, what a version changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from signaldesk.catalog.changes import FieldChange, compare
from signaldesk.catalog.yaml_text import canonical, write
from signaldesk.errors import Invalid
from signaldesk.model.rule_page import VersionLine
from signaldesk.rules.document import kinds, parse


def sentence(body: Mapping[str, Any]) -> str:
    """`3 or more checkout_failed in 60 s, per country`; of a body that is not valid any more, what it was."""
    try:
        rule = parse(dict(body))
    except Invalid:
        when = body.get("when")
        return str(when.get("kind", "")) if isinstance(when, Mapping) else ""
    kind = kinds()[rule.when.kind]
    events = " or ".join(rule.event)
    said = f"{events}: {kind.sentence(rule.when)}" if events else kind.sentence(rule.when)
    return f"{said}, per {' and '.join(rule.by)}" if rule.by else said


def as_yaml(body: Mapping[str, Any]) -> str:
    """The text that `rules export` writes."""
    return write([body])


def download(text: str) -> str:
    """An address that holds the text itself."""
    return f"data:text/yaml;charset=utf-8,{quote(text)}"


class Changed(NamedTuple):
    """One field that a version changed; empty where it was not set."""

    field: str
    before: str
    after: str


class Version(NamedTuple):
    """A version and what it changed against the one before; None where that one is not at hand."""

    line: VersionLine
    changes: list[Changed] | None


def changed(fields: Iterable[FieldChange]) -> list[Changed]:
    """The changes with their values as texts."""
    return [Changed(one.field, _text(one.before), _text(one.after)) for one in fields]


def versions(lines: Sequence[VersionLine]) -> list[Version]:
    """Newest first, as given."""
    found = []
    for line, before in zip(lines, [*lines[1:], None], strict=True):
        if before is None:
            found.append(Version(line, None))
            continue
        changes = compare(canonical(before.body), canonical(line.body))
        found.append(
            Version(line, [Changed(one.field, _text(one.before), _text(one.after)) for one in changes])
        )
    return found


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)
