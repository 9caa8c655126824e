"""What is not in the language is refused, at its place, with what to write instead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaldesk import filters
from signaldesk.errors import FieldError, Invalid
from signaldesk.filters import InvalidFilter
from tests.support.examples import examples


def refusal(text: str) -> InvalidFilter:
    with pytest.raises(InvalidFilter) as caught:
        filters.parse(text)
    return caught.value


FOREIGN = [
    # text, where the caret belongs (marked by the first ‸ in it), what the error must speak of
    ("amount > 1‸; DROP TABLE events", "one condition"),
    ("amount > 1 ‸-- and more", "comments"),
    ("amount ‸/* hidden */ > 1", "comments"),
    ("amount ‸{# hidden #} > 1", "comments"),
    ("amount > 1 ‸# more", "comments"),
    ("id IN (‸SELECT id FROM users)", "subqueries"),
    ("EXISTS (‸SELECT 1)", "subqueries"),
    ("amount > ‸(SELECT", "never closed"),
    ("amount = 1 ‸UNION SELECT 2", "subqueries"),
    ("‸SELECT 1", "subqueries"),
    ("‸DROP TABLE events", "only looks"),
    ("‸CASE WHEN a THEN b END", "AND and OR"),
    ("CAST(amount ‸AS INT) = 1", "not cast"),
    ("amount‸::int = 1", "not cast"),
    ("‸lenght(country) = 2", "unknown function `lenght`, did you mean `length`?"),
    ("amount > ‸sleep(10)", "unknown function `sleep`"),
    ("a = ‸\"x\"(1)", "unknown function"),
    ("‸__class__ = 'x'", "__class__"),
    ("user.‸__dict__ = 'x'", "__dict__"),
    ('‸"__globals__".x = 1', "__globals__"),
    ("user[‸'__init__'] = 1", "__init__"),
    ("gr‸öße > 1", '"größe"'),
    ("‸аmount > 1", "cyrillic small letter a"),
    ("am‸\u200bount > 1", "zero width space"),
    ("amount > ‸“20”", "straight quotes"),
    ("amount‸\x00 > 1", "U+0000"),
    ("country = '‸\x00'", "U+0000"),
    ("country = '‸\ud800'", "U+D800"),
    ("country = '‸\x1b'", "U+001B"),
    ("country = ‸'DE", "never closed"),
    ('‸"country = 1', "never closed"),
    ("amount > ‸$1", "the value itself"),
    ("amount > ‸?", "the value itself"),
    ("amount > ‸@x", "the value itself"),
    ("amount > ‸:x", "path with dots"),
    ("amount > ‸{{ x }}", "IN (1, 2, 3)"),
    ("payload‸->>'x' = 1", "user.plan"),
    ("a ‸|| b = 'c'", "OR"),
    ("a = 1 ‸&& b = 2", "AND"),
    ("‸!a", "NOT"),
    ("country ‸~ 'D.*'", "regexp_matches"),
    ("‸`a b` = 1", "double quotes"),
    ("a = 'it\\'s‸'", "never closed"),
    ("‸* = 1", "cannot stand here"),
    ("a ‸|| b > 2", "OR"),
    ("a ‸// b > 2", "a / b"),
    ("a = ‸+b", "cannot stand here"),
    ("country ‸COLLATE nocase = 'de'", "code point"),
    ("‸timestamp AT TIME ZONE 'UTC' = 1", "UTC"),
    ("timestamp > ‸TIMESTAMP '2026-01-31'", "plain text"),
    ("timestamp > ‸INTERVAL '1 day'", "plain text"),
    ("a = ‸N'x'", "not part of a filter"),
    ("a = E‸'x'", "missing before it"),
    ("a = 0‸x1F", "missing before it"),
    ("(‸a, b) = (1, 2)", "one value at a time"),
    ("a = [‸1, 2]", "IN (1, 2, 3)"),
    ("‸a IS DISTINCT FROM b", "<>"),
    ("a[1‸:2] = 1", "dots"),
]  # fmt: skip

UNFINISHED = [
    ("‸", "empty"),
    ("amount >‸", "ends too early"),
    ("amount > 1 AND‸  ", "ends too early"),
    ("NOT‸", "ends too early"),
    ("amount > ‸> 1", "cannot stand here"),
    ("amount ‸=> 1", "did you mean >=?"),
    ("amount ‸=< 1", "did you mean <=?"),
    ("amount ‸<=> 1", "IS NULL"),
    ("amount > 1 ‸adn b < 2", "did you mean AND?"),
    ("amount > 1 AND ‸OR b < 2", "cannot stand here"),
    ("country ‸lik 'D%'", "did you mean LIKE?"),
    ("country ‸isnull", "IS NULL"),
    ("amount = 1 ‸b", "missing before it"),
    ("‸(amount = 1", "never closed"),
    ("amount = 1‸)", "closes nothing"),
    ("items[0‸) = 1", "closes nothing"),
    ("‸()", "condition"),
    ("a IN (1,‸, 2)", "cannot stand here"),
    ("a IN (1, ‸)", "cannot stand here"),
    ("a IN (1 ‸2)", "missing before it"),
    ("‸a IN ()", "empty"),
    ("‸a IN b", "list of values"),
    ("a BETWEEN 1 ‸2", "missing before it"),
    ("a BETWEEN 1 AND‸", "ends too early"),
    ("user.‸", "ends too early"),
    ("user.‸.plan = 1", "user.plan"),
    ("user.‸in = 1", '"in"'),
    ("‸in = 1", '"in"'),
    ("a = ‸.5", "0.5"),
    ("items.‸0 = 1", "user.plan"),
]

SENSELESS = [
    ("amount = ‸NULL", "IS NULL"),
    ("amount IN (1, ‸NULL)", "IS NULL"),
    ("a BETWEEN 1 AND ‸NULL", "IS NULL"),
    ("‸NULL IS NULL", "NULL"),
    ("‸5 IS NULL", "never NULL"),
    ("‸1 = 1", "one side must be a field"),
    ("‸'a' IN ('a', 'b')", "one side must be a field"),
    ("‸TRUE", "condition"),
    ("‸'yes'", "condition"),
    ("‸1 < a < 3", "a > 1 AND a < 3"),
    ("a = (‸b IS NULL)", "a condition stands where a value"),
    ("a IS ‸b", "IS stands before"),
    ("a IS ‸5", "IS stands before"),
    ("a IN (1, ‸'x')", "kinds"),
    ("type = ‸5", "never compares with text"),
    ("type IN ('a', ‸TRUE)", "never compares with text"),
    ("timestamp > ‸5", "'2026-01-31'"),
    ("timestamp > ‸'yesterday'", "'2026-01-31'"),
    ("timestamp > ‸'2026-02-30'", "'2026-01-31'"),
    ("timestamp > ‸'0001-01-01T00:00+05:00'", "'2026-01-31'"),
    ("timestamp > ‸'9999-12-31T23:59-05:00'", "'2026-01-31'"),
    ("‸timestamp > created", "moment"),
    ("‸created > timestamp", "moment"),
    ("‸type = timestamp", "moment"),
    ("‸timestamp LIKE '2026%'", "text field"),
    ("a LIKE ‸b", "must be text"),
    ("a LIKE ‸5", "must be text"),
    ("‸'x' LIKE a", "text field"),
    ("a LIKE ‸'x$' ESCAPE '$'", "escape character $"),
    ("‸a LIKE 'x' ESCAPE 'ab'", "one character"),
    ("a = 1 ‸ESCAPE 'b'", "cannot stand here"),
    ("‸type", "not a condition"),
    ("NOT ‸timestamp", "not a condition"),
    ("‸type.name = 'x'", "payload.type"),
    ("‸Type = 'x'", "payload.Type"),
    ("‸TIMESTAMP > '2026-01-31'", "payload.TIMESTAMP"),
    ("‸payload = 'x'", "payload.amount"),
    ("‸payload IS NULL", "payload.amount"),
    ("a = ‸1e400", "too large"),
    ("items[-‸1] = 1", "whole number"),
    ("items[‸1.5] = 1", "whole number"),
    ("items[‸b] = 1", "whole number"),
    ('‸"" = 1', "field name"),
]

CALCULATED = [
    ("upper(‸5) = 'x'", "`upper` takes text, not a number"),
    ("‸lower(a, b) = 'x'", "`lower` takes 1 value, not 2"),
    ("‸lower() = 'x'", "write lower(country)"),
    ("‸lower('ABC') = a", "does not look at the event"),
    ("a + ‸'1' > 2", "`+` takes a number, not text"),
    ("a + ‸lower(b) > 2", "`+` takes a number, not text"),
    ("‸timestamp - 5 > a", "epoch(timestamp)"),
    ("length(a) = ‸'x'", "never compares"),
    ("‸length(a) = lower(b)", "never compares"),
    ("a = (‸b > 1) + 1", "a comparison stands where a value"),
    ("a / ‸0 > 1", "division by zero"),
    ("a % (‸1 - 1) > 1", "division by zero"),
    ("a > ‸1e300 * 1e300", "too large"),
    ("‸a + 1", "not a condition"),
    ("‸lower(a)", "not a condition"),
    ("NOT ‸hour(timestamp)", "not a condition"),
    ("‸1 + 1 = 2", "one side must be a field"),
    ("‸coalesce(a) = 1", "takes 2 to 10 values"),
    ("coalesce(a, 1, ‸b) = 1", "never used"),
    ("coalesce(type, ‸'x') = 'y'", "never used"),
    ("coalesce(a, ‸timestamp) = 1", "never NULL"),
    ("‸hour(created) = 1", "the event's timestamp only"),
    ("‸hour() = 1", "the event's timestamp only"),
    ("hour(timestamp AT TIME ZONE ‸'Europe/Berln') = 1", "did you mean Europe/Berlin?"),
    ("hour(timestamp AT TIME ZONE ‸a) = 1", "a time zone is text"),
    ("‸epoch(timestamp AT TIME ZONE 'Europe/Berlin') = 1", "the event's timestamp only"),
    ("extract(hour‸, timestamp) = 1", "cannot stand here"),
    ("extract‸(hour FROM timestamp", "never closed"),
    ("‸hous(timestamp) = 1", "did you mean `hour`?"),
    ("regexp_matches(a, ‸b)", "written as text"),
    ("regexp_matches(a, ‸'(')", "missing )"),
    ("regexp_matches(a, ‸'(?=x)')", "no looking ahead"),
    ("regexp_matches(a, ‸'(x)\\1')", "no reference to a group"),
    ("regexp_matches(a, ‸'((x{100}){100}){100}')", "too large"),
    ("regexp_matches(a, ‸'\\p{Greek}')", "list the letters"),
    ("regexp_matches(a, ‸'(?<n>x)')", "(?P<name>"),
    ("‸ifnull(a, 1) = 1", "coalesce(a, b)"),
    ("‸count(a) > 1", "`when` counts"),
    ("user.‸lower(a) = 1", "not a path"),
    ("‸\"+\"(a, 1) > 2", "unknown function"),
]  # fmt: skip


@pytest.mark.parametrize(("marked", "about"), FOREIGN + UNFINISHED + SENSELESS + CALCULATED)
def test_the_error_is_at_the_fault_and_says_what_to_write_instead(marked: str, about: str) -> None:
    position, text = marked.index("‸"), marked.replace("‸", "", 1)
    error = refusal(text)
    assert error.position == position, error
    assert about in str(error)


def test_the_error_is_an_invalid_input_with_message_position_and_suggestion() -> None:
    error = refusal("amount > 1 adn b < 2")
    assert isinstance(error, Invalid)
    assert error.status == 422
    assert error.code == "invalid_filter"
    assert error.message == "`adn` cannot stand here"
    assert error.position == 11
    assert error.suggestion == "did you mean AND?"
    assert error.detail == "`adn` cannot stand here (at character 12); did you mean AND?"
    assert error.errors == (FieldError("where", error.detail),)


def test_all_faults_of_a_filter_are_told_at_once_in_their_order() -> None:
    text = "lenght(a) > 1 OR (b = NULL AND upper(5) = foo(c)) OR type IN ('x', 7) OR a > 1"
    error = refusal(text)
    assert [fault.message for fault in error.faults] == [
        "unknown function `lenght`, did you mean `length`?",
        "nothing equals NULL, not even NULL",
        "`upper` takes text, not a number",
        "unknown function `foo`",
        "a number never compares with text",
    ]
    assert [fault.position for fault in error.faults] == [
        text.index(word) for word in ("lenght", "NULL", "5", "foo", "7")
    ]
    assert len(error.errors) == 5
    assert all(one.field == "where" and "(at character" in one.message for one in error.errors)
    assert error.message == error.faults[0].message


def test_no_more_than_twenty_faults_are_told() -> None:
    assert len(refusal(" OR ".join(f"foo{n}(a)" for n in range(100))).errors) == 20


WORDS = [
    "a", "b.c", '"d e"', "type", "source", "timestamp", "payload", "and", "OR", "not", "in", "is", "null",
    "true", "like", "between", "escape", "select", "case", "lower", "(", ")", "[", "]", ",", ".", "=", "<>",
    "<", ">=", "-", "+", "*", ";", "--", "'x'", "'2026-01-31'", "1", "2.5", "1e999", "'", '"', "\\", "::",
    "+", "/", "%", "lower(", "coalesce(", "hour(", "extract(", "FROM", "AT TIME ZONE", "regexp_matches(a,",
    "{", "é", "\u0000", "\n", "$1", "?", "e'x'",
]  # fmt: skip


@examples(250)
@given(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join) | st.text(max_size=40))
def test_any_text_at_all_is_either_a_filter_or_refused_at_a_place_in_it(text: str) -> None:
    try:
        predicate = filters.parse(text).predicate
    except InvalidFilter as error:
        assert 0 <= error.position <= len(text)
        assert error.message
    else:
        assert predicate({"a": 1, "b": {"c": "x"}}, "t", None, 0) in (True, False)
