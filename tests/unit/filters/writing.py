"""An expression as text, in as many ways as people write: cases, spaces, quotes and needless parentheses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.unit.filters.interpreter import Node

Choose = Callable[[list[str]], str]
ATTRIBUTES = ("type", "source", "timestamp", "payload")
KEYWORDS = ("and", "or", "not", "in", "between", "like", "ilike", "escape", "is", "null", "true", "false")


def write(node: Node, choose: Choose) -> str:
    """The text of a condition; `choose` picks among spellings that mean the same."""
    return _spaced(_condition(node, choose), choose)


def write_value(node: Node, choose: Choose) -> str:
    """The text of a value."""
    return _spaced(_value(node, choose), choose)


def _spaced(text: str, choose: Choose) -> str:
    words = re.split(r"('(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"| )", text)
    return "".join(choose([" ", "  ", "\n", "\t "]) if word == " " else word for word in words)


def plainly(spellings: list[str]) -> str:
    return spellings[0]


def _condition(node: Node, choose: Choose) -> str:
    match node:
        case ("and" | "or" as word, parts):
            return f" {_keyword(word, choose)} ".join(f"({_condition(part, choose)})" for part in parts)
        case ("not", inner):
            return f"{_keyword('not', choose)} ({_condition(inner, choose)})"
        case ("is", inner, wanted):
            return f"({_condition(inner, choose)}) {_keyword('is', choose)} {_keyword(str(wanted), choose)}"
        case ("null", operand):
            return f"{_value(operand, choose)} {_keyword('is', choose)} {_keyword('null', choose)}"
        case ("truth", operand):
            return _value(operand, choose)
        case ("compare", sign, left, right):
            space = choose([" ", ""])
            spelled = choose({"<>": ["<>", "!="], "=": ["=", "=="]}.get(sign, [sign]))
            return f"{_value(left, choose)}{space}{spelled}{space}{_value(right, choose)}"
        case ("in", operand, items):
            listed = choose([", ", ","]).join(_value(item, choose) for item in items)
            return f"{_value(operand, choose)} {_keyword('in', choose)} ({listed})"
        case ("between", operand, low, high):
            range_text = f"{_value(low, choose)} {_keyword('and', choose)} {_value(high, choose)}"
            return f"{_value(operand, choose)} {_keyword('between', choose)} {range_text}"
        case ("like" | "ilike" as word, operand, pattern):
            return f"{_value(operand, choose)} {_keyword(word, choose)} {_text(pattern)}"
    raise AssertionError(node)


def _value(node: Node, choose: Choose) -> str:
    match node:
        case ("field", path):
            prefix = "payload." if path[0] in ATTRIBUTES else choose(["", "payload."])
            return prefix + _name(path[0], choose) + "".join(_part(part, choose) for part in path[1:])
        case ("attribute", name):
            return str(name)
        case ("moment", text):
            return _text(text)
        case ("constant", bool() as flag):
            return _keyword(str(flag), choose)
        case ("constant", str() as text):
            return _text(text)
        case ("constant", number):
            return repr(number)
    return _computed(node, choose)


def _computed(node: Node, choose: Choose) -> str:
    match node:
        case ("arithmetic", sign, left, right):
            return f"({_value(left, choose)} {sign} {_value(right, choose)})"
        case ("negative", inner):
            return f"(- {_value(inner, choose)})"
        case ("coalesce", parts):
            return _call("coalesce", parts, choose)
        case ("call", name, parts):
            return _call(name, parts, choose)
        case ("part", name, zone):
            moment = "timestamp" if zone == "UTC" else f"timestamp at time zone '{zone}'"
            spelled = [f"{_keyword(name, choose)}({moment})"]
            if not name.startswith("epoch"):
                spelled.append(f"extract({name} FROM {moment})")
            return choose(spelled)
    raise AssertionError(node)


def _call(name: str, parts: list[Node], choose: Choose) -> str:
    space = choose(["", " "])
    written = choose([", ", ","]).join(_value(part, choose) for part in parts)
    return f"{choose([name, name.upper()])}({space}{written}{space})"


def _part(part: Any, choose: Choose) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    return choose([f".{_name(part, choose)}", f"[{_text(part)}]"])


def _name(name: str, choose: Choose) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    bare = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.lower() not in KEYWORDS
    return choose([name, quoted]) if bare else quoted


def _keyword(word: str, choose: Choose) -> str:
    return choose([word.upper(), word.lower(), word.capitalize()])


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
