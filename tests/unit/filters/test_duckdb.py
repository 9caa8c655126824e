"""The DuckDB expression and the predicate agree on random conditions and events."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaldesk import filters
from signaldesk.filters.letters import lower, upper
from tests.support.examples import examples
from tests.unit.filters.history import COLUMNS, judged, open_history, valued
from tests.unit.filters.interpreter import Event, Node, kind, truth, value
from tests.unit.filters.strategies import conditions, events, values
from tests.unit.filters.writing import plainly, write, write_value


@pytest.fixture(scope="module")
def history() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_history() as connection:
        yield connection


@examples(80)
@given(condition=conditions, some_events=st.lists(events, min_size=1, max_size=6))
def test_the_duckdb_expression_is_what_the_condition_is_null_included(
    history: duckdb.DuckDBPyConnection, condition: Node, some_events: list[Event]
) -> None:
    parsed = filters.parse(write(condition, plainly))
    [found] = judged(history, [parsed.tree], some_events)
    assert found == [truth(condition, event) for event in some_events]
    assert [answer is True for answer in found] == [parsed.predicate(*event) for event in some_events]


@examples(80)
@given(expression=values, some_events=st.lists(events, min_size=1, max_size=6))
def test_a_value_is_the_same_live_and_in_duckdb_for_every_kind(
    history: duckdb.DuckDBPyConnection, expression: Node, some_events: list[Event]
) -> None:
    parsed = filters.parse_value(write_value(expression, plainly))
    live = [parsed.value(*event) for event in some_events]
    expected = [value(expression, event) for event in some_events]
    assert live == [one if kind(one) else None for one in expected]
    kinds = {filters.Kind.NUMBER: "number", filters.Kind.TEXT: "text", filters.Kind.BOOLEAN: "boolean"}
    columns = valued(history, [parsed.sql(one, COLUMNS) for one in kinds], some_events)
    for name, column in zip(kinds.values(), columns, strict=True):
        assert column == [
            (float(one) if name == "number" else one) if kind(one) == name else None for one in expected
        ]


@pytest.mark.parametrize("change", [lower, upper])
def test_case_is_duckdbs_for_every_code_point(
    history: duckdb.DuckDBPyConnection, change: Callable[[str], str]
) -> None:
    theirs = history.execute(
        f"SELECT n::INT, {change.__name__}(chr(n::INT)) AS changed FROM range(1, 1114112) AS r (n) "
        "WHERE n NOT BETWEEN 55296 AND 57343 AND changed <> chr(n::INT)"
    ).fetchall()
    ours: list[tuple[int, str]] = []
    for codes in ([*range(1, 128)], [*range(128, 55296), *range(57344, 1114112)]):
        changed = zip(codes, change("".join(map(chr, codes))), strict=True)
        ours += [(code, letter) for code, letter in changed if letter != chr(code)]
    assert ours == sorted(theirs)
