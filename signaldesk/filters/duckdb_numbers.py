"""JSON numbers compared exactly in DuckDB, which by itself rounds an integer to compare it with a float."""

from __future__ import annotations

import math

from signaldesk.filters.tree import Operator

EXACT = 2**53
"""Below this, comparing as floats is exact: an integer is rounded only beyond it, and never to below it."""

_HUGE = "1e38"
"""Floats from here on are the rest alone: beyond it a HUGEINT ends, and integers of 64 bits long before."""


def compare_number(json_type: str, text: str, operator: Operator, constant: int | float) -> str:
    """`value OP constant` for the JSON value with this type and text (SQL); NULL for what is no number."""
    as_float = f"TRY_CAST({text} AS DOUBLE)"
    if abs(constant) < EXACT:
        return (
            f"(CASE WHEN {json_type} IN ('BIGINT', 'UBIGINT', 'DOUBLE')"
            f" THEN {as_float} {operator} {double(float(constant))} END)"
        )
    return (
        f"(CASE {json_type}"
        f" WHEN 'DOUBLE' THEN {compare_float(as_float, operator, constant)}"
        f" WHEN 'BIGINT' THEN {_integer_against(text, operator, constant)}"
        f" WHEN 'UBIGINT' THEN {_integer_against(text, operator, constant)} END)"
    )


def number_key(json_type: str, text: str) -> str:
    """A struct that compares as the JSON number itself does: its whole part, then the rest."""
    return (
        f"(CASE {json_type} WHEN 'DOUBLE' THEN {whole_and_rest(f'TRY_CAST({text} AS DOUBLE)')}"
        f" ELSE {{'whole': TRY_CAST({text} AS HUGEINT), 'rest': 0::DOUBLE}} END)"
    )


def whole_and_rest(value: str) -> str:
    """The same struct for a finite DOUBLE."""
    whole = f"CAST(floor(greatest(least({value}, {_HUGE}), -{_HUGE})) AS HUGEINT)"
    rest = f"CASE WHEN abs({value}) < {_HUGE} THEN {value} - floor({value}) ELSE {value} END"
    return f"{{'whole': {whole}, 'rest': {rest}}}"


def _integer_against(text: str, operator: Operator, constant: int | float) -> str:
    """A 64-bit integer against a constant of at least 2**53, which as a float is whole."""
    bounded = max(-(2**65), min(2**65, int(constant)))  # beyond any 64-bit integer nothing changes any more
    return f"TRY_CAST({text} AS HUGEINT) {operator} {bounded}::HUGEINT"


def compare_float(value: str, operator: Operator, constant: int | float) -> str:
    """A float against a constant; for an integer that no float equals, against its neighbours."""
    near = float(constant)
    if near == constant:
        return f"{value} {operator} {double(near)}"
    below = near if near < constant else math.nextafter(near, -math.inf)
    above = math.nextafter(below, math.inf)
    match operator:
        case "=" | "<>":
            return "false" if operator == "=" else "true"
        case "<" | "<=":
            return f"{value} <= {double(below)}"
        case _:
            return f"{value} >= {double(above)}"


def double(value: float) -> str:
    """A finite float as a literal."""
    return f"'{value!r}'::DOUBLE"
