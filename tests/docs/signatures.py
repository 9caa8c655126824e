"""What type checkers and editors know of the constructors of rules, made of the kinds' parameters.

`python -m tests.docs` writes it; a test says when it is out of date.
"""

from __future__ import annotations

from inspect import signature
from textwrap import wrap
from typing import Any

from signaldesk.backtest import constructors
from signaldesk.backtest.rule import Rule
from signaldesk.model import rule as model
from signaldesk.rules import document
from tests.docs.pages import ROOT

FILE = ROOT / "signaldesk" / "backtest" / "constructors.py"
_HEAD = '''"""{doc}"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, SupportsFloat, SupportsIndex

if TYPE_CHECKING:
    from signaldesk.backtest.rule import Rule

    Whole = int | SupportsIndex  # NumPy's as well
    Number = float | SupportsFloat
    Duration = str | Number | timedelta


class Constructors(type):
    """{of_class}"""

    if TYPE_CHECKING:
'''
_PLAIN = {"string": "str", "integer": "Whole", "number": "Number", "boolean": "bool", "null": "None"}


def text() -> str:
    """The whole module."""
    head = _HEAD.format(doc=constructors.__doc__, of_class=constructors.Constructors.__doc__)
    return head + "".join(map(_constructor, sorted(document.kinds())))


def _constructor(kind: str) -> str:
    condition = document.kinds()[kind].condition
    known: dict[str, str] = {}
    for fields in (model.Rule, condition):
        schema = fields.model_json_schema(by_alias=False)
        for name, one in schema["properties"].items():
            default = "" if fields is condition and name in schema.get("required", ()) else " = ..."
            known[name] = f"{name}: {_type(one, schema.get('$defs', {}))}{default}"
    event, *names = signature(getattr(Rule, kind)).parameters
    listed = "".join(f"            {known[name]},\n" for name in names)
    words = wrap(" ".join((condition.__doc__ or "").split()), 110 - 12 - 6)
    doc = "\n            ".join(words)
    return (
        f"\n        def {kind}(\n            cls,\n            {known[event]},\n            *,\n{listed}"
        f'        ) -> Rule:\n            """{doc}"""\n            ...\n'
    )


def _type(schema: dict[str, Any], shared: dict[str, Any]) -> str:
    """As which Python takes what JSON calls that."""
    if "$ref" in schema:
        schema = shared[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(one, shared) for one in schema["anyOf"]))
    if values := schema.get("enum"):
        return f"Literal[{', '.join(map(_quoted, values))}]"
    if schema.get("title") in ("Duration", "Repeat"):
        return "Duration"
    if schema["type"] == "array":
        return f"Sequence[{_type(schema['items'], shared)}]"
    if schema["type"] == "object":
        return "Mapping[str, Any]"
    return _PLAIN[schema["type"]]


def _quoted(value: str) -> str:
    return f'"{value}"'
