"""Arithmetic on JSON numbers, the same live and in DuckDB: 64-bit floats, and NULL instead of infinity.

`+`, `-` and `%` of two whole numbers are exact before they become a float, so that ids and times in
nanoseconds, which no float holds, can be subtracted and divided into buckets. `plus` and `minus` are so
where the result has 64 bits.
"""

from __future__ import annotations

from math import fmod, isfinite

LARGEST = 1.7976931348623157e308
"""The largest finite float."""


def plus(one: int | float, other: int | float) -> float:
    """The sum as a float, perhaps infinite."""
    found = one + other
    if isinstance(found, int) and not -(2**63) <= found < 2**63:
        return float(one) + float(other)
    return float(found)


def minus(one: int | float, other: int | float) -> float:
    """The difference as a float, perhaps infinite."""
    found = one - other
    if isinstance(found, int) and not -(2**63) <= found < 2**63:
        return float(one) - float(other)
    return float(found)


def modulo(one: float, other: float) -> float:
    """What is left of a division that rounds towards zero: it has the sign of `one`. `other` is not 0."""
    if isinstance(one, int) and isinstance(other, int):
        rest = abs(one) % abs(other)
        return float(-rest if one < 0 else rest)
    return fmod(one, other)


def calculated(sign: str, one: float, other: float) -> float | None:
    """The result for two constants; None where it is NULL. Divisors are not 0."""
    match sign:
        case "+":
            found = plus(one, other)
        case "-":
            found = minus(one, other)
        case "*":
            found = float(one) * float(other)
        case "/":
            found = float(one) / float(other)
        case _:
            found = modulo(one, other)
    return found if isfinite(found) else None
