"""Regular expressions: RE2 live and RE2 in DuckDB, in the part of its syntax that both releases share.

RE2 takes time in proportion to the text, whatever the pattern; a pattern that would take much memory is
refused when the filter is saved.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import re2

MAX_REGEX = 500
"""Characters."""

_MEMORY = 1 << 20
"""Bytes a pattern may take when it is checked; a small part of what both sides have when they run it."""

# Escapes in pairs, so that `\\\\p` is a backslash and a p. Classes of Unicode differ between its versions,
# `\C` splits characters, `\Q` would quote what `for_duckdb` adds, and DuckDB's release does not know the name
# of a group in angle brackets alone.
_FOREIGN = re.compile(r"\\(?P<escape>.)|(?P<name>\(\?<(?![=!]))", re.DOTALL)
_HINTS = {
    "p": "classes of Unicode are not the same everywhere; list the letters: [a-zà-ÿ]",
    "P": "classes of Unicode are not the same everywhere; list the letters: [^a-zà-ÿ]",
    "C": "write . for a character",
    "Q": "write a backslash before each sign that is meant as it is",
}


class BadRegex(ValueError):
    """What is wrong with a pattern, and what to write instead."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.suggestion = suggestion


def check(pattern: str) -> None:
    """Raises BadRegex for a pattern that is not accepted."""
    if len(pattern) > MAX_REGEX:
        raise BadRegex(f"a regular expression has at most {MAX_REGEX} characters")
    for found in _FOREIGN.finditer(pattern):
        if found["name"]:
            raise BadRegex("the name of a group is written (?P<name>…)", "or leave the name out: (…)")
        if found["escape"] in _HINTS:
            raise BadRegex(f"\\{found['escape']} is not accepted", _HINTS[found["escape"]])
    try:
        re2.compile(pattern, _options(_MEMORY))
    except re2.error as error:
        raise BadRegex(*_explained(error)) from error


def searcher(pattern: str) -> Callable[[str], object]:
    """A function whose result is true where a text holds a match anywhere. The pattern is checked.

    A set of one: it says whether, not where, and so takes a fifth of the time.
    """
    only = re2.Set.SearchSet(_options(8 * _MEMORY))
    only.Add(pattern)
    only.Compile()
    return only.Match  # type: ignore[no-any-return]


def for_duckdb(pattern: str) -> str:
    """The pattern in a group, with the same matches.

    DuckDB before 2.0 rewrites simple patterns as LIKE and takes `^` and `$` for letters when they come twice
    or out of place. It leaves a group alone.
    """
    return f"({pattern})"


def _options(memory: int) -> re2.Options:
    options = re2.Options()
    options.max_mem = memory
    options.never_capture = True
    options.log_errors = False  # they are told to whoever wrote the pattern
    return options


def _explained(error: re2.error) -> tuple[str, str | None]:
    said = error.args[0]
    reason = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    if "too large" in reason or "repetition size" in reason:
        return (
            f"the regular expression is too large ({reason})",
            "repeat less: x{1000} is the most, and less inside one another",
        )
    if "perl operator" in reason or "escape sequence" in reason:
        return (
            f"the regular expression cannot be read ({reason})",
            "there is no looking ahead or back and no reference to a group",
        )
    return f"the regular expression cannot be read ({reason})", None
