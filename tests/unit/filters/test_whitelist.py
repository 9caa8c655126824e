"""The tree is made from known nodes with known arguments only, whatever the parser may learn to return."""

from __future__ import annotations

import pytest
from sqlglot import exp, parse_one

from signaldesk.filters import InvalidFilter
from signaldesk.filters.build import build


@pytest.mark.parametrize(
    "sql",
    [
        "a BETWEEN SYMMETRIC 1 AND 2",
        "a IN (SELECT 1)",
        "a IN UNNEST(b)",
        "a LIKE ANY ('x', 'y')",
        "a = b COLLATE x",
        "a = CAST(b AS INT)",
        "a = CURRENT_TIMESTAMP",
        "a = CASE WHEN b THEN 1 END",
        "lower(a) = 'x'",
        "a = (SELECT 1)",
        "EXISTS(SELECT 1)",
        "a = :p",
        "a = b.*",
        "a AND b + 1",
        "a -> 'b' = 1",
        "a = INTERVAL '1' DAY",
    ],
)
def test_what_a_full_sql_parser_returns_for_more_than_a_filter_is_refused(sql: str) -> None:
    with pytest.raises(InvalidFilter):
        build(parse_one(sql, into=exp.Condition))


def test_an_argument_that_a_known_node_does_not_have_today_is_refused() -> None:
    for sql in ("a = 1", "a AND b", "NOT a", "a IN (1)", "a LIKE 'x'", "a IS NULL", "a BETWEEN 1 AND 2"):
        node = parse_one(sql, into=exp.Condition)
        build(node.copy())
        node.set("modifier", exp.Literal.number(1))
        with pytest.raises(InvalidFilter):
            build(node)


def test_statements_are_refused() -> None:
    for sql in ("SELECT 1", "DROP TABLE a", "INSERT INTO a VALUES (1)"):
        with pytest.raises(InvalidFilter):
            build(parse_one(sql))
