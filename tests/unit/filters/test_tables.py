"""Every operator on every pair of awkward values: interpreter, predicate and DuckDB give one answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import duckdb
import orjson
import pytest

from signaldesk import filters
from tests.unit.filters.history import judged, open_history
from tests.unit.filters.interpreter import OPERATORS, Event, Node, truth
from tests.unit.filters.strategies import FLOATS, TEXTS, WHOLE
from tests.unit.filters.writing import plainly, write

NEIGHBOURS = [
    2**53 - 1,
    2**53 + 2,
    -(2**53),
    2**63,
    2**63 - 513,
    2.0**53 - 1,
    -(2.0**53),
    5e-324,
    1.7976931348623157e308,
]
SCALARS: list[Any] = [True, False, *WHOLE, *FLOATS, *NEIGHBOURS, *TEXTS]
BEYOND = [2**64, 2**64 + 1, -(2**63) - 1, 10**30, 10**30 + 1, -(10**308)]
VALUES: list[Any] = [*SCALARS, *BEYOND, None, [], [1], {}, {"a": 1}]
CONSTANTS: list[Any] = [*SCALARS, *BEYOND]
FIELD = ("field", ("a",))
PATTERNS = [
    "",
    "%",
    "_",
    "a",
    "A",
    "a%",
    "%a",
    "%a%",
    "a_%",
    "%_b",
    "_%_",
    "%a%b%",
    "a\\%",
    "%\\",
    "i",
    "%σ%",
    "Α_",
    "é",
]


@pytest.fixture(scope="module")
def history() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_history() as connection:
        yield connection


def event(**payload: Any) -> Event:
    return Event(payload, "a", None, 0)


def check(history: duckdb.DuckDBPyConnection, conditions: list[Node], events: list[Event]) -> None:
    parsed = [filters.parse(write(condition, plainly)) for condition in conditions]
    in_history = judged(history, [one.tree for one in parsed], events)
    decoded = [given._replace(payload=orjson.loads(json.dumps(given.payload))) for given in events]
    for condition, one, column in zip(conditions, parsed, in_history, strict=True):
        expected = [truth(condition, given) for given in decoded]
        live = [one.predicate(*given) for given in decoded]
        assert live == [answer is True for answer in expected], one.canonical
        assert column == expected, one.canonical


@pytest.mark.parametrize("sign", OPERATORS)
def test_a_field_compares_with_a_constant_alike_everywhere(
    history: duckdb.DuckDBPyConnection, sign: str
) -> None:
    conditions: list[Node] = [("compare", sign, FIELD, ("constant", constant)) for constant in CONSTANTS]
    check(history, conditions, [event(a=value) for value in VALUES] + [event()])


@pytest.mark.parametrize("sign", OPERATORS)
def test_a_field_compares_with_another_field_alike_everywhere(
    history: duckdb.DuckDBPyConnection, sign: str
) -> None:
    conditions: list[Node] = [("compare", sign, FIELD, ("field", ("b",)))]
    check(history, conditions, [event(a=one, b=other) for one, other in product(VALUES, VALUES)])


@pytest.mark.parametrize("sign", "+-*/%")
def test_two_fields_are_calculated_alike_everywhere(history: duckdb.DuckDBPyConnection, sign: str) -> None:
    result: Node = ("arithmetic", sign, FIELD, ("field", ("b",)))
    conditions: list[Node] = [
        ("null", result),
        ("compare", "=", ("field", ("c",)), result),
        ("compare", ">", ("arithmetic", "*", result, ("constant", 3)), ("constant", 0.5)),
        ("compare", "<=", ("arithmetic", "/", ("constant", 1), result), ("constant", 1e-9)),
    ]
    numbers = [value for value in VALUES if isinstance(value, (int, float))]
    pairs = [*product(numbers, numbers), *product(VALUES, [1]), *product([1.5], VALUES)]
    check(history, conditions, [event(a=one, b=other, c=1) for one, other in pairs])


def test_a_field_is_looked_up_in_a_list_alike_everywhere(history: duckdb.DuckDBPyConnection) -> None:
    lists: list[list[Any]] = [[True], WHOLE, FLOATS, NEIGHBOURS, TEXTS, [2**53 + 1], [2**64 + 1, 0.1]]
    conditions: list[Node] = [("in", FIELD, [("constant", item) for item in items]) for items in lists]
    check(history, conditions, [event(a=value) for value in VALUES])


@pytest.mark.parametrize("word", ["like", "ilike"])
def test_a_pattern_matches_alike_everywhere(history: duckdb.DuckDBPyConnection, word: str) -> None:
    conditions: list[Node] = [(word, FIELD, pattern) for pattern in PATTERNS]
    check(history, conditions, [event(a=value) for value in [*VALUES, "aab", "xaxbx", "a\nb", "ΑΣ", "xyz"]])


@pytest.mark.parametrize("wanted", [True, False])
def test_null_and_truth_are_asked_alike_everywhere(history: duckdb.DuckDBPyConnection, wanted: bool) -> None:
    conditions: list[Node] = [
        ("null", FIELD),
        ("truth", FIELD),
        ("is", ("truth", FIELD), wanted),
        ("not", ("is", ("compare", "=", FIELD, ("constant", 1)), wanted)),
    ]
    check(history, conditions, [event(a=value) for value in VALUES] + [event()])


def test_three_truths_combine_as_in_sql(history: duckdb.DuckDBPyConnection) -> None:
    """All nine pairs of true, false and NULL, under AND, OR, NOT and both ways of asking IS."""
    one: Node = ("truth", FIELD)
    other: Node = ("truth", ("field", ("b",)))
    pairs: list[Node] = [("and", [one, other]), ("or", [one, other])]
    negated: list[Node] = [("not", pair) for pair in pairs]
    asked: list[Node] = [("is", inner, wanted) for inner in pairs + negated for wanted in (True, False)]
    conditions = pairs + negated + asked + [("not", inner) for inner in asked]
    truths: list[bool | None] = [True, False, None]
    check(history, conditions, [event(a=a, b=b) for a, b in product(truths, truths)])
