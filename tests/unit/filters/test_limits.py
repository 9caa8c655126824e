"""No text is too long, too deep or too wide for a clear error, and none takes long to be refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

import pytest

from signaldesk import filters
from signaldesk.filters import InvalidFilter
from signaldesk.filters.like import MAX_PATTERN, matcher
from signaldesk.filters.operands import MAX_TERMS, MAX_VALUE_DEPTH
from signaldesk.filters.order import MAX_DEPTH, MAX_PATH
from signaldesk.filters.scan import MAX_CHARACTERS
from tests.support.effort import at_most
from tests.unit.filters.history import judged, open_history
from tests.unit.filters.interpreter import Event

T = TypeVar("T")
A_SECOND = 1.0
"""Generous: the slowest of these takes a few hundredths of it."""

HUGE = {
    "ORs": " OR ".join(["a = 1"] * 50_000),
    "parentheses": "(" * 10_000 + "a = 1" + ")" * 10_000,
    "open parentheses": "(" * 3_999,
    "NOTs": "NOT " * 900 + "a",
    "minus signs": "a = " + "- " * 1_500 + "1",
    "short ORs": "a OR " * 780 + "a",
    "short ANDs in parentheses": "(a)AND" * 660 + "a",
    "path": "a" + ".b" * 1_900 + " = 1",
    "positions": "a" + "[0]" * 1_300 + " = 1",
    "brackets": "a" + "[" * 3_000,
    "numbers": "a IN (" + "1," * 1_900 + "1",
    "digits": "a = " + "9" * 3_900,
    "exponent": "a = 1e" + "9" * 3_900,
    "quotes": "a = " + "'" * 3_901,
    "quoted names": '"' * 3_999,
    "comments": "/*" * 1_900,
    "functions": "f(" * 1_300,
    "comparisons": "a" + "=a" * 1_900,
    "BETWEENs": "a BETWEEN " * 390,
    "empty calls": "f() = " * 600,
    "sums": "a" + "+a" * 1_900 + " > 1",
    "products in parentheses": "(" * 19 + "a" + "*a)" * 19 + "*a" * 1_900 + " > 1",
    "alternatives": "coalesce(" + "a," * 1_900 + "1) = 1",
    "functions of functions": "lower(" * 600 + "a" + ")" * 600 + " = 'x'",
}  # fmt: skip


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE.keys())
def test_a_huge_filter_is_refused_soon_and_never_by_a_recursion_error(text: str) -> None:
    with at_most(A_SECOND), pytest.raises(InvalidFilter):
        filters.parse(text)


def test_a_filter_of_the_greatest_depth_is_read_even_far_down_the_callers_stack() -> None:
    text = "(" * MAX_DEPTH + "a = 1" + ")" * MAX_DEPTH
    assert at_depth(350, lambda: filters.parse(text).canonical) == "a = 1"
    with pytest.raises(InvalidFilter, match="nested more than"):
        filters.parse(f"({text})")


def test_a_caller_without_stack_left_gets_an_error_of_ours() -> None:
    text = "(" * MAX_DEPTH + "a = 1" + ")" * MAX_DEPTH
    spare = 250  # less than the parser needs for this text, more than the error does

    def parse_near_the_end() -> None:
        with pytest.raises(InvalidFilter, match="too deep"):
            filters.parse(text)

    at_depth(sys.getrecursionlimit() - stack_height() - spare, parse_near_the_end)


def test_negations_count_as_depth_together_with_parentheses() -> None:
    half = MAX_DEPTH // 2
    assert filters.parse("NOT (" * half + "a" + ")" * half).canonical == "a"
    with pytest.raises(InvalidFilter, match="nested more than"):
        filters.parse("NOT (" * (half + 1) + "a" + ")" * (half + 1))


def test_neighbours_do_not_count_as_depth() -> None:
    filters.parse(" AND ".join(["NOT (a = -1)"] * 50))


def test_the_longest_text_is_read_and_one_more_character_is_refused_at_the_limit() -> None:
    text = "a = '" + "x" * (MAX_CHARACTERS - 6) + "'"
    assert filters.parse(text).text == text
    with pytest.raises(InvalidFilter) as caught:
        filters.parse(text + " ")
    assert caught.value.position == MAX_CHARACTERS


def test_the_most_comparisons_are_read_and_one_more_is_refused_where_it_stands() -> None:
    most = " OR ".join(["a = 1"] * MAX_TERMS)
    assert filters.parse(most).predicate({"a": 1}, "t", None, 0)
    with pytest.raises(InvalidFilter) as caught:
        filters.parse(f"{most} OR b = 1")
    assert caught.value.position == len(most) + len(" OR ")


def test_constants_of_a_list_are_not_comparisons() -> None:
    text = f"a IN ({', '.join(map(str, range(700)))})"
    assert filters.parse(text).predicate({"a": 699}, "t", None, 0)


def test_the_longest_path_is_read_and_one_more_part_is_refused() -> None:
    longest = ".".join(["a"] * MAX_PATH)
    assert filters.parse(f"{longest} = 1").fields == {("a",) * MAX_PATH}
    with pytest.raises(InvalidFilter, match="at most"):
        filters.parse(f"{longest}.a = 1")


def test_the_deepest_and_widest_filters_compile() -> None:
    inside = " AND ".join(["a.b.c.d.e = 'x'"] * 40)
    filters.parse("NOT (b OR (" * 6 + inside + "))" * 6)


def test_the_most_operations_inside_one_another_are_read_and_judged_on_both_sides() -> None:
    deepest = "a" + " + a" * MAX_VALUE_DEPTH + " > 1"
    nested = "a" + " / (a" * (MAX_DEPTH - 1) + ")" * (MAX_DEPTH - 1) + " > 0"
    alternatives = "a"
    for _ in range(MAX_DEPTH // 2 - 1):
        alternatives = f"lower(coalesce(b, {alternatives}))"
    event = Event({"a": 1.0}, "t", None, 0)
    some = [filters.parse(text) for text in (deepest, nested, f"{alternatives} = c", f"a * {nested}")]
    with open_history() as history:
        answers = judged(history, [one.tree for one in some], [event])
    assert [answer is True for [answer] in answers] == [one.predicate(*event) for one in some]
    with pytest.raises(InvalidFilter, match="inside one another"):
        filters.parse(f"a + {deepest}")


@pytest.mark.parametrize(
    "pattern",
    ["%" + "a" * 98 + "_" + "a" * 98 + "b%", "%a" * 99 + "%b", "%" + "a_" * 98 + "b%", "%_a" * 60 + "b"],
)
def test_no_pattern_makes_a_large_text_slow(pattern: str) -> None:
    matches = matcher(pattern)
    with at_most(2 * A_SECOND):
        assert not matches("a" * 2**20)


def test_a_pattern_that_is_too_long_is_refused() -> None:
    filters.parse(f"a LIKE '{'x' * MAX_PATTERN}'")
    with pytest.raises(InvalidFilter, match="a pattern has at most"):
        filters.parse(f"a LIKE '{'x' * (MAX_PATTERN + 1)}'")


def at_depth(frames: int, call: Callable[[], T]) -> T:
    """What the call gives from so many frames further down."""
    return call() if frames <= 0 else at_depth(frames - 1, call)


def stack_height() -> int:
    frame, height = sys._getframe(), 0
    while frame := frame.f_back:  # type: ignore[assignment]
        height += 1
    return height
