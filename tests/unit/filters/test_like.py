"""LIKE and ILIKE, against their definition and at their edges."""

from __future__ import annotations

from itertools import product

import pytest

from signaldesk import filters
from signaldesk.filters.letters import lower
from signaldesk.filters.like import BadPattern, matcher
from tests.unit.filters import interpreter


def words(letters: str, longest: int) -> list[str]:
    return ["".join(word) for length in range(longest + 1) for word in product(letters, repeat=length)]


def test_every_short_pattern_matches_every_short_text_as_defined() -> None:
    texts = words("ab", 4)
    for pattern in words("ab%_", 4):
        matches = matcher(pattern)
        for text in texts:
            assert matches(text) is interpreter.like(text, pattern), (text, pattern)


@pytest.mark.parametrize(
    ("pattern", "escape", "text", "answer"),
    [
        ("100$%", "$", "100%", True),
        ("100$%", "$", "1000", False),
        ("a$_b", "$", "a_b", True),
        ("a$_b", "$", "axb", False),
        ("a$$%", "$", "a$z", True),
        ("%%", "%", "%", True),
        ("%%", "%", "a", False),
        ("a\\_", None, "a\\x", True),
        ("_", None, "👍", True),
        ("_", None, "👍🏽", False),
        ("a%b", None, "a\nb", True),
        ("a_b", None, "a\nb", True),
        ("a.c", None, "abc", False),
        ("%[a]%", None, "x[a]x", True),
    ],
)
def test_escapes_code_points_and_the_signs_of_regular_expressions(
    pattern: str, escape: str | None, text: str, answer: bool
) -> None:
    assert matcher(pattern, escape)(text) is answer


@pytest.mark.parametrize("pattern", ["$", "a$", "$a", "a$b%"])
def test_an_escape_character_that_escapes_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(BadPattern):
        matcher(pattern, "$")


def test_case_is_ignored_code_point_by_code_point() -> None:
    assert matcher("ÉCOLE%", ignore_case=True)("école normale")
    assert matcher("_X", ignore_case=True)("İx")
    assert not matcher("ας", ignore_case=True)("ΑΣ")
    assert lower("ΑΣ") == "ασ"


def test_only_text_matches_a_pattern_and_anything_else_is_null() -> None:
    like, unlike = filters.parse("a LIKE '%'").predicate, filters.parse("a NOT LIKE 'x'").predicate
    others: list[object] = [None, True, 1, 1.5, [], {}, ["a"]]
    for value in others:
        assert not like({"a": value}, "t", None, 0)
        assert not unlike({"a": value}, "t", None, 0)
    assert like({"a": ""}, "t", None, 0)
    assert unlike({"a": ""}, "t", None, 0)
