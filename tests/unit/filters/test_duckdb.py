"""The DuckDB expression and the predicate agree on random conditions and events."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signaldesk import filters
from signaldesk.filters.like import fold
from tests.unit.filters.history import judged, open_history
from tests.unit.filters.interpreter import Event, Node, truth
from tests.unit.filters.strategies import conditions, events
from tests.unit.filters.writing import plainly, write


@pytest.fixture(scope="module")
def history() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_history() as connection:
        yield connection


@settings(max_examples=300, deadline=None)
@given(condition=conditions, some_events=st.lists(events, min_size=1, max_size=6))
def test_the_duckdb_expression_is_what_the_condition_is_null_included(
    history: duckdb.DuckDBPyConnection, condition: Node, some_events: list[Event]
) -> None:
    parsed = filters.parse(write(condition, plainly))
    [found] = judged(history, [parsed.tree], some_events)
    assert found == [truth(condition, event) for event in some_events]
    assert [answer is True for answer in found] == [parsed.predicate(*event) for event in some_events]


def test_lower_case_is_duckdbs_for_every_code_point(history: duckdb.DuckDBPyConnection) -> None:
    every = (
        "SELECT n::INT, lower(chr(n::INT)) FROM range(1, 1114112) AS r(n) WHERE n NOT BETWEEN 55296 AND 57343"
    )
    different = [code for code, lowered in history.execute(every).fetchall() if fold(chr(code)) != lowered]
    assert different == []
