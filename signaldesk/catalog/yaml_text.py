"""Rules as YAML text: one shape for each rule, wherever it was made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from signaldesk.errors import Invalid
from signaldesk.rules.document import parse

_FIRST = ("name", "description")
_WIDTH = 100
_BREAKS = re.compile("[\r\x85\u2028\u2029]")
"""Ends of lines to YAML, which a block would turn into line feeds."""


def canonical(body: Mapping[str, Any]) -> dict[str, Any]:
    """A rule's document in the one shape: defaults left out, durations at their shortest, fields in order.

    A body that is not valid any more keeps its values, in alphabetical order.
    """
    try:
        found = parse(dict(body)).document()
    except Invalid:
        found = {name: body[name] for name in sorted(body)}
    first = {name: found[name] for name in _FIRST if name in found}
    return {name: _tidy(name, value) for name, value in (first | found).items()}


def write(bodies: Iterable[Mapping[str, Any]]) -> str:
    """The rules as YAML documents, which `files` reads."""
    return _dump([canonical(body) for body in bodies], flow=False, width=_WIDTH)


def write_at(body: Mapping[str, Any], *, column: int, flow: bool) -> str:
    """One rule as it stands inside a file: indented by `column` but for its first line, no line's end."""
    if flow:
        return _dump([canonical(body)], flow=True, width=10**9).rstrip("\n")
    text = _dump([canonical(body)], flow=False, width=_WIDTH).rstrip("\n")
    return text.replace("\n", "\n" + " " * column)


def _tidy(name: str, value: Any) -> Any:
    # The order of people's own names is not kept by the database.
    return {label: value[label] for label in sorted(value)} if name == "labels" else value


def _dump(documents: list[dict[str, Any]], *, flow: bool, width: int) -> str:
    return yaml.dump_all(
        documents,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=flow,
        width=width,
    )


class _Dumper(yaml.SafeDumper):
    """Lists are indented below their field, texts of several lines are blocks."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """True: people read every value where it belongs."""
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        # Inside braces a text of several lines would be folded, and look like several fields.
        quoted = _BREAKS.search(text) or (self.default_flow_style and "\n" in text)
        style = '"' if quoted else "|" if "\n" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _Dumper.represent_text)
