"""SQL's LIKE patterns: `%` is any text, also none; `_` is any one code point.

Matching takes the leftmost place for each piece between two `%`, which is right because the pieces have
fixed lengths, and never goes back: no pattern can make it slow in the way a backtracking one is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from signaldesk.filters.letters import lower

MAX_PATTERN = 200
"""Code points. A piece with `_` costs at most its length times the text's; this keeps that small."""

_ANY_RUN = "%"
_ANY_ONE = "_"


class BadPattern(ValueError):
    """The escape character of a pattern does not stand before `%`, `_` or itself."""


class _Piece(NamedTuple):
    """What stands between two `%`."""

    length: int
    literal: str | None
    """The text it matches when it is made of no `_`."""
    matches_at: Callable[[str, int], bool]
    end_of_first: Callable[[str, int], int]
    """Where the first match at or after a position ends; -1 when there is none."""


def matcher(pattern: str, escape: str | None = None, *, ignore_case: bool = False) -> Callable[[str], bool]:
    """A function telling whether a text matches. Raises BadPattern."""
    pieces = [_piece(tokens, ignore_case) for tokens in _split(pattern, escape)]
    match = _simple(pieces) or (_whole(pieces[0]) if len(pieces) == 1 else _with_gaps(pieces))
    return (lambda text: match(lower(text))) if ignore_case else match


def to_sql(pattern: str, escape: str | None = None, *, ignore_case: bool = False) -> str:
    """The same pattern with a backslash as its escape character, and folded when case is ignored."""
    return _ANY_RUN.join(
        "".join(_ANY_ONE if token is None else _sql_literal(token, ignore_case) for token in piece)
        for piece in _split(pattern, escape)
    )


def _sql_literal(token: str, ignore_case: bool) -> str:
    shown = lower(token) if ignore_case else token
    return f"\\{shown}" if shown in (_ANY_RUN, _ANY_ONE, "\\") else shown


def _split(pattern: str, escape: str | None) -> list[list[str | None]]:
    """The pieces between the `%`, as lists of code points, None standing for `_`."""
    pieces: list[list[str | None]] = [[]]
    characters = iter(pattern)
    for character in characters:
        if character == escape:
            following = next(characters, "")
            if following not in (_ANY_RUN, _ANY_ONE, escape):
                raise BadPattern(f"the escape character {escape} must stand before %, _ or {escape}")
            pieces[-1].append(following)
        elif character == _ANY_RUN:
            pieces.append([])
        else:
            pieces[-1].append(None if character == _ANY_ONE else character)
    return pieces


def _piece(tokens: list[str | None], ignore_case: bool) -> _Piece:
    if None in tokens:
        parts = (
            "." if token is None else re.escape(lower(token) if ignore_case else token) for token in tokens
        )
        return _wild(len(tokens), re.compile("".join(parts), re.DOTALL))
    text = "".join(token or "" for token in tokens)
    return _literal(lower(text) if ignore_case else text)


def _literal(literal: str) -> _Piece:
    length = len(literal)

    def end_of_first(text: str, start: int) -> int:
        found = text.find(literal, start)
        return found + length if found >= 0 else -1

    return _Piece(length, literal, lambda text, at: text.startswith(literal, at), end_of_first)


def _wild(length: int, regex: re.Pattern[str]) -> _Piece:
    def end_of_first(text: str, start: int) -> int:
        found = regex.search(text, start)
        return found.end() if found else -1

    return _Piece(length, None, lambda text, at: regex.match(text, at) is not None, end_of_first)


def _simple(pieces: list[_Piece]) -> Callable[[str], bool] | None:
    """The four usual shapes, which Python's own methods answer at once: a, a%, %a and %a%."""
    match [piece.literal for piece in pieces]:
        case [str(whole)]:
            return lambda text: text == whole
        case [str(head), ""]:
            return lambda text: text.startswith(head)
        case ["", str(tail)]:
            return lambda text: text.endswith(tail)
        case ["", str(inner), ""]:
            return lambda text: inner in text
    return None


def _whole(piece: _Piece) -> Callable[[str], bool]:
    length, _, matches_at, _ = piece
    return lambda text: len(text) == length and matches_at(text, 0)


def _with_gaps(pieces: list[_Piece]) -> Callable[[str], bool]:
    first, last = pieces[0], pieces[-1]
    between = [piece.end_of_first for piece in pieces[1:-1] if piece.length]

    def match(text: str) -> bool:
        tail = len(text) - last.length
        if not first.matches_at(text, 0):
            return False
        end = first.length
        for end_of_first in between:
            end = end_of_first(text, end)
            if end < 0:
                return False
        return end <= tail and last.matches_at(text, tail)

    return match
