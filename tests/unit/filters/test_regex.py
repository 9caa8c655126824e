"""Regular expressions: one syntax, one answer live and in DuckDB, and no pattern that takes long."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from signaldesk.filters.regex import MAX_REGEX, BadRegex, check, for_duckdb, searcher
from tests.support.effort import at_most
from tests.support.examples import examples
from tests.unit.filters.history import open_history

LETTERS = ["a", "b", "A", "é", "ß", "ſ", "K", "σ", "0", "_", " ", "\n", "\\.", "\\\\", "'"]
CLASSES = [
    ".",
    "\\d",
    "\\D",
    "\\w",
    "\\W",
    "\\s",
    "[ab]",
    "[^a]",
    "[a-z]",
    "[[:alpha:]]",
    "[^é\\d]",
    "\\x{e9}",
]
PLACES = ["^", "$", "\\b", "\\B", "\\A", "\\z", ""]
FLAGS = ["(?i)", "(?s)", "(?m)", "(?U)", "(?i-s:", "(?:", "(", "(?P<n>"]
atoms = st.sampled_from(LETTERS + CLASSES + PLACES)
patterns = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.tuples(inner, inner).map("|".join),
        st.tuples(st.sampled_from(FLAGS), inner).map(
            lambda pair: "".join(pair) + ("" if pair[0].endswith(")") else ")")
        ),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{0,2}", "{2}", "*?", "+?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=6,
)
texts = st.text(st.sampled_from("abAéÉßſK\u212aσςΣ01_ \n.'\\"), max_size=6)


@pytest.fixture(scope="module")
def history() -> Iterator[duckdb.DuckDBPyConnection]:
    with open_history() as connection:
        yield connection


@examples(80)
@example(pattern="^^", some=["0"])
@example(pattern="$a|a$$", some=["a", "$a"])
@given(pattern=patterns, some=st.lists(texts, min_size=1, max_size=8))
def test_a_pattern_that_is_accepted_matches_the_same_texts_live_and_in_duckdb(
    history: duckdb.DuckDBPyConnection, pattern: str, some: list[str]
) -> None:
    try:
        check(pattern)
    except BadRegex:
        return
    quoted = "'" + for_duckdb(pattern).replace("'", "''") + "'"
    rows = history.execute(f"SELECT regexp_matches(unnest(?::TEXT[]), {quoted})", [some]).fetchall()
    matches = searcher(pattern)
    assert [bool(matches(text)) for text in some] == [found for (found,) in rows]


@pytest.mark.parametrize("pattern", ["\\pL", "[\\p{Greek}a]", "a\\PNb", "\\C", "\\Qa", "(?<n>a)", "\\\\\\pN"])
def test_what_the_two_releases_read_differently_is_refused(pattern: str) -> None:
    with pytest.raises(BadRegex) as caught:
        check(pattern)
    assert caught.value.suggestion


@pytest.mark.parametrize("pattern", ["\\\\pL", "\\\\\\\\C", "(?P<n>a)", "x" * MAX_REGEX])
def test_what_only_looks_like_it_is_accepted(pattern: str) -> None:
    check(pattern)


@pytest.mark.parametrize("pattern", ["x" * 501, "(a{1000}){1000}", "((a{30}){30}){30}", "a{1001}"])
def test_a_pattern_that_is_too_large_is_refused(pattern: str) -> None:
    with pytest.raises(BadRegex, match=r"too large|at most"):
        check(pattern)


@pytest.mark.parametrize(
    "pattern", ["(a*)*b", "(a|aa)+$b", "(.*)(.*)(.*)(.*)x", "(x+x+)+y", "(a?){99}a{99}b"]
)
def test_no_accepted_pattern_makes_a_large_text_slow(pattern: str) -> None:
    check(pattern)
    matches = searcher(pattern)
    with at_most(2.0):
        assert not matches("a" * 2**20)
