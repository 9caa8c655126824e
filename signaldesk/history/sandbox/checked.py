"""A statement that was looked through: one query, over the organisation's tables, that only reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import orjson

from signaldesk.history.sandbox import grammar
from signaldesk.history.sandbox.faults import NESTED, OverLimit, Refused, Wrong, place_of
from signaldesk.history.sandbox.limits import Limits

_QUERY_NODE = re.compile(r"[A-Z_]+_NODE")
_PIVOT = re.compile(r"\bPIVOT\b", re.IGNORECASE)
_SEES_ITSELF = {"RECURSIVE_CTE_NODE": "right", "CTE_NODE": "child"}
"""Kinds of queries that have a name, and the part of each in which the name is known."""

NOTHING = "there is no statement; write e.g. SELECT type, count(*) FROM events GROUP BY type"


def check(serialized: bytes, sql: str, tables: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """All parts of a statement that is fine, as `json_serialize_sql` gives it.

    Raises Refused, Wrong, OverLimit.
    """
    try:
        tree = orjson.loads(serialized)
    except orjson.JSONDecodeError:
        raise OverLimit(NESTED) from None
    if tree.get("error"):
        raise _unreadable(tree, sql)
    statements = tree["statements"]
    if len(statements) != 1:
        if not statements:
            raise Refused(NOTHING)
        raise Refused("one statement at a time: leave out what comes after the semicolon")
    parts = list(_parts(statements[0]))
    for part, common in parts:
        _check_part(part, sql, tables, common)
    return [part for part, _ in parts]


def check_length(sql: str, limits: Limits) -> None:
    """Raises Refused."""
    if len(sql) > limits.sql:
        raise Refused(f"the statement has {len(sql):,} characters; {limits.sql:,} are allowed")
    if not sql.strip().strip(";").strip():
        raise Refused(NOTHING)


def _unreadable(tree: Mapping[str, Any], sql: str) -> Exception:
    message = str(tree.get("error_message", ""))
    if tree.get("error_type") == "not implemented" or "Only SELECT" in message:
        if _PIVOT.search(sql):
            return Refused("PIVOT makes columns of values that it is given: write e.g. ON type IN ('a', 'b')")
        return Refused("only queries are answered here: a statement that begins with SELECT, FROM or WITH")
    if "expression depth" in message:
        return OverLimit(NESTED)
    line, column = place_of(sql, int(tree.get("position") or 0)) if tree.get("position") else (0, 0)
    return Wrong(message.removeprefix("Parser Error: ").strip(), line, column)


def _parts(root: dict[str, Any]) -> Iterator[tuple[dict[str, Any], frozenset[str]]]:
    """Every object of the tree, and the names that WITH has given there, in lower case.

    A stack instead of recursion, for the depth is the sender's choice.
    """
    waiting: list[tuple[Any, frozenset[str]]] = [(root, frozenset())]
    while waiting:
        one, common = waiting.pop()
        if isinstance(one, list):
            waiting.extend((inner, common) for inner in one)
        if not isinstance(one, dict):
            continue
        yield one, common
        for entry in _common_tables(one):  # each sees those before it
            waiting.append((entry["value"], common))
            common |= {str(entry["key"]).lower()}
        own = frozenset({str(one.get("cte_name", "")).lower()})
        sees_itself = _SEES_ITSELF.get(str(one.get("type")))
        waiting.extend(
            (inner, common | own if name == sees_itself else common)
            for name, inner in one.items()
            if name != "cte_map"
        )


def _common_tables(part: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What stands after WITH in this part of the tree."""
    entries = part.get("cte_map")
    return entries.get("map", ()) if isinstance(entries, dict) else ()


def _check_part(
    part: Mapping[str, Any], sql: str, tables: Mapping[str, Sequence[str]], common: frozenset[str]
) -> None:
    kind = part.get("type")
    if "class" in part:
        _check_expression(part, sql)
    elif isinstance(kind, str):
        if kind == "BASE_TABLE":
            _check_table(part, sql, tables, common)
        elif kind == "TABLE_FUNCTION":
            _check_table_function(part, sql)
        elif _QUERY_NODE.fullmatch(kind) and kind not in grammar.NODES:
            raise Refused("only queries are answered here; this one would change something")
        elif kind == "SHOW_REF":
            raise Refused("DESCRIBE, SHOW and SUMMARIZE are not answered here; SELECT * FROM … LIMIT 1 is")
        elif "sample" in part and kind not in grammar.NODES | grammar.TABLES:
            raise Refused(f"{kind.lower()} in FROM is not answered here")


def _check_expression(part: Mapping[str, Any], sql: str) -> None:
    kind = str(part["class"])
    if kind == "PARAMETER":
        raise Refused(f"there are no values for parameters; write the value itself{_at(part, sql)}")
    if kind not in grammar.EXPRESSIONS:
        raise Refused(f"{kind.lower()} expressions are not answered here{_at(part, sql)}")
    if kind in ("FUNCTION", "WINDOW"):
        _check_function(part, sql)


def _check_function(part: Mapping[str, Any], sql: str) -> None:
    name = str(part.get("function_name", "")).lower()
    if name in grammar.FORBIDDEN or name.startswith(grammar.FORBIDDEN_PREFIXES):
        raise Refused(f"the function {name} is not allowed here{_at(part, sql)}")


def _check_table_function(part: Mapping[str, Any], sql: str) -> None:
    name = str(part["function"].get("function_name", "")).lower()
    if name not in grammar.TABLE_FUNCTIONS:
        known = ", ".join(sorted(grammar.TABLE_FUNCTIONS))
        raise Refused(f"{name or 'this'} cannot be read from; functions that can are {known}{_at(part, sql)}")


def _check_table(
    part: Mapping[str, Any], sql: str, tables: Mapping[str, Sequence[str]], common: frozenset[str]
) -> None:
    name = str(part.get("table_name", ""))
    qualified = part.get("catalog_name") or part.get("schema_name")
    if part.get("at_clause"):
        raise Refused(f"AT is not answered here{_at(part, sql)}")
    if not qualified and (name.lower() in common or name.lower() in tables):
        return
    shown = f"{part.get('schema_name')}.{name}" if qualified else name
    near = get_close_matches(name.lower(), [*tables, *sorted(common)], n=1)
    meant = f", did you mean {near[0]}? There are" if near else "; there are"
    raise Refused(f"there is no table {shown[:60]!r}{meant} {', '.join(tables)}{_at(part, sql)}")


def _at(part: Mapping[str, Any], sql: str) -> str:
    location = part.get("query_location")
    if not isinstance(location, int) or location > len(sql.encode()):
        return ""
    line, column = place_of(sql, location)
    return f" (line {line}, column {column})"
